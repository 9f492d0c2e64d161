"""One colour for a class name, the same in every image, distinct for colour-blind people."""

from __future__ import annotations

import functools
import hashlib
from typing import TypeAlias

Colour: TypeAlias = tuple[int, int, int]

#: The seven of Okabe and Ito, and four more that are distinct from them and from each other under
#: simulated protanopia, deuteranopia and tritanopia (tested).
_CODES = "E69F00 56B4E9 009E73 F0E442 0072B2 D55E00 CC79A7 661100 7F00FF 332288 AA3377"
PALETTE: tuple[Colour, ...] = tuple(
    (int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)) for code in _CODES.split()
)
#: Chosen so that eleven names that are often in one image get eleven colours.
_SALT = (7328).to_bytes(4, "big")


@functools.lru_cache(maxsize=4096)
def colour(class_name: str) -> Colour:
    """RGB of a class, from its name alone: the same in every process and for every model.

    There are eleven colours: two classes of one image may share one, so labels and legends name
    the classes.
    """
    digest = hashlib.blake2b(
        class_name.encode("utf-8", "surrogatepass"), digest_size=4, salt=_SALT
    ).digest()
    return PALETTE[int.from_bytes(digest, "big") % len(PALETTE)]


def ink(background: Colour) -> Colour:
    """Black or white: the one with the higher contrast on a background (WCAG 2.2)."""
    red, green, blue = (_linear(channel / 255) for channel in background)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (0, 0, 0) if (luminance + 0.05) ** 2 > 0.05 * 1.05 else (255, 255, 255)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
