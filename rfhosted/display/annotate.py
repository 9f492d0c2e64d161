"""Predictions drawn on an image: supervision's annotators, at the size that is shown."""

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
from rfhosted.display.units import counted, percent, score_text
from rfhosted.hosted import COCO_KEY_POINTS
from rfhosted.outputs import masks as mask_tools
from rfhosted.outputs.limits import MOST_DRAWN_KEYPOINTS, MOST_DRAWN_OBJECTS
from rfhosted.outputs.values import check_whole

if TYPE_CHECKING:
    import types
    from collections.abc import Collection, Mapping, Sequence

    import numpy.typing as npt

    from rfhosted.display.palette import Colour
    from rfhosted.outputs.values import Box, ClassScore, Detection, KeyPoint

    Pixels = npt.NDArray[np.uint8]

LAYERS = ("masks", "polygons", "boxes", "keypoints")
_OPACITY = 0.45
_WHITE = (255, 255, 255)
PANEL_INK, BAR_BED = (32, 32, 32), (230, 230, 230)
#: Pixels from the image beyond which OpenCV fails; a line that comes from there looks the same.
_FARTHEST = 1e6
_WIDEST_LINE, _MOST_BARS = 1_000, 1_000


@functools.cache
def load_supervision() -> types.ModuleType:
    """Import supervision, which takes a second: only when something is drawn or converted."""
    with warnings.catch_warnings():
        # It advises to install OpenCV where that is broken; the README says what to do then.
        warnings.filterwarnings("ignore", message=".*OpenCV", category=UserWarning)
        import supervision

    return supervision


def draw_objects(
    image: Image.Image,
    objects: Sequence[Detection],
    original: tuple[int, int],
    *,
    layers: Collection[str] | str | None = None,
    labels: bool = True,
    confidences: bool = True,
    line_width: int | None = None,
) -> Image.Image:
    """Draw objects, in pixels of the original image of that size; arguments as ``draw`` has them.

    Above a limit only those of the highest confidence are drawn, see ``omissions``.
    """
    chosen = _default_layers(objects) if layers is None else _checked_layers(layers)
    if line_width is not None:
        check_whole("line_width", line_width, "pixels", most=_WIDEST_LINE)
    _check_flags(labels=labels, confidences=confidences)
    if not objects:
        return image.copy()
    width = int(line_width or 0) or math.ceil(
        side(image.size) / (500 if len(objects) > CROWD else 330)
    )
    shown = sorted(_drawn(objects), key=_area, reverse=True)  # small objects on top
    scene: Pixels = np.array(image)[:, :, ::-1].copy()  # supervision paints BGR
    painter = _Painter(shown, original, image.size, width)
    for layer in LAYERS:
        if layer in chosen:
            scene = getattr(painter, layer)(scene)
    drawn = Image.fromarray(np.ascontiguousarray(scene[:, :, ::-1]))
    if labels:
        write_labels(drawn, shown, painter.boxes_shown, confidences=confidences, line=width)
    return drawn


def omissions(objects: Sequence[Detection]) -> list[str]:
    """Notes on what ``draw_objects`` leaves out, if anything."""
    notes = []
    if len(objects) > MOST_DRAWN_OBJECTS:
        notes.append(
            f"The image shows the {MOST_DRAWN_OBJECTS:,} objects of the highest confidence, of"
            f" {len(objects):,}."
        )
    points = sum(len(item.key_points) for item in _drawn(objects))
    if points > MOST_DRAWN_KEYPOINTS:
        notes.append(f"The image shows {MOST_DRAWN_KEYPOINTS:,} of {counted(points, 'keypoint')}.")
    return notes


def _drawn(objects: Sequence[Detection]) -> Sequence[Detection]:
    if len(objects) <= MOST_DRAWN_OBJECTS:
        return objects
    return sorted(objects, key=lambda item: -item.certainty)[:MOST_DRAWN_OBJECTS]


def _default_layers(objects: Sequence[Detection]) -> set[str]:
    layers = {"boxes"}
    if any(item.mask is not None for item in objects):
        layers.add("masks")
    if any(item.key_points for item in objects):
        layers.add("keypoints")
    return layers


def _checked_layers(layers: Collection[str] | str) -> set[str]:
    known = ", ".join(LAYERS)
    try:
        chosen = {layers} if isinstance(layers, str) else set(layers)
    except TypeError:
        raise TypeError(f"layers is a list of names from {known}, not {layers!r}.") from None
    for name in chosen.difference(LAYERS):
        near = difflib.get_close_matches(str(name), LAYERS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"There is no layer {name!r}, only {known}{hint}")
    return chosen


