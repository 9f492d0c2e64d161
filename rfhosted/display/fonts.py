"""Text in any script, with the fonts of the computer; the class number where it has none."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import ImageFont, features

from rfhosted.outputs.text import one_line

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import ImageDraw

#: Parts of a text with the fonts that can write them, from left to right.
Pieces: TypeAlias = tuple[tuple[str, ImageFont.FreeTypeFont], ...]

_LAST_CHOICE = re.compile(
    "bold|italic|oblique|light|thin|black|mono|serif|narrow|condensed", re.IGNORECASE
)
#: Characters of a class name that are written.
_LONGEST = 28
#: Not a character: fonts that claim to have it write empty boxes (Last Resort, Adobe Blank).
_NO_CHARACTER = 0xFDD0


@functools.lru_cache(maxsize=1024)
def pieces_for(text: str, size: int) -> Pieces | None:
    """A text in as few pieces as possible, each with its font; None where a font is missing.

    Many fonts of other scripts have no Latin letters, and the default has no other scripts: they
    take turns. Arguments as for ``font_for``.
    """
    if font := font_for(text, size):
        return ((text, font),)
    pieces = []
    latin = set(_letters(*_default()).tolist())
    for _, group in itertools.groupby(text, key=lambda c: c.isspace() or ord(c) in latin):
        piece = "".join(group)
        if (font := font_for(piece, size)) is None:
            return None
        pieces.append((piece, font))
    return tuple(pieces)


@functools.lru_cache(maxsize=1024)
def fitted(name: str, number: int, rest: str, size: int, room: float) -> Pieces:
    """A class name and what follows it, no wider than ``room`` pixels where possible.

    A name that no font can write is replaced by the number of the class. What is too wide loses
    its rest first, then the end of the name.
    """
    label = one_line(name, _LONGEST)
    if not label or not pieces_for(label, size):
        label = f"#{number}"
    text = (*(pieces_for(label, size) or ()), *(pieces_for(rest, size) or ()))
    if width_of(text) > room:
        text = pieces_for(label, size) or ()
    while width_of(text) > room and len(label) > 2:
        label = label[:-2] + "…"
        text = pieces_for(label, size) or ()
    return text


@functools.lru_cache(maxsize=1024)
def width_of(text: Pieces) -> float:
    """Width in pixels."""
    return sum(font.getlength(piece) for piece, font in text)


def write(
    pen: ImageDraw.ImageDraw, left: float, middle: float, text: Pieces, fill: tuple[int, int, int]
) -> None:
    """Write a text from ``left``, its capitals centred at the height ``middle``."""
    for piece, font in text:
        # One baseline for all fonts; capitals are 0.73 of the default font's size.
        pen.text((left, middle + 0.365 * font.size), piece, fill=fill, font=font, anchor="ls")
        left += font.getlength(piece)


def font_for(text: str, size: int) -> ImageFont.FreeTypeFont | None:
    """A font that can write a text (one line) at a size in pixels, or None.

    Never one that would write empty boxes.
    """
    file = _file_for(frozenset(text))
    return None if file is None else _open(*file, size)


@functools.lru_cache(maxsize=64)
def _open(path: str, index: int, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size, index=index)


@functools.lru_cache(maxsize=1024)
def _file_for(characters: frozenset[str]) -> tuple[str, int] | None:
    """The first font that has all the characters: its path and index in the file."""
    if any(map(_joins, characters)) and not features.check("raqm"):
        return None  # Pillow alone does not join such letters, or puts them in the wrong order
    needed = np.array([ord(c) for c in characters if not c.isspace()], dtype=np.uint32)
    for font in itertools.chain((_default(),), _system_fonts()):
        if np.isin(needed, _letters(*font)).all():
            return font
    return None


def _joins(character: str) -> bool:
    """Whether a character's place or shape depends on its neighbours."""
    marks = unicodedata.category(character) in {"Mn", "Mc"}
    return marks or unicodedata.bidirectional(character) in {"R", "AL"}


@functools.cache
def _default() -> tuple[str, int]:
    import matplotlib as mpl

    return str(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), 0


@functools.cache
def _system_fonts() -> tuple[tuple[str, int], ...]:
    from matplotlib.font_manager import findSystemFonts

    # A collection (.ttc) holds several fonts; the first has the same characters as the others.
    plain_first = sorted(findSystemFonts(), key=lambda p: (bool(_LAST_CHOICE.search(p)), p))
    return tuple((path, 0) for path in plain_first)


@functools.cache  # one array for a font: a computer may have a thousand
def _letters(path: str, index: int) -> npt.NDArray[np.uint32]:
    """Code points that a font can draw, uint32."""
    from fontTools.ttLib import TTFont

    nothing = np.zeros(0, dtype=np.uint32)
    try:
        with Path(path).open("rb") as file, TTFont(file, fontNumber=index, lazy=True) as font:
            # Only outlines can be drawn: fonts of bitmaps or colours alone are no use.
            drawn = "glyf" in font or "CFF " in font or "CFF2" in font
            letters = font.getBestCmap() or {}
    except Exception:  # noqa: BLE001 - fontTools raises all kinds of errors for damaged fonts
        return nothing
    if not drawn or _NO_CHARACTER in letters:
        return nothing
    return np.fromiter(letters, dtype=np.uint32)
