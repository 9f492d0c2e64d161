"""A font that has every character of a text, where this machine has one."""

from __future__ import annotations

import functools
from pathlib import Path

from PIL import ImageFont


def font_for(text: str, size: int) -> ImageFont.FreeTypeFont | None:
    """A font that can write a text, or None: never one that would write empty boxes.

    Args:
        text: What is to be written.
        size: Pixels.
    """
    file = _file_for(frozenset(text))
    return None if file is None else _open(*file, size)


@functools.lru_cache(maxsize=64)
def _open(path: str, index: int, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size, index=index)


@functools.lru_cache(maxsize=1024)
def _file_for(characters: frozenset[str]) -> tuple[str, int] | None:
    """Path and place in a collection of the first font with all the characters."""
    needed = {ord(character) for character in characters if not character.isspace()}
    if needed <= _letters(*_default()):
        return _default()
    return next((font for font in _system_fonts() if needed <= _letters(*font)), None)


@functools.cache
def _default() -> tuple[str, int]:
    import matplotlib as mpl

    return str(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), 0


@functools.cache
def _system_fonts() -> tuple[tuple[str, int], ...]:
    from matplotlib.font_manager import findSystemFonts

    # A collection (.ttc) holds several fonts; the first has the same characters as the others.
    return tuple((path, 0) for path in sorted(findSystemFonts()))


@functools.lru_cache(maxsize=256)
def _letters(path: str, index: int) -> frozenset[int]:
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(path, fontNumber=index, lazy=True) as font:
            # Only what is drawn: bitmap-only and colour fonts are no use to the drawing.
            drawn = "glyf" in font or "CFF " in font or "CFF2" in font
            return frozenset(font.getBestCmap() or ()) if drawn else frozenset()
    except (TTLibError, OSError, KeyError, AssertionError):
        return frozenset()  # a font that cannot be read has nothing to offer
