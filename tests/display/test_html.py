"""HTML: whole without anything else, and safe whatever a server calls its classes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from rfhosted.display import html
from support.html_tree import EVIL, Tree, decoded


def photo(size=(60, 40), noise=False):
    rng = np.random.default_rng(0)
    pixels = (
        rng.integers(0, 255, (size[1], size[0], 3), np.uint8)
        if noise
        else np.full((size[1], size[0], 3), 90, np.uint8)
    )
    return Image.fromarray(pixels)


def test_the_image_is_a_jpeg_of_its_size():
    raw, image = decoded(html.jpeg_data_uri(photo()))
    assert image.size == (60, 40)
    assert len(raw) < 2000
    assert np.abs(np.asarray(image).astype(int) - 90).max() < 3


def test_a_heavy_image_loses_quality_until_it_is_light():
    noise = photo((500, 500), noise=True)
    fine, _ = decoded(html.jpeg_data_uri(noise, max_bytes=10**9))
    light, image = decoded(html.jpeg_data_uri(noise, max_bytes=100_000))
    assert len(light) <= 100_000 < len(fine)
    assert image.size == (500, 500)


def test_an_image_that_stays_heavy_gets_smaller():
    noise = photo((500, 300), noise=True)
    for most in (10_000, 3_000):
        light, image = decoded(html.jpeg_data_uri(noise, max_bytes=most))
        assert most / 4 < len(light) <= most
        assert image.width / image.height == pytest.approx(5 / 3, rel=0.05)
    least, image = decoded(html.jpeg_data_uri(noise, max_bytes=1))  # still something to see
    assert image.size == (64, 38)
    assert len(least) < 3_000


@pytest.mark.parametrize("wrong", [0, -1, 1e5, "200", True, None])
def test_bytes_are_a_whole_number(wrong):
    with pytest.raises((TypeError, ValueError), match="max_bytes is a whole number of bytes"):
        html.jpeg_data_uri(photo(), wrong)


def test_a_card_has_the_image_its_words_and_what_is_below():
    card = html.card(
        photo(), alt="A dog", caption=["2 objects", "61 ms"], notes=["A note"], below="<p>x</p>"
    )
    tree = Tree(card)
    (image,) = tree.all("img")
    assert image["alt"] == "A dog"
    assert image["src"].startswith("data:image/jpeg;base64,")
    assert "max-width:100%" in image["style"]
    assert tree.text["figcaption"] == "2 objects · 61 msA note"
    assert tree.text["strong"] == "2 objects"
    assert tree.text["em"] == "A note"
    assert tree.text["p"] == "x"
    assert "color" not in card  # the front end's theme decides, light or dark
    assert "http" not in card


def test_text_from_a_server_is_never_markup():
    bars = html.bars([(EVIL, 0.5, EVIL)], EVIL)
    card = html.card(photo(), alt=EVIL, caption=[EVIL, EVIL], notes=[EVIL])
    for markup in (card, bars, html.block(EVIL, EVIL), html.scrolling("", EVIL)):
        assert not Tree(markup).all("script")
        assert "\x1b" not in markup
        markup.encode()  # halves of characters would not go
    shown = "\"><script>alert(1)</script>&' [31m"
    assert Tree(card).all("img")[0]["alt"] == shown
    assert Tree(card).text["strong"] == Tree(card).text["em"] == shown
    assert Tree(bars).text["caption"] == Tree(bars).text["th"] == shown


def test_a_bar_is_as_long_as_its_share():
    tree = Tree(html.bars([("a", 0.25, "25 ms"), ("b", None, "not reported"), ("c", 7.0, "")], "x"))
    styles = [div["style"] for div in tree.all("div")]
    assert [style.split(";")[0] for style in styles[1::2]] == ["width:25.0%", "width:100.0%"]
    assert tree.text["td"] == "25 msnot reported"


def test_code_keeps_its_lines_and_blanks():
    text = "if x < 1:\n    print('a\u202eb\x1b[0m')"
    assert Tree(html.block(text, "Code")).text["pre"] == "if x < 1:\n    print('ab [0m')"
