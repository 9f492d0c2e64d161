"""Paint an answer on a picture: supervision's annotators, at the size that is shown."""

from __future__ import annotations

import difflib
import functools
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from rfhosted import masks as mask_tools
from rfhosted.fonts import font_for
from rfhosted.palette import colour, ink

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Collection, Mapping, Sequence

    import numpy.typing as npt

    from rfhosted.answer import Found, Ranked
    from rfhosted.palette import Colour

    Pixels = npt.NDArray[np.uint8]

LAYERS = ("masks", "polygons", "boxes", "keypoints")
_OPACITY = 0.45
#: Objects from which on labels leave the percentage out, and shrink.
_CROWD = 25
_PANEL, _PANEL_INK, _BAR_BED = (255, 255, 255), (32, 32, 32), (230, 230, 230)
#: The COCO person skeleton: pairs of key-point slots that a line joins.
_COCO_EDGES = (
    *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8)),
    *((7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
)


@functools.cache
def load_supervision() -> types.ModuleType:
    """supervision, which takes a second to import: only when something is drawn or asked for."""
    with warnings.catch_warnings():
        # It advises to install OpenCV where that is broken; the README says what to do then.
        warnings.simplefilter("ignore", UserWarning)
        import supervision

    return supervision


def draw_found(
    image: Image.Image,
    found: Sequence[Found],
    picture: tuple[int, int],
    *,
    layers: Collection[str] | None = None,
    labels: bool = True,
    confidences: bool = True,
    line_width: int | None = None,
) -> Image.Image:
    """Objects on a picture.

    Args:
        image: PIL RGB of the size to draw at.
        found: The objects, in pixels of the original.
        picture: (width, height) of the original.
        layers: Any of ``LAYERS``; None for what the objects have.
        labels: Whether class names are written.
        confidences: Whether percentages are written too; a crowd goes without.
        line_width: Pixels of ``image``; None follows its size.

    Raises:
        ValueError: There is no such layer.
    """
    chosen = _default_layers(found) if layers is None else _checked(layers)
    width = line_width or max(1, round(max(image.size) / 300))
    shown = sorted(found, key=lambda item: -_area(item))  # the small ones on top
    if not shown:
        return image.copy()
    scene: Pixels = np.array(image)[:, :, ::-1].copy()  # supervision paints BGR
    painter = _Painter(shown, picture, image.size, width)
    for layer in LAYERS:
        if layer in chosen:
            scene = getattr(painter, layer)(scene)
    drawn = Image.fromarray(np.ascontiguousarray(scene[:, :, ::-1]))
    if labels:
        _write_labels(drawn, shown, painter.boxes_xyxy, confidences=confidences, line=width)
    return drawn


def _default_layers(found: Sequence[Found]) -> set[str]:
    layers = {"boxes"}
    if any(item.mask is not None for item in found):
        layers.add("masks")
    if any(item.key_points for item in found):
        layers.add("keypoints")
    return layers


def _checked(layers: Collection[str]) -> set[str]:
    wanted = {layers} if isinstance(layers, str) else set(layers)
    for name in wanted - set(LAYERS):
        near = difflib.get_close_matches(name, LAYERS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"There is no layer {name!r}, there are {', '.join(LAYERS)}{hint}")
    return wanted


def _area(item: Found) -> float:
    x1, y1, x2, y2 = item.box
    return (x2 - x1) * (y2 - y1)


class _Painter:
    """The objects of one picture on the grid that is shown; one method a layer."""

    def __init__(
        self,
        found: Sequence[Found],
        picture: tuple[int, int],
        size: tuple[int, int],
        line: int,
    ) -> None:
        self._sv = load_supervision()
        self._found, self._picture, self._size, self._line = found, picture, size, line
        self._scale = np.array(size) / np.array(picture)
        boxes = np.array([item.box for item in found], dtype=np.float32)
        self.boxes_xyxy = boxes * np.tile(self._scale, 2).astype(np.float32)
        names = [item.class_name for item in found]
        colours = [self._sv.Color(*colour(name)) for name in names]
        self._palette = self._sv.ColorPalette(colours)
        self._lookup = np.arange(len(found))

    @functools.cached_property
    def _detections(self) -> Any:
        # A box of less than a pixel is still a pixel to see; what is far outside is cut.
        limit = np.tile(self._size, 2)
        boxes = self.boxes_xyxy.clip(-self._line, limit + self._line)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        return self._sv.Detections(xyxy=boxes, class_id=self._lookup)

    @functools.cached_property
    def _masked(self) -> Any:
        stack = mask_tools.stack(
            [item.mask for item in self._found], self._picture, self._size, dense_limit=0
        )
        whole = np.tile([0, 0, *self._size], (len(self._found), 1)).astype(np.float32)
        return self._sv.Detections(xyxy=whole, mask=stack, class_id=self._lookup)

    def masks(self, scene: Pixels) -> Pixels:
        annotator = self._sv.MaskAnnotator(color=self._palette, opacity=_OPACITY)
        painted: Pixels = annotator.annotate(scene, self._masked, self._lookup)
        return painted

    def polygons(self, scene: Pixels) -> Pixels:
        annotator = self._sv.PolygonAnnotator(color=self._palette, thickness=self._line)
        painted: Pixels = annotator.annotate(scene, self._masked, self._lookup)
        return painted

    def boxes(self, scene: Pixels) -> Pixels:
        annotator = self._sv.BoxAnnotator(color=self._palette, thickness=self._line)
        painted: Pixels = annotator.annotate(scene, self._detections, self._lookup)
        return painted

    def keypoints(self, scene: Pixels) -> Pixels:
        for item in self._found:
            if item.key_points:
                scene = self._skeleton(scene, item)
        return scene

    def _skeleton(self, scene: Pixels, item: Found) -> Pixels:
        slots = 1 + max(point.class_id for point in item.key_points)
        person = any(point.class_name == "left_shoulder" for point in item.key_points) or any(
            point.class_name == "nose" for point in item.key_points
        )
        slots = max(slots, 17) if person else slots
        xy = np.zeros((1, slots, 2), dtype=np.float32)  # (0, 0) is missing, to supervision too
        for point in item.key_points:
            xy[0, point.class_id] = np.array([point.x, point.y]) * self._scale
        points = self._sv.KeyPoints(xy=xy)
        shade = self._sv.Color(*colour(item.class_name))
        radius = self._line + 2
        if person:
            edges = [(a + 1, b + 1) for a, b in _COCO_EDGES]  # supervision counts from 1
            line = self._sv.EdgeAnnotator(color=shade, thickness=self._line + 1, edges=edges)
            scene = line.annotate(scene, points)
        rim = self._sv.VertexAnnotator(color=self._sv.Color.WHITE, radius=radius + 1)
        dot = self._sv.VertexAnnotator(color=shade, radius=radius)
        painted: Pixels = dot.annotate(rim.annotate(scene, points), points)
        return painted


def _write_labels(
    image: Image.Image,
    found: Sequence[Found],
    boxes: npt.NDArray[np.float32],
    *,
    confidences: bool,
    line: int,
) -> None:
    """Class names at the boxes, inside the picture, clear of each other where there is room.

    Not by supervision's annotators: those take one font for all labels, and leave the frame.
    """
    crowd = len(found) > _CROWD
    size = _font_size(image.size, crowd=crowd)
    pen = ImageDraw.Draw(image)
    taken: list[tuple[float, float, float, float]] = []
    # The surest label is placed first and written last.
    order = sorted(range(len(found)), key=lambda i: -found[i].confidence)
    placed: list[Callable[[], None]] = []
    for i in order:
        item = found[i]
        percent = f" {item.confidence:.0%}" if confidences and not crowd else ""
        text, font = _writable(item.class_name, f"#{item.class_id}", percent, size)
        pad = max(1, size // 5)
        width, height = font.getlength(text) + 2 * pad, size * 1.25 + pad
        spot = _free_spot(boxes[i], (width, height), image.size, taken, line)
        taken.append((*spot, spot[0] + width, spot[1] + height))
        tag = functools.partial(_tag, pen, taken[-1], text, font, colour(item.class_name))
        placed.append(tag)
    for write in reversed(placed):
        write()


def _tag(
    pen: ImageDraw.ImageDraw,
    area: tuple[float, float, float, float],
    text: str,
    font: Any,
    background: Colour,
) -> None:
    pen.rectangle(area, fill=background)
    middle = (area[1] + area[3]) / 2
    centre = (area[0] + area[2]) / 2
    pen.text((centre, middle), text, fill=ink(background), font=font, anchor="mm")


def _free_spot(
    box: npt.NDArray[np.float32],
    size: tuple[float, float],
    frame: tuple[int, int],
    taken: Sequence[tuple[float, float, float, float]],
    line: int,
) -> tuple[float, float]:
    """Left top of a label: above its box, inside it, below it; the first that covers no other."""
    x1, y1, x2, y2 = map(float, box)
    width, height = size
    half = line / 2
    wishes = (
        (x1 - half, y1 - height - half),
        (x1 - half, y1 - half),
        (x2 - width + half, y1 - height - half),
        (x1 - half, y2 + half),
        (x1 - half, y2 - height + half),
        (x2 - width + half, y2 + half),
    )
    spots = [
        (
            min(max(x, 0), max(0, frame[0] - 1 - width)),
            min(max(y, 0), max(0, frame[1] - 1 - height)),
        )
        for x, y in wishes
    ]
    for x, y in spots:
        if not any(
            x < right and left < x + width and y < bottom and top < y + height
            for left, top, right, bottom in taken
        ):
            return x, y
    return spots[0]


def _font_size(size: tuple[int, int], *, crowd: bool = False) -> int:
    """Pixels: readable on a crop of 200 pixels, on a panorama and on a photo."""
    side = math.sqrt(size[0] * size[1])
    return round(min(max(11, side / 52), 20) * (0.75 if crowd and side > 600 else 1))


def _writable(name: str, number: str, rest: str, size: int) -> tuple[str, Any]:
    """The text and its font; the class's number where no font here has the name's letters."""
    short = name if len(name) <= 28 else name[:27] + "…"
    font = font_for(short + rest, size)
    return (short + rest, font) if font else (number + rest, font_for("#", size))


def draw_regions(
    image: Image.Image,
    class_ids: npt.NDArray[np.uint8],
    names: Mapping[int, str],
    background: int | None,
    *,
    labels: bool = True,
) -> Image.Image:
    """Classes painted over a picture, and a legend below it with each one's share.

    Args:
        image: PIL RGB of the size to draw at.
        class_ids: uint8 (height, width) of that size; ids that have no name are void.
        names: Class names by id.
        background: The id that is not painted.
        labels: Whether there is a legend.
    """
    sv = load_supervision()
    counts = np.bincount(class_ids.ravel(), minlength=256)
    shown = [i for i in np.argsort(-counts, kind="stable") if counts[i] and i in names]
    shown = [int(i) for i in shown if i != background]
    entries = [(names[i], f"#{i}", f"{counts[i] / class_ids.size:.0%}") for i in shown]
    if shown:
        colours = [sv.Color(*colour(names[i])) for i in shown]
        scene: Pixels = np.array(image)[:, :, ::-1].copy()
        stack = np.array([class_ids == i for i in shown])
        painted = sv.MaskAnnotator(color=sv.ColorPalette(colours), opacity=_OPACITY + 0.1).annotate(
            scene,
            sv.Detections(xyxy=sv.mask_to_xyxy(stack).astype(np.float32), mask=stack),
            np.arange(len(shown)),
        )
        image = Image.fromarray(np.ascontiguousarray(painted[:, :, ::-1]))
    return _with_legend(image, entries) if labels and entries else image.copy()


def _with_legend(image: Image.Image, entries: Sequence[tuple[str, str, str]]) -> Image.Image:
    size = _font_size(image.size)
    step, gap = round(size * 1.7), size
    x, y = gap // 2, 0
    places = []
    for name, number, share in entries:
        text, font = _writable(name, number, f" {share}", size)
        width = round(size * 1.4 + font.getlength(text)) + gap
        if x > gap and x + width > image.width:
            x, y = gap // 2, y + step
        places.append((x, y, text, font, name))
        x += width
    strip = _extended(image, y + step + gap // 2)
    pen = ImageDraw.Draw(strip)
    for left, top, text, font, name in places:
        middle = image.height + gap // 4 + top + step / 2
        pen.rectangle(
            (left, middle - size / 2, left + size, middle + size / 2),
            fill=colour(name),
            outline=_PANEL_INK,
        )
        pen.text((left + size * 1.4, middle), text, fill=_PANEL_INK, font=font, anchor="lm")
    return strip


def draw_ranked(image: Image.Image, ranked: Sequence[Ranked], *, top: int = 5) -> Image.Image:
    """A picture with its best classes as bars below it, never over the subject.

    Args:
        image: PIL RGB.
        ranked: Classes, best first.
        top: How many to show.
    """
    shown = ranked[:top]
    if not shown:
        return image.copy()
    size = _font_size(image.size)
    row, pad = round(size * 1.8), size // 2
    lines = [_writable(e.class_name, f"#{e.class_id}", "", size) for e in shown]
    wide = max(image.width, size * 18)
    names = min(max(font.getlength(text) for text, font in lines) + pad, wide * 0.55)
    percent = size * 3.2
    panel = _extended(image, row * len(shown) + pad, wide)
    pen = ImageDraw.Draw(panel)
    length = wide - names - percent - 2 * pad
    for i, (entry, (name, font)) in enumerate(zip(shown, lines, strict=True)):
        text = _cut(name, font, names)
        middle = image.height + pad / 2 + row * (i + 0.5)
        left = pad + names
        pen.text((pad, middle), text, fill=_PANEL_INK, font=font, anchor="lm")
        bed = (left, middle - size / 2, left + length, middle + size / 2)
        pen.rectangle(bed, fill=_BAR_BED)
        pen.rectangle(
            (*bed[:2], left + max(1, length * entry.confidence), bed[3]),
            fill=colour(entry.class_name),
        )
        pen.text(
            (wide - pad, middle),
            f"{entry.confidence:.0%}",
            fill=_PANEL_INK,
            font=font_for("%", size),
            anchor="rm",
        )
    return panel


def _cut(text: str, font: Any, width: float) -> str:
    """The text, shortened until it is no wider than ``width`` pixels."""
    while font.getlength(text) > width and len(text) > 2:
        text = text[:-2] + "…"
    return text


def _extended(image: Image.Image, below: int, width: int | None = None) -> Image.Image:
    """The picture on a panel that has more room below it, and is as wide as asked."""
    panel = Image.new("RGB", (max(image.width, width or 0), image.height + below), _PANEL)
    panel.paste(image, ((panel.width - image.width) // 2, 0))
    return panel
