"""From the JSON of a response to plain values, in pixels of the original image.

Servers differ in what they leave out; x, y, width, height, confidence and class are all that is
promised of an object. Reading is permissive and never guesses; see ``response`` for the checks.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from rfhosted.endpoints import response
from rfhosted.endpoints.response import LeftOut, PartError
from rfhosted.hosted import COCO_KEY_POINTS, Task
from rfhosted.outputs import limits, masks
from rfhosted.outputs.values import (
    ClassMap,
    ClassScore,
    Detection,
    KeyPoint,
    Output,
    Polygon,
    Ranking,
    Rle,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

Kept = TypeVar("Kept")
#: Pixels of the original image to a pixel of the response, across and down.
Scale: TypeAlias = tuple[float, float]

_DERIVED = "The masks are derived from boxes and a class map, not output by a trained model."


class Reader:
    """Reads one response; what cannot be used is left out and noted.

    Args:
        raw: The JSON of the response, an object.
        image_size: (width, height) of the original, upright image.
        sent_size: (width, height) of what was sent.
    """

    def __init__(
        self, raw: dict[str, Any], image_size: tuple[int, int], sent_size: tuple[int, int]
    ) -> None:
        self._raw, self._image_size, self._sent_size = raw, image_size, sent_size
        self.left_out = LeftOut()
        pixels = (width * height for width, height in (image_size, sent_size))
        self._largest_grid = max(limits.LARGEST_OWN_GRID, *pixels)
        self._mask_cover = self._mask_pixels = self._outline_work = 0.0

    def read(self, task: Task) -> Output:
        """What the model output, in pixels of the original image.

        Raises:
            PartError: Nothing of it can be used.
        """
        if task is Task.SEMANTIC_SEGMENTATION:
            return self._class_map()
        return self._ranking() if task is Task.CLASSIFICATION else self._detections()

    def _scale(self) -> Scale:
        # The response's own size where it has one: a reduced mask grid is smaller than what was
        # sent.
        reported = self._raw.get("image")
        width, height = map(float, self._sent_size)
        if isinstance(reported, dict):
            sides = [response.finite(reported.get(side)) for side in ("width", "height")]
            if all(side and 1 <= side <= limits.LONGEST_SIDE for side in sides):
                width, height = map(float, sides)  # type: ignore[arg-type]  # just checked
        return self._image_size[0] / width, self._image_size[1] / height

    def _needed(self, items: Any, read: Callable[[Any, int], Kept], kind: str) -> list[Kept]:
        """The readable items of a list, of which at least one must be, if there are any."""
        kept = self.left_out.readable(items, read, kind, "predictions")
        if items and not kept:
            raise PartError(self.left_out.first(kind))
        return kept

    def _detections(self) -> tuple[Detection, ...]:
        items = self.left_out.some(self._raw["predictions"], limits.MOST_DETECTIONS, "object")
        objects = [item for item in items if isinstance(item, dict)]
        names = sorted({response.class_name(item) or "" for item in objects})
        places = {name: place for place, name in enumerate(names)}
        scale = self._scale()
        found = self._needed(items, lambda item, _: self._detection(item, scale, places), "object")
        if any(item.get("mask_source") == "derived" for item in objects):
            self.left_out.note(_DERIVED)
        if note := response.text(self._raw.get("note")):  # of the embedded server
            self.left_out.note(note)
        slots = 1 + max((point.class_id for item in found for point in item.key_points), default=0)
        return tuple(self.left_out.some(found, limits.MOST_SLOTS // slots, "object"))

    def _detection(self, item: Any, scale: Scale, places: dict[str, int]) -> Detection:
        x, y = (response.number(item, field) for field in ("x", "y"))
        width, height = (response.number(item, field, 0) for field in ("width", "height"))
        sx, sy = scale
        box = (
            (x - width / 2) * sx,
            (y - height / 2) * sy,
            (x + width / 2) * sx,
            (y + height / 2) * sy,
        )
        if max(map(abs, box)) > limits.FARTHEST_COORDINATE:
            raise PartError(": its box is far outside of the image")
        name, class_id = response.class_name(item), response.class_id(item)
        if class_id is None:
            # Old v1 responses have no ids: then the name's place among the sorted names.
            name, class_id = name or "(no name)", places[name or ""]
        return Detection(
            name or f"#{class_id}",
            class_id,
            response.fraction(item),
            box,
            self._mask(item, scale),
            self._key_points(item, scale),
        )

    def _mask(self, item: dict[str, Any], scale: Scale) -> Polygon | Rle | None:
        try:
            mask = self._rle(item) or self._polygon(item, scale)
        except PartError as error:
            self.left_out.add("mask", str(error))
            return None
        if mask is None:
            return None
        height, width = mask.size if isinstance(mask, Rle) else self._image_size
        cover = self._mask_cover + masks.cover(mask, self._image_size)
        area = max(height * width, self._image_size[0] * self._image_size[1])
        pixels = self._mask_pixels + (cover - self._mask_cover) * area
        if cover > limits.MOST_MASK_COVER or pixels > limits.MOST_MASK_PIXELS:
            self.left_out.note("The masks are too large together: some are left out.")
            return None
        self._mask_cover, self._mask_pixels = cover, pixels
        return mask

    def _rle(self, item: dict[str, Any]) -> Rle | None:
        run_lengths = item.get("rle") or item.get("rle_mask")
        if not run_lengths:
            return None
        if not isinstance(run_lengths, dict):
            raise PartError(f"rle is {response.shown(run_lengths)}")
        sides = run_lengths.get("size")
        if not isinstance(sides, list) or len(sides) != 2:
            raise PartError(f"rle.size is {response.shown(sides)}")
        height, width = (response.whole(side, 1, limits.LONGEST_SIDE) for side in sides)
        if height is None or width is None:
            raise PartError("rle.size holds what is not a number of pixels")
        if height * width > self._largest_grid:
            raise PartError(f"rle.size is {height} x {width}, larger than the image")
        try:
            return masks.rle((height, width), masks.decode_counts(run_lengths.get("counts")))
        except ValueError as error:
            raise PartError(str(error)) from None

    def _polygon(self, item: dict[str, Any], scale: Scale) -> Polygon | None:
        import numpy as np

        outline = item.get("points") or []
        if not isinstance(outline, list):
            raise PartError(f"points is {response.shown(outline)}")
        points = self._corners(outline) * scale
        if len(points) < 3:
            return None  # no area; supervision would drop the masks of the whole image for it
        if np.abs(points).max() > limits.FARTHEST_COORDINATE:
            raise PartError("an outline is far outside of the image")
        # What filling costs: the rows that its sides cross, squared, per row.
        crossed = np.abs(np.diff(points[:, 1], append=points[:1, 1])).sum()
        work = self._outline_work + crossed**2 / (1 + np.ptp(points[:, 1]))
        if work > limits.MOST_OUTLINE_WORK:
            raise PartError(f"an outline of {len(points):,} corners crosses itself everywhere")
        self._outline_work = work
        return Polygon(points.astype(np.float32))

    def _corners(self, outline: list[Any]) -> npt.NDArray[np.float64]:
        import numpy as np

        try:
            points = np.array([(corner["x"], corner["y"]) for corner in outline], dtype=np.float64)
        except (LookupError, TypeError, ValueError, OverflowError):
            points = np.zeros(0)
        if points.ndim == 2 and (np.abs(points) <= limits.FARTHEST_COORDINATE).all():
            return points
        one_by_one = self.left_out.readable(
            outline,
            lambda corner, _: (response.number(corner, "x"), response.number(corner, "y")),
            "outline corner",
            "points",
        )
        return np.array(one_by_one, dtype=np.float64).reshape(-1, 2)

    def _key_points(self, item: dict[str, Any], scale: Scale) -> tuple[KeyPoint, ...]:
        items = item.get("keypoints") or []
        if not isinstance(items, list):
            self.left_out.add("keypoint list", f"keypoints is {response.shown(items)}")
            return ()
        items = self.left_out.some(items, limits.MOST_KEYPOINTS, "keypoint")
        read = functools.partial(_key_point, scale=scale)
        return tuple(self.left_out.readable(items, read, "keypoint", "keypoints"))

    def _ranking(self) -> Ranking:
        found = self._raw["predictions"]
        multi_label = isinstance(found, dict)
        if multi_label:
            found = [
                score | {"class": name} if isinstance(score, dict) else score
                for name, score in found.items()
            ]
        ranked = self._needed(found, _class_score, "score")
        ranked.sort(key=lambda score: -score.confidence)
        ranked = self.left_out.some(ranked, limits.MOST_SCORES, "score")
        return Ranking(tuple(ranked), self._present(ranked) if multi_label else None)

    def _present(self, ranked: list[ClassScore]) -> tuple[str, ...]:
        """The classes that a multi-label model predicts, of those that have a score."""
        names = self._raw.get("predicted_classes")
        if not isinstance(names, list):
            return ()
        scored = {score.class_name for score in ranked}
        present = dict.fromkeys(response.text(name) for name in names)
        return tuple(name for name in present if name in scored)

    def _class_map(self) -> ClassMap:
        found = self._raw if "segmentation_mask" in self._raw else self._raw["predictions"]
        entries = found.get("class_map") if isinstance(found, dict) else None
        if not isinstance(entries, dict):
            raise PartError(f"class_map is {response.shown(entries)}")
        names = {}
        for key, name in entries.items():
            class_id = response.whole(key, 0, 255)  # a mask has a byte for each pixel
            if class_id is None:
                self.left_out.add("class map key", f"its id is {response.shown(key)}")
            else:
                names[class_id] = response.text(name) or f"#{class_id}"
        background = [key for key, name in names.items() if name.lower() == "background"]
        class_ids = response.grey_png(
            found["segmentation_mask"], "segmentation_mask", self._largest_grid
        )
        return ClassMap(
            class_ids,
            self._confidence_mask(found.get("confidence_mask"), class_ids.shape),
            names,
            background[0] if background else None,
        )

    def _confidence_mask(self, png: Any, shape: tuple[int, ...]) -> npt.NDArray[np.uint8] | None:
        if not png:
            return None
        try:
            confidence = response.grey_png(png, "confidence_mask", self._largest_grid)
        except PartError as error:
            self.left_out.add("confidence mask", str(error))
            return None
        if confidence.shape == shape:
            return confidence
        self.left_out.add("confidence mask", "it has another size than the class map")
        return None


def _key_point(item: Any, position: int, *, scale: Scale) -> KeyPoint:
    x, y = response.number(item, "x") * scale[0], response.number(item, "y") * scale[1]
    if max(abs(x), abs(y)) > limits.FARTHEST_COORDINATE:
        raise PartError(" is far outside of the image")
    name = response.class_name(item)
    slot = COCO_KEY_POINTS.index(name) if name in COCO_KEY_POINTS else position
    if item.get("class_id") is not None:
        slot = int(response.number(item, "class_id", 0, limits.MOST_KEYPOINTS - 1))
    return KeyPoint(x, y, response.fraction(item), slot, name or str(slot))


def _class_score(item: Any, position: int) -> ClassScore:
    confidence = response.fraction(item)
    name, class_id = response.class_name(item), response.class_id(item)
    if class_id is None:
        return ClassScore(name or "(no name)", position, confidence)
    return ClassScore(name or f"#{class_id}", class_id, confidence)
