"""One colour a class name, in every picture the same, that colour-blind people can tell apart."""

from __future__ import annotations

import functools
import hashlib
from typing import TypeAlias

Colour: TypeAlias = tuple[int, int, int]

#: Okabe and Ito's seven, and four more chosen to stay apart from them and from each other under
#: simulated protanopia, deuteranopia and tritanopia (see tests/test_palette.py).
PALETTE: tuple[Colour, ...] = tuple(
    (int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16))
    for code in (
        *("E69F00", "56B4E9", "009E73", "F0E442", "0072B2", "D55E00", "CC79A7"),
        *("661100", "7F00FF", "332288", "AA3377"),
    )
)
#: Chosen so that eleven names that often share a picture get eleven colours.
_SALT = (7328).to_bytes(4, "big")


@functools.lru_cache(maxsize=4096)
def colour(class_name: str) -> Colour:
    """RGB of a class, from its name alone: the same in every process and for every model.

    Eleven colours cannot keep a thousand names apart: two classes of one picture may share one,
    which is why labels and legends name them.
    """
    digest = hashlib.blake2b(
        class_name.encode("utf-8", "surrogatepass"), digest_size=4, salt=_SALT
    ).digest()
    return PALETTE[int.from_bytes(digest, "big") % len(PALETTE)]


def ink(background: Colour) -> Colour:
    """Black or white, whichever is read better on a background (WCAG 2.2 contrast)."""
    red, green, blue = (_linear(channel / 255) for channel in background)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (0, 0, 0) if (luminance + 0.05) ** 2 > 0.05 * 1.05 else (255, 255, 255)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
