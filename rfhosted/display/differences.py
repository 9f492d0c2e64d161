"""Two results on one image: what both have, what only A has, what only B has.

Each of the three has a colour, a kind of line or pattern, and a letter: any one of them is enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from rfhosted.display import html
from rfhosted.display.annotate import BAR_BED, PANEL_INK, extended, shown_boxes
from rfhosted.display.fonts import fitted, pieces_for, width_of, write
from rfhosted.display.labels import CROWD, Label, font_size, place_labels, side
from rfhosted.display.units import percent, score_text
from rfhosted.outputs.limits import MOST_DRAWN_OBJECTS
from rfhosted.outputs.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from rfhosted.display.palette import Colour
    from rfhosted.outputs.values import Box

    Pixels = npt.NDArray[np.uint8]
    Segment: TypeAlias = tuple[tuple[float, float], tuple[float, float]]


class Where(StrEnum):
    """Which of two results has a thing."""

    BOTH = "both"
    ONLY_A = "only A"
    ONLY_B = "only B"
    #: Pixels to which both give a class, but not the same one.
    OTHER_CLASS = "another class"


@dataclass(frozen=True, slots=True)
class Style:
    """How one of the three is drawn.

    Attributes:
        colour: RGB, of Okabe and Ito.
        halo: RGB of the line under it, and of the gaps in it.
        dash: Length of a dash and of a gap, in widths of the line; None for a solid line.
        css: The same line in CSS.
        letters: How a label begins.
    """

    colour: Colour
    halo: Colour
    dash: tuple[float, float] | None
    css: str
    letters: str


_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
STYLES = {
    Where.BOTH: Style(_BLACK, _WHITE, None, "solid", "AB"),
    Where.ONLY_A: Style((0, 114, 178), _WHITE, (5.0, 3.0), "dashed", "A"),
    Where.ONLY_B: Style((230, 159, 0), _BLACK, (1.0, 1.5), "dotted", "B"),
    Where.OTHER_CLASS: Style((86, 180, 233), _BLACK, (1.0, 1.0), "double", "A≠B"),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One object, or two that match, on the image.

    Attributes:
        name: "A1", "B2", "AB3": the same on the image and in the table.
        where: Which of the two results has it.
        class_name: Its class.
        boxes: (x1, y1, x2, y2) in pixels of the original image; of two that match, A's and B's.
    """

    name: str
    where: Where
    class_name: str
    boxes: tuple[Box, ...]