def _check_flags(**flags: bool) -> None:
    for name, value in flags.items():
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{name} is True or False, not {value!r}.")


def _area(item: Detection) -> float:
    x1, y1, x2, y2 = item.box
    return (x2 - x1) * (y2 - y1)


def shown_boxes(
    boxes: Sequence[Box], original: tuple[int, int], size: tuple[int, int], line: int
) -> npt.NDArray[np.float32]:
    """Corners on the image that is shown, float32 (n, 4).

    Boxes over the edge are closed there, tiny ones stay visible.

    Args:
        boxes: (x1, y1, x2, y2) in pixels of the original.
        original: (width, height) of the original.
        size: (width, height) of the image that is shown.
        line: Width of the line in pixels of that image.
    """
    scale = np.array(size) / np.array(original)
    corners = np.array(boxes, dtype=float).reshape(-1, 4) * np.tile(scale, 2)
    least, limit = 2 * line, np.array(size) - 1
    corners = corners.clip(0, np.tile(limit, 2))
    corners[:, :2] = np.minimum(corners[:, :2], (limit - least).clip(0))
    corners[:, 2:] = np.maximum(corners[:, 2:], corners[:, :2] + least)
    return np.asarray(corners, dtype=np.float32)


@functools.cache
def _coco_edges() -> list[tuple[str, str]]:
    """The lines of the COCO person skeleton, as pairs of keypoint names."""
    from supervision.key_points.skeletons import Skeleton

    return [(COCO_KEY_POINTS[a - 1], COCO_KEY_POINTS[b - 1]) for a, b in Skeleton.COCO.value]


class _Painter:
    """The objects of one image on the grid that is shown; one method for each layer."""

    def __init__(
        self,
        objects: Sequence[Detection],
        original: tuple[int, int],
        size: tuple[int, int],
        line: int,
    ) -> None:
        self._sv = load_supervision()
        self._objects, self._original, self._size, self._line = objects, original, size, line
        self._scale = np.array(size) / np.array(original)
        colours = [self._sv.Color(*colour(item.class_name)) for item in objects]
        self._palette = self._sv.ColorPalette(colours)

    @functools.cached_property
    def boxes_shown(self) -> npt.NDArray[np.float32]:
        """Corners, float32 (n, 4): boxes over the edge are closed there, tiny ones stay visible."""
        boxes = [item.box for item in self._objects]
        return shown_boxes(boxes, self._original, self._size, self._line)

    @functools.cached_property
    def _masked(self) -> Any:
        masks = [item.mask for item in self._objects]
        stack = mask_tools.stack(masks, self._original, self._size, dense_limit=0)
        whole = np.tile([0, 0, *self._size], (len(masks), 1)).astype(np.float32)
        return self._sv.Detections(xyxy=whole, mask=stack)

    def masks(self, scene: Pixels) -> Pixels:
        return self._painted(scene, self._sv.MaskAnnotator, self._masked, opacity=_OPACITY)

    def polygons(self, scene: Pixels) -> Pixels:
        return self._painted(scene, self._sv.PolygonAnnotator, self._masked, thickness=self._line)

    def boxes(self, scene: Pixels) -> Pixels:
        boxes = self._sv.Detections(xyxy=self.boxes_shown)
        return self._painted(scene, self._sv.BoxAnnotator, boxes, thickness=self._line)

    def _painted(self, scene: Pixels, annotator: Any, detections: Any, **options: float) -> Pixels:
        """The scene painted by an annotator of supervision, each object in its own colour."""
        lookup = np.arange(len(self._objects))
        painter = annotator(color=self._palette, **options)
        return np.asarray(painter.annotate(scene, detections, lookup), dtype=np.uint8)

    def keypoints(self, scene: Pixels) -> Pixels:
        """Skeletons, class by class; by OpenCV, because supervision takes five times as long."""
        classes: dict[str, list[Sequence[KeyPoint]]] = {}
        room = MOST_DRAWN_KEYPOINTS
        for item in self._objects:
            classes.setdefault(item.class_name, []).append(item.key_points[:room])
            room -= min(room, len(item.key_points))
        for name, skeletons in classes.items():
            self._skeletons(scene, skeletons, colour(name)[::-1])
        return scene

    def _skeletons(
        self, scene: Pixels, skeletons: Sequence[Sequence[KeyPoint]], bgr: Colour
    ) -> None:
        import cv2

        width = self._line if len(self._objects) > CROWD else self._line + 1
        for skeleton in skeletons:
            lines = list(self._lines(skeleton))
            cv2.polylines(scene, lines, isClosed=False, color=bgr, thickness=width)
        points = self._on_grid([point for skeleton in skeletons for point in skeleton])
        radius = width + 1
        near = np.all((points >= -radius - 1) & (points <= np.array(self._size) + radius), axis=1)
        centres = points[near & points.any(axis=1)].tolist()
        for grown, fill in ((radius + 1, _WHITE), (radius, bgr)):
            for centre in centres:
                cv2.circle(scene, centre, grown, fill, thickness=-1)

    def _lines(self, skeleton: Sequence[KeyPoint]) -> npt.NDArray[np.int32]:
        """The lines of a person, int32 (n, 2, 2); other keypoints have no known skeleton."""
        names = [point.class_name for point in skeleton]
        edges = _coco_edges() if set(COCO_KEY_POINTS).issuperset(names) else []
        places = zip(names, self._on_grid(skeleton).tolist(), strict=True)
        present = {name: place for name, place in places if any(place)}
        lines = [(present[a], present[b]) for a, b in edges if a in present and b in present]
        return np.array(lines, dtype=np.int32).reshape(-1, 2, 2)

    def _on_grid(self, points: Sequence[KeyPoint]) -> npt.NDArray[np.int32]:
        """Pixels of the shown image, int32 (n, 2); (0, 0) is a missing point, as in supervision."""
        places = np.array([(point.x, point.y) for point in points]).reshape(-1, 2) * self._scale
        return np.asarray(places.clip(-_FARTHEST, _FARTHEST), dtype=np.int32)


