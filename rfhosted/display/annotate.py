"""Paint an answer on a picture: supervision's annotators, at the size that is shown."""

from __future__ import annotations

import difflib
import functools
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from rfhosted.display.fonts import fitted, pieces_for, width_of, write
from rfhosted.display.labels import CROWD, font_size, side, write_labels
from rfhosted.display.palette import colour
from rfhosted.display.units import percent
from rfhosted.hosted import COCO_KEY_POINTS
from rfhosted.outputs import masks as mask_tools

if TYPE_CHECKING:
    import types
    from collections.abc import Collection, Mapping, Sequence

    import numpy.typing as npt

    from rfhosted.outputs.values import ClassScore, Detection

    Pixels = npt.NDArray[np.uint8]

LAYERS = ("masks", "polygons", "boxes", "keypoints")
_OPACITY = 0.45
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
        warnings.filterwarnings("ignore", message=".*OpenCV", category=UserWarning)
        import supervision

    return supervision


def draw_objects(
    image: Image.Image,
    found: Sequence[Detection],
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
    width = line_width or math.ceil(side(image.size) / (500 if len(found) > CROWD else 330))
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
        write_labels(drawn, shown, painter.detections.xyxy, confidences=confidences, line=width)
    return drawn


def _default_layers(found: Sequence[Detection]) -> set[str]:
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


def _area(item: Detection) -> float:
    x1, y1, x2, y2 = item.box
    return (x2 - x1) * (y2 - y1)


class _Painter:
    """The objects of one picture on the grid that is shown; one method a layer."""

    def __init__(
        self,
        found: Sequence[Detection],
        picture: tuple[int, int],
        size: tuple[int, int],
        line: int,
    ) -> None:
        self._sv = load_supervision()
        self._found, self._picture, self._size, self._line = found, picture, size, line
        self._scale = np.array(size) / np.array(picture)
        boxes = np.array([item.box for item in found], dtype=np.float32)
        self._boxes = boxes * np.tile(self._scale, 2).astype(np.float32)
        names = [item.class_name for item in found]
        colours = [self._sv.Color(*colour(name)) for name in names]
        self._palette = self._sv.ColorPalette(colours)
        self._lookup = np.arange(len(found))

    @functools.cached_property
    def detections(self) -> Any:
        # A box over the edge is closed at the edge; one of a pixel is still something to see.
        least, limit = 2 * self._line, np.array(self._size) - 1
        boxes = self._boxes.clip(0, np.tile(limit, 2))
        boxes[:, :2] = np.minimum(boxes[:, :2], (limit - least).clip(0))
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + least)
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
        painted: Pixels = annotator.annotate(scene, self.detections, self._lookup)
        return painted

    def keypoints(self, scene: Pixels) -> Pixels:
        groups: dict[tuple[str, bool], list[Detection]] = {}
        for item in self._found:
            if item.key_points:
                person = all(point.class_name in COCO_KEY_POINTS for point in item.key_points)
                groups.setdefault((item.class_name, person), []).append(item)
        for (name, person), items in groups.items():
            scene = self._skeletons(scene, items, self._sv.Color(*colour(name)), person=person)
        return scene

    def _skeletons(
        self, scene: Pixels, items: list[Detection], shade: Any, *, person: bool
    ) -> Pixels:
        slots = [
            [COCO_KEY_POINTS.index(p.class_name) for p in item.key_points]
            if person
            else list(range(len(item.key_points)))
            for item in items
        ]
        # (0, 0) is missing, to supervision too.
        xy = np.zeros((len(items), 1 + max(map(max, slots)), 2), dtype=np.float32)
        if person:
            xy = np.zeros((len(items), len(COCO_KEY_POINTS), 2), dtype=np.float32)
        for row, item, places in zip(xy, items, slots, strict=True):
            row[places] = [(p.x, p.y) for p in item.key_points] * self._scale
        points = self._sv.KeyPoints(xy=xy.clip(-1e6, 1e6))  # OpenCV fails at wilder ones
        radius = self._line + 2
        if person:
            edges = [(a + 1, b + 1) for a, b in _COCO_EDGES]  # supervision counts from 1
            line = self._sv.EdgeAnnotator(color=shade, thickness=self._line + 1, edges=edges)
            scene = line.annotate(scene, points)
        rim = self._sv.VertexAnnotator(color=self._sv.Color.WHITE, radius=radius + 1)
        dot = self._sv.VertexAnnotator(color=shade, radius=radius)
        painted: Pixels = dot.annotate(rim.annotate(scene, points), points)
        return painted