def draw_marks(
    image: Image.Image, marks: Sequence[Mark], original: tuple[int, int], *, labels: bool = True
) -> Image.Image:
    """Draw objects in the style of where they are; differences lie on top.

    Args:
        image: The image at the size that is shown.
        marks: What to draw; above a limit the first ones only.
        original: (width, height) of the image that the boxes are in pixels of.
        labels: Whether names and classes are written at the boxes.
    """
    if not marks:
        return image.copy()
    # The most important ones come first in the list, and are drawn last.
    shown = sorted(marks, key=lambda mark: mark.where is Where.BOTH)[:MOST_DRAWN_OBJECTS]
    line = math.ceil(side(image.size) / (400 if len(shown) > CROWD else 260))
    scene: Pixels = np.array(image)
    # Of two that match, the second is finer: where they lie apart, one sees which is which.
    first = shown_boxes([mark.boxes[0] for mark in shown], original, image.size, line)
    last = shown_boxes([mark.boxes[-1] for mark in shown], original, image.size, line)
    for mark, box, other in reversed(list(zip(shown, first.tolist(), last.tolist(), strict=True))):
        _draw_box(scene, box, STYLES[mark.where], line)
        if len(mark.boxes) > 1:
            _draw_box(scene, other, STYLES[mark.where], max(1, line // 2))
    drawn = Image.fromarray(scene)
    if labels:
        place_labels(drawn, [_label(mark) for mark in shown], first, line=line)
    return drawn


def _draw_box(scene: Pixels, box: Sequence[float], style: Style, width: int) -> None:
    import cv2

    x1, y1, x2, y2 = box
    outline = [((x1, y1), (x2, y1)), ((x2, y1), (x2, y2))]
    outline += [((x2, y2), (x1, y2)), ((x1, y2), (x1, y1))]
    dashes = outline if style.dash is None else _dashed(outline, style.dash, width)
    for lines, shade, wide in ((outline, style.halo, width + 2), (dashes, style.colour, width)):
        whole = list(np.array(lines).round().astype(np.int32))
        cv2.polylines(scene, whole, isClosed=False, color=shade, thickness=wide)


def _label(mark: Mark) -> Label:
    class_name = f" {one_line(mark.class_name, 28)}"
    return Label(mark.name, 0, class_name, STYLES[mark.where].colour)


def _dashed(outline: Sequence[Segment], dash: tuple[float, float], width: int) -> list[Segment]:
    """The dashes on the sides of an outline; each corner begins with one."""
    length, gap = (part * width for part in dash)
    dashes = []
    for (x1, y1), (x2, y2) in outline:
        whole = math.hypot(x2 - x1, y2 - y1)
        for start in np.arange(0, whole, length + max(gap, width + 1)).tolist():
            ends = (start / whole, min(start + length - 1, whole) / whole)
            (ax, ay), (bx, by) = ((x1 + (x2 - x1) * f, y1 + (y2 - y1) * f) for f in ends)
            dashes.append(((ax, ay), (bx, by)))
    return dashes


def draw_score_pairs(
    image: Image.Image,
    entries: Sequence[tuple[str, int, float | None, float | None]],
    *,
    similarity: bool = False,
) -> Image.Image:
    """Draw the scores of A and B as pairs of bars below an image.

    Args:
        image: The image at the size that is shown.
        entries: Class name, class id, score in A and in B; None where that result has none.
        similarity: Whether the scores are cosine similarities, which are no percentages.
    """
    if not entries:
        return image.copy()
    size = font_size(image.size)
    row, pad = round(size * 3.2), size // 2
    wide = max(image.width, size * 20)
    lines = [fitted(name, number, "", size, wide * 0.5) for name, number, *_ in entries]
    left = 2 * pad + max(map(width_of, lines)) + size * 1.2
    right = wide - pad - size * 3.2
    panel = extended(image, row * len(entries) + pad, wide)
    pen = ImageDraw.Draw(panel)
    for i, ((_, _, *scores), name) in enumerate(zip(entries, lines, strict=True)):
        middle = image.height + pad / 2 + row * (i + 0.5)
        write(pen, pad, middle, name, PANEL_INK)
        for where, score, y in zip(
            (Where.ONLY_A, Where.ONLY_B), scores, (middle - size * 0.6, middle + size * 0.6),
            strict=True,
        ):  # fmt: skip
            write(pen, left - size, y, pieces_for(STYLES[where].letters, size) or (), PANEL_INK)
            place = (left, y - size * 0.45, right, y + size * 0.45)
            pen.rectangle(place, fill=BAR_BED)
            length = (right - left) * min(1.0, max(0.0, score or 0.0))
            _fill(panel, (left, place[1], left + length, place[3]), where)
            written = "-" if score is None else score_text(score, similarity=similarity)
            text = pieces_for(written, size) or ()
            write(pen, wide - pad - width_of(text), y, text, PANEL_INK)
    return panel


def draw_pixels(
    image: Image.Image, places: npt.NDArray[np.uint8], names: Sequence[Where]
) -> Image.Image:
    """Paint pixels in the patterns of where they are, and a legend below with their shares.

    Args:
        image: The image at the size that is shown; it becomes grey and pale.
        places: For each pixel 0 where there is nothing, or 1 + an index into ``names``.
        names: The kinds of pixels.
    """
    pale = np.asarray(image.convert("L").convert("RGB"), np.float32) * 0.6 + 90
    scene = pale.clip(0, 255).astype(np.uint8)
    for index, where in enumerate(names, start=1):
        mask = places == index
        tile = np.asarray(_pattern(where, image.size))
        solid = where is Where.BOTH
        scene[mask] = (scene[mask] * 0.55 + tile[mask] * 0.45) if solid else tile[mask]
    counts = np.bincount(places.ravel(), minlength=len(names) + 1)[1:]
    shares = [(where, count / places.size) for where, count in zip(names, counts, strict=True)]
    return _legend(Image.fromarray(scene), [(w, s) for w, s in shares if s])


def _legend(image: Image.Image, entries: Sequence[tuple[Where, float]]) -> Image.Image:
    size = font_size(image.size)
    step, wide = round(size * 1.7), max(image.width, size * 16)
    strip = extended(image, step * len(entries) + size // 2, wide)
    pen = ImageDraw.Draw(strip)
    for i, (where, share) in enumerate(entries):
        middle = image.height + size // 4 + step * (i + 0.5)
        _fill(strip, (size / 2, middle - size / 2, size * 2.5, middle + size / 2), where)
        text = pieces_for(f"{legend_text(where)}: {percent(share)} of the pixels", size) or ()
        write(pen, size * 3, middle, text, PANEL_INK)
    return strip


def legend_text(where: Where) -> str:
    """A place in words, with its letter."""
    return {
        Where.BOTH: "AB: in both",
        Where.ONLY_A: "A: only in A",
        Where.ONLY_B: "B: only in B",
        Where.OTHER_CLASS: "A≠B: another class in B",
    }[where]


def legend_html(counts: Sequence[tuple[Where, str]]) -> str:
    """The styles of objects with a text beside each, as HTML."""
    return " ".join(
        f'<span style="white-space:nowrap;margin-right:14px"><span style="{_swatch(where)}"></span>'
        f" {html.escape(text)}</span>"
        for where, text in counts
    )


def _swatch(where: Where) -> str:
    """A line with its halo, in CSS: seen on a light and on a dark background."""
    style = STYLES[where]
    return (
        f"display:inline-block;width:26px;vertical-align:middle;border-top:4px {style.css}"
        f" rgb{style.colour};background:rgb{style.halo};outline:1px solid rgb{style.halo}"
    )


def _fill(image: Image.Image, place: tuple[float, float, float, float], where: Where) -> None:
    """Fill a rectangle with the pattern of a place."""
    x1, y1, x2, y2 = map(round, place)
    if x2 > x1 and y2 > y1:
        image.paste(_pattern(where, (x2 - x1, y2 - y1)), (x1, y1))


def _pattern(where: Where, size: tuple[int, int]) -> Image.Image:
    """The pattern of a place: plain for both, stripes for A, dots for B, else a grid."""
    style = STYLES[where]
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    if where is Where.BOTH:
        lines = np.zeros(x.shape, bool)
    elif where is Where.ONLY_A:
        lines = (x + y) % 9 < 3
    elif where is Where.ONLY_B:
        lines = (x % 8 - 4) ** 2 + (y % 8 - 4) ** 2 < 6
    else:
        lines = (x % 9 < 2) | (y % 9 < 2)
    return Image.fromarray(np.where(lines[..., None], style.halo, style.colour).astype(np.uint8))