def draw_class_map(
    image: Image.Image,
    class_ids: npt.NDArray[np.uint8],
    names: Mapping[int, str],
    background: int | None,
    *,
    labels: bool = True,
) -> Image.Image:
    """Draw the classes of a class map of the image's size, and a legend below with their shares.

    Pixels of the background, and of ids without a name (void), stay as they are.
    """
    _check_flags(labels=labels)
    counts = np.bincount(class_ids.ravel(), minlength=256)
    shown = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i] and i in names]
    shown = [i for i in shown if i != background]
    if not shown:
        return image.copy()
    sv = load_supervision()
    colours = list(dict.fromkeys(colour(names[i]) for i in shown))
    # One mask for a colour, not for a class: there are a dozen colours at most.
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
    strip = extended(image, y + step + gap // 2, wide)
    pen = ImageDraw.Draw(strip)
    for left, top, text, shade in places:
        middle = image.height + gap // 4 + top + step / 2
        swatch = (left, middle - size / 2, left + size, middle + size / 2)
        pen.rectangle(swatch, fill=shade, outline=PANEL_INK)
        write(pen, left + size * 1.4, middle, text, PANEL_INK)
    return strip


def draw_scores(
    image: Image.Image, ranked: Sequence[ClassScore], *, top: int = 5, similarity: bool = False
) -> Image.Image:
    """Draw the ``top`` classes of a ranking as bars below an image, never over the subject."""
    check_whole("top", top, "classes", least=0, most=_MOST_BARS)
    shown = ranked[:top]
    if not shown:
        return image.copy()
    size = font_size(image.size)
    row, pad = round(size * 1.8), size // 2
    wide = max(image.width, size * 18)
    lines = [fitted(e.class_name, e.class_id, "", size, wide * 0.55) for e in shown]
    left = 2 * pad + max(map(width_of, lines))
    right = wide - pad - size * 3.2
    panel = extended(image, row * len(shown) + pad, wide)
    pen = ImageDraw.Draw(panel)
    for i, (entry, name) in enumerate(zip(shown, lines, strict=True)):
        middle = image.height + pad / 2 + row * (i + 0.5)
        upper, lower = middle - size / 2, middle + size / 2
        length = max(1, (right - left) * min(1, entry.confidence))
        pen.rectangle((left, upper, right, lower), fill=BAR_BED)
        pen.rectangle((left, upper, left + length, lower), fill=colour(entry.class_name))
        score = pieces_for(score_text(entry.confidence, similarity=similarity), size) or ()
        write(pen, pad, middle, name, PANEL_INK)
        write(pen, wide - pad - width_of(score), middle, score, PANEL_INK)
    return panel


def extended(image: Image.Image, below: int, width: int) -> Image.Image:
    """The image on a white panel of at least that width, with more room below it."""
    panel = Image.new("RGB", (max(image.width, width), image.height + below), _WHITE)
    panel.paste(image, ((panel.width - image.width) // 2, 0))
    return panel