def draw_class_map(
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
    counts = np.bincount(class_ids.ravel(), minlength=256)
    shown = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i] and i in names]
    shown = [i for i in shown if i != background]
    if not shown:
        return image.copy()
    sv = load_supervision()
    colours = list(dict.fromkeys(colour(names[i]) for i in shown))
    # One mask a colour, not a class: there are a dozen colours at most.
    place = np.full(256, -1, dtype=np.int16)
    place[shown] = [colours.index(colour(names[i])) for i in shown]
    stack = place[class_ids] == np.arange(len(colours), dtype=np.int16)[:, None, None]
    annotator = sv.MaskAnnotator(
        color=sv.ColorPalette([sv.Color(*shade) for shade in colours]), opacity=_OPACITY + 0.1
    )
    painted = annotator.annotate(
        np.array(image)[:, :, ::-1].copy(),
        sv.Detections(xyxy=sv.mask_to_xyxy(stack).astype(np.float32), mask=stack),
        np.arange(len(colours)),
    )
    drawn = Image.fromarray(np.ascontiguousarray(painted[:, :, ::-1]))
    shares = [(names[i], i, counts[i] / class_ids.size) for i in shown]
    return _with_legend(drawn, shares) if labels else drawn


def _with_legend(image: Image.Image, entries: Sequence[tuple[str, int, float]]) -> Image.Image:
    size = font_size(image.size)
    wide = max(image.width, size * 14)
    step, gap = round(size * 1.7), size
    x, y = gap // 2, 0
    places = []
    for name, number, share in entries:
        text = fitted(name, number, f" {percent(share)}", size, wide - size * 2.4 - gap)
        width = round(size * 1.4 + width_of(text)) + gap
        if x > gap and x + width > wide:
            x, y = gap // 2, y + step
        places.append((x, y, text, colour(name)))
        x += width
    strip = _extended(image, y + step + gap // 2, wide)
    pen = ImageDraw.Draw(strip)
    for left, top, text, shade in places:
        middle = image.height + gap // 4 + top + step / 2
        swatch = (left, middle - size / 2, left + size, middle + size / 2)
        pen.rectangle(swatch, fill=shade, outline=_PANEL_INK)
        write(pen, left + size * 1.4, middle, text, _PANEL_INK)
    return strip


def draw_scores(image: Image.Image, ranked: Sequence[ClassScore], *, top: int = 5) -> Image.Image:
    """A picture with its best classes as bars below it, never over the subject.

    Args:
        image: PIL RGB.
        ranked: Classes, best first.
        top: How many to show.
    """
    shown = ranked[:top]
    if not shown:
        return image.copy()
    size = font_size(image.size)
    row, pad = round(size * 1.8), size // 2
    wide = max(image.width, size * 18)
    lines = [fitted(e.class_name, e.class_id, "", size, wide * 0.55) for e in shown]
    left = 2 * pad + max(map(width_of, lines))
    right = wide - pad - size * 3.2
    panel = _extended(image, row * len(shown) + pad, wide)
    pen = ImageDraw.Draw(panel)
    for i, (entry, name) in enumerate(zip(shown, lines, strict=True)):
        middle = image.height + pad / 2 + row * (i + 0.5)
        upper, lower = middle - size / 2, middle + size / 2
        length = max(1, (right - left) * min(1, entry.confidence))
        pen.rectangle((left, upper, right, lower), fill=_BAR_BED)
        pen.rectangle((left, upper, left + length, lower), fill=colour(entry.class_name))
        score = pieces_for(percent(entry.confidence), size) or ()
        write(pen, pad, middle, name, _PANEL_INK)
        write(pen, wide - pad - width_of(score), middle, score, _PANEL_INK)
    return panel


def _extended(image: Image.Image, below: int, width: int) -> Image.Image:
    """The picture on a panel with more room below it, and at least so wide."""
    panel = Image.new("RGB", (max(image.width, width), image.height + below), _PANEL)
    panel.paste(image, ((panel.width - image.width) // 2, 0))
    return panel
