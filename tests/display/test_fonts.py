"""Fonts: with fonts made for the test, so that every machine says the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import matplotlib as mpl
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont
from PIL import Image, ImageDraw, features

from rfhosted.display import fonts

HELMET = "安全帽"


def make_font(path: Path, characters: str) -> Path:
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 700), (600, 700), (600, 0)):
        pen.lineTo(corner)
    pen.closePath()
    names = [f"g{ord(c)}" for c in characters]
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap({ord(c): name for c, name in zip(characters, names, strict=True)})
    square = pen.glyph()
    builder.setupGlyf(dict.fromkeys((".notdef", *names), square))
    builder.setupHorizontalMetrics(dict.fromkeys((".notdef", *names), (650, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def forget() -> None:
    for cached in (fonts._file_for, fonts._system_fonts, fonts.pieces_for, fonts.fitted):
        cached.cache_clear()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with no fonts but those put into the folder."""
    folder = tmp_path / "fonts"
    folder.mkdir()
    found = lambda: [str(p) for p in folder.iterdir()]  # noqa: E731 - stands in for a function
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", found)
    forget()
    yield folder
    forget()


def test_latin_is_the_font_that_matplotlib_ships(machine):
    font = fonts.font_for("Schutzhelm für Köpfe 90%", 20)
    assert font.path.endswith("DejaVuSans.ttf")
    assert font.size == 20


def test_without_a_font_there_is_none(machine):
    assert fonts.font_for(HELMET, 20) is None
    assert fonts.pieces_for(HELMET, 20) is None
    assert fonts.pieces_for(f"helmet {HELMET}", 20) is None
    assert fonts.fitted(HELMET, 12, " 90%", 20, 500)[0][0] == "#12"


def test_the_font_that_has_every_character(machine):
    make_font(machine / "A.ttf", "安")
    make_font(machine / "B.ttf", HELMET)
    forget()
    assert Path(fonts.font_for(HELMET, 20).path).name == "B.ttf"


def test_a_plain_font_goes_before_a_bold_one(machine):
    make_font(machine / "A-Bold.ttf", HELMET)
    make_font(machine / "B-Regular.ttf", HELMET)
    assert Path(fonts.font_for(HELMET, 20).path).name == "B-Regular.ttf"


def test_a_font_without_digits_leaves_them_to_the_default(machine):
    make_font(machine / "B.ttf", HELMET)
    pieces = fonts.fitted(HELMET, 12, " 90%", 20, 500)
    assert [(text, Path(font.path).name) for text, font in pieces] == [
        (HELMET, "B.ttf"),
        (" 90%", "DejaVuSans.ttf"),
    ]
    mixed = fonts.pieces_for(f"helmet {HELMET}…", 20)
    assert [text for text, _ in mixed] == ["helmet ", HELMET, "…"]


def test_a_collection_is_opened(machine, tmp_path):
    collection = TTCollection()
    collection.fonts = [TTFont(make_font(tmp_path / f"{i}.ttf", HELMET)) for i in range(2)]
    collection.save(machine / "C.ttc")
    assert Path(fonts.font_for(HELMET, 20).path).name == "C.ttc"


def test_fonts_that_write_boxes_for_everything_are_no_fonts(machine):
    last_resort = Path(mpl.get_data_path(), "fonts", "ttf", "LastResortHE-Regular.ttf")
    if last_resort.exists():
        shutil.copy(last_resort, machine)
    make_font(machine / "Blank.ttf", HELMET + "\ufdd0")
    assert fonts.font_for(HELMET, 20) is None


def test_files_that_are_no_fonts_do_no_harm(machine):
    (machine / "broken.ttf").write_bytes(b"no font")
    (machine / "empty.otf").write_bytes(b"")
    whole = make_font(machine / "cut.ttf", HELMET).read_bytes()
    (machine / "cut.ttf").unlink()
    for length in range(0, whole.index(b"glyf") + 100, 7):
        (machine / f"cut{length}.ttf").write_bytes(whole[:length])
    make_font(machine / "gone.ttf", HELMET)
    fonts._system_fonts()
    (machine / "gone.ttf").unlink()
    assert fonts.font_for(HELMET, 20) is None


def test_letters_that_join_need_a_layout_engine(machine, monkeypatch):
    assert fonts.font_for("قبعة", 20) or not features.check("raqm")
    monkeypatch.setattr(features, "check", lambda name: name != "raqm")
    forget()
    assert fonts.font_for("قبعة", 20) is None  # would be written apart, and backwards
    assert fonts.font_for("helmet", 20)


@pytest.mark.parametrize("name", ["", " \n", "\x00"])
def test_a_name_of_nothing_is_its_number(machine, name):
    assert fonts.fitted(name, 7, " 90%", 12, 500)[0][0] == "#7"


def test_what_is_too_wide_loses_its_rest_and_then_its_end(machine):
    def written(room):
        pieces = fonts.fitted("dining table", 60, " 90%", 12, room)
        assert fonts.width_of(pieces) <= room or room < 20
        return "".join(text for text, _ in pieces)

    assert written(500) == "dining table 90%"
    assert written(90) == "dining table"
    assert written(50).startswith("din")
    assert written(50).endswith("…")
    assert len(fonts.fitted("x" * 500, 0, "", 12, 9999)[0][0]) == 28


def test_written_text_is_where_it_was_told_to_be(machine):
    image = Image.new("L", (200, 60))
    pieces = fonts.fitted("HELMET", 0, "", 20, 500)
    fonts.write(ImageDraw.Draw(image), 30, 30, pieces, 255)
    left, top, right, bottom = image.getbbox()
    assert abs(left - 30) <= 3
    assert abs(right - 30 - fonts.width_of(pieces)) <= 3
    assert abs((top + bottom) / 2 - 30) <= 1


@pytest.mark.parametrize("name", ["हेलमेट", HELMET])
def test_the_fonts_of_this_machine(name):
    forget()
    pieces = fonts.fitted(name, 12, " 90%", 20, 500)
    text = "".join(piece for piece, _ in pieces)
    assert text in (f"{name} 90%", "#12 90%")
    for piece, font in pieces:
        letters = set(TTFont(font.path, fontNumber=0).getBestCmap())
        assert {ord(c) for c in piece if c != " "} <= letters
