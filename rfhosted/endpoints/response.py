"""The checks that every response passes: numbers in range, printable text, sizes that fit.

A part of a response that fails one is left out, and a note says which; where nothing is left, the
response is refused. What is far beyond any model is bounded in ``outputs.limits``.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

from rfhosted.display.units import counted
from rfhosted.outputs.limits import FARTHEST_COORDINATE, LARGEST_CLASS_ID
from rfhosted.outputs.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt
    from PIL import Image

Kept = TypeVar("Kept")

_LONGEST_NUMBER = 50  # characters of a number that is written as text
_ROUNDING = 1e-3  # by which a confidence may leave [0, 1]


class PartError(ValueError):
    """A part of a response that cannot be used; the text says which, and why."""


class LeftOut:
    """The parts of one response that could not be used, or were too many."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}
        self._others: dict[str, None] = {}

    def add(self, kind: str, why: str) -> None:
        """Count a part that is left out.

        Args:
            kind: What it is, in the singular: "mask".
            why: Where it stood and what was wrong with it.
        """
        self._counts[kind] += 1
        self._first.setdefault(kind, why)

    def note(self, text: str) -> None:
        """Keep a note of another form, once."""
        self._others[text] = None

    def notes(self) -> tuple[str, ...]:
        """One sentence for each kind of part, with the place of the first."""
        parts = [
            f"Not readable, and left out: {counted(count, kind)}"
            f" ({'' if count == 1 else 'the first: '}{self._first[kind]})."
            for kind, count in self._counts.items()
        ]
        return (*self._others, *parts)

    def some(self, items: list[Kept], most: int, kind: str) -> list[Kept]:
        """The first ``most`` of many, with a note where that is not all."""
        if len(items) > most:
            many = counted(len(items), kind)
            self.note(f"The response has {many}; the first {most:,} are used.")
        return items[:most]

    def readable(
        self, items: Sequence[Any], read: Callable[[Any, int], Kept], kind: str, path: str
    ) -> list[Kept]:
        """What can be read of a list.

        Args:
            items: The list.
            read: Reads an item at a place, or raises PartError.
            kind: What an item is, in the singular.
            path: Where the list stands: "predictions".
        """
        kept = []
        for i, item in enumerate(items):
            try:
                kept.append(read(item, i))
            except PartError as error:
                self.add(kind, f"{path}[{i}]{error}")
        return kept

    def first(self, kind: str) -> str:
        """Where the first part of a kind stood that was left out, and why."""
        return self._first[kind]


def number(
    item: Any, field: str, least: float = -FARTHEST_COORDINATE, most: float = FARTHEST_COORDINATE
) -> float:
    """A field that is a finite number in a range, or the text of one.

    Raises:
        PartError: It is not.
    """
    value = item.get(field) if isinstance(item, dict) else None
    read = finite(value)
    if read is None or not least <= read <= most:
        raise PartError(f".{field} is {shown(value)}")
    return read


def fraction(item: Any, field: str = "confidence") -> float:
    """A field in [0, 1].

    Raises:
        PartError: It is not.
    """
    return min(max(number(item, field, -_ROUNDING, 1 + _ROUNDING), 0.0), 1.0)


def finite(value: Any) -> float | None:
    """A finite number, or the text of one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and len(value) > _LONGEST_NUMBER:
        return None
    try:
        read = float(value)
    except (OverflowError, ValueError):
        return None
    return read if abs(read) < float("inf") else None  # NaN is not less than anything


def whole(value: Any, least: int, most: int) -> int | None:
    """A whole number in a range, or the text of one; None for anything else."""
    read = finite(value)
    return int(read) if read is not None and read.is_integer() and least <= read <= most else None


def class_id(item: dict[str, Any]) -> int | None:
    """The class id of an item; None where it has none that can be used."""
    return whole(item.get("class_id"), 0, LARGEST_CLASS_ID - 1)


def class_name(item: dict[str, Any]) -> str | None:
    """The class name of an item, printable; None where it has none. v1 says ``class_name``."""
    return text(item.get("class")) or text(item.get("class_name"))


def text(value: Any) -> str | None:
    """A text, or a number as text, printable; None for anything else, and for a blank one."""
    if isinstance(value, str):
        return one_line(value) or None
    return None if whole(value, -(2**53), 2**53) is None else str(value)


def shown(value: Any) -> str:
    """A value of a response, short enough for a message."""
    if value is None:
        return "missing or null"
    if isinstance(value, str):
        return f'the text "{one_line(value, 40)}"'
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):  # Python refuses to write a number of 5,000 digits
        return str(value) if abs(value) < 2**63 else "a number beyond 64 bits"
    return "an object" if isinstance(value, dict) else "a list"


def grey_png(value: Any, field: str, most_pixels: int) -> npt.NDArray[np.uint8]:
    """The pixels of a PNG in base64, one byte for each: uint8 (height, width).

    Raises:
        PartError: It is not such a PNG, or larger.
    """
    import numpy as np
    from PIL.PngImagePlugin import PngImageFile

    fault: str | None = f"is {shown(value)}"
    if isinstance(value, str):
        try:
            # Not Image.open: that reads every format, and warns of large images.
            with PngImageFile(io.BytesIO(base64.b64decode(value))) as image:
                fault = _fault_of(image, most_pixels)
                if fault is None:
                    # The colours of a palette mean nothing: the values are the class ids.
                    return np.array(image, dtype=np.uint8)
        except Exception:  # noqa: BLE001 - damaged files fail in Pillow in every way there is
            fault = "is not a PNG"
    raise PartError(f"{field} {fault}")


def _fault_of(image: Image.Image, most_pixels: int) -> str | None:
    if image.mode not in ("L", "P", "1"):
        return f"is a PNG of mode {image.mode}, not one of 8 bits a pixel"
    if not 1 <= image.width * image.height <= most_pixels:
        return f"has {image.width} x {image.height} pixels"
    return None
