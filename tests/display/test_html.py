"""Cards and tables: whole without anything else, and safe whatever a server calls its classes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from rfhosted.display import html
from support.html_tree import EVIL, Tree, decoded


def picture(size=(60, 40), noise=False):
    rng = np.random.default_rng(0)
    pixels = (
        rng.integers(0, 255, (size[1], size[0], 3), np.uint8)
        if noise
        else np.full((size[1], size[0], 3), 90, np.uint8)
    )
    return Image.fromarray(pixels)


def test_the_picture_is_a_jpeg_of_its_size():
    raw, image = decoded(html.jpeg_data_uri(picture()))
    assert image.size == (60, 40)
    assert len(raw) < 2000
    assert np.abs(np.asarray(image).astype(int) - 90).max() < 3


def test_a_heavy_picture_loses_quality_until_it_is_light():
    noise = picture((500, 500), noise=True)
    fine, _ = decoded(html.jpeg_data_uri(noise, max_bytes=10**9))
    light, image = decoded(html.jpeg_data_uri(noise, max_bytes=100_000))
    assert len(light) <= 100_000 < len(fine)
    assert image.size == (500, 500)


def test_a_picture_that_stays_heavy_gets_smaller():
    noise = picture((500, 300), noise=True)
    for most in (10_000, 3_000):
        light, image = decoded(html.jpeg_data_uri(noise, max_bytes=most))
        assert most / 4 < len(light) <= most
        assert image.width / image.height == pytest.approx(5 / 3, rel=0.05)
    least, image = decoded(html.jpeg_data_uri(noise, max_bytes=1))  # still something to see
    assert image.size == (64, 38)
    assert len(least) < 3_000


def test_a_card_has_the_picture_its_words_and_a_table():
    rows = [{"class_name": "dog", "confidence": 0.91234}, {"class_name": "cat", "confidence": 0.5}]
    card = html.card(
        picture(), alt="A dog", caption=["2 objects", "61 ms"], notes=["On this machine"], rows=rows
    )
    tree = Tree(card)
    (image,) = tree.all("img")
    assert image["alt"] == "A dog"
    assert image["src"].startswith("data:image/jpeg;base64,")
    assert "max-width:100%" in image["style"]
    assert tree.text["figcaption"] == "2 objects · 61 msOn this machine"
    assert tree.text["strong"] == "2 objects"
    assert tree.text["summary"] == "Table of 2 rows"
    assert tree.text["caption"] == "2 objects"
    assert [th["scope"] for th in tree.all("th")] == ["col", "col"]
    assert tree.text["tbody"] == "dog0.91cat0.50"
    assert "color" not in card  # the front end's theme decides, light or dark
    assert "http" not in card


def test_without_rows_there_is_no_table():
    tree = Tree(html.card(picture(), alt="Nothing", caption=["no objects above 0.40"]))
    assert not tree.all("table")
    assert not tree.all("details")
    assert html.table([]) == html.text_table([]) == ""


def test_what_a_server_says_is_text_and_never_markup():
    tree = Tree(
        html.card(picture(), alt=EVIL, caption=[EVIL, EVIL], notes=[EVIL], rows=[{EVIL: EVIL}])
    )
    assert not tree.all("script")
    shown = "\"><script>alert(1)</script>&' [31m"
    assert tree.all("img")[0]["alt"] == shown
    for tag in ("th", "td", "strong", "em", "caption"):
        assert tree.text[tag] == shown
    html.card(picture(), alt=EVIL, caption=[EVIL]).encode()  # half characters would not go


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.126, "0.13"),
        (1234.56, "1235"),
        (None, "-"),
        (3, "3"),
        ("a\nb\x1b", "a b"),
        ({"nose": (1, 2)}, "nose"),
        (-0.5, "-0.50"),
    ],
)
def test_cells(value, text):
    assert Tree(html.table([{"x": value}])).text["td"] == text
    assert html.text_table([{"x": value}]).splitlines() == ["x", text]


def test_a_terminal_sees_columns():
    rows = [{"class_name": "dog", "x1": 1.0}, {"class_name": "traffic light", "x1": 200.0}]
    assert html.text_table(rows) == "class_name     x1\ndog            1.00\ntraffic light  200"
