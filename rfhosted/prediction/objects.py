"""Predictions of objects that have a box: object detection, instance masks, keypoints."""

from __future__ import annotations

import functools
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from rfhosted.display.units import counted
from rfhosted.hosted import COCO_KEY_POINTS
from rfhosted.outputs import masks
from rfhosted.outputs.text import short_name
from rfhosted.outputs.values import Detection, check_fraction
from rfhosted.prediction.base import DISPLAY_SIZE, Prediction

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import supervision as sv
    from PIL import Image

    from rfhosted.display.tables import Row

_NAMED = 5  # classes that a summary names


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ObjectPrediction(Prediction):
    """Boxes, and what comes with them.

    Attributes:
        objects: The detections that this prediction shows.
        unfiltered: All detections of the response.
    """

    objects: tuple[Detection, ...]
    unfiltered: tuple[Detection, ...]

    @functools.cached_property
    def detections(self) -> sv.Detections:
        """Boxes (and masks) for supervision; class names are in ``data["class_name"]``.

        ``confidence`` is None where the model reports none. The corners of turned boxes are in
        ``data["xyxyxyxy"]``: float32 (n, 4, 2), pixels of ``image``.
        """
        import numpy as np

        from rfhosted.display.annotate import load_supervision

        data: dict[str, Any] = {
            "class_name": np.array([item.class_name for item in self.objects], dtype=str)
        }
        if self.objects and all(item.corners for item in self.objects):
            data["xyxyxyxy"] = np.array([item.corners for item in self.objects], np.float32)
        found: sv.Detections = load_supervision().Detections(
            xyxy=np.array([item.box for item in self.objects], dtype=np.float32).reshape(-1, 4),
            mask=self._masks(),
            confidence=self._confidences(),
            class_id=np.array([item.class_id for item in self.objects], dtype=int),
            data=data,
        )
        return found

    def _confidences(self) -> Any:
        import numpy as np

        if not self.has_confidences:
            return None
        return np.array([item.confidence for item in self.objects], dtype=np.float32)

    @property
    def has_confidences(self) -> bool:
        """Whether a threshold can be applied: Florence-2, for example, reports no confidences."""
        if not self.unfiltered:
            return True
        return any(item.confidence is not None for item in self.unfiltered)

    def filter(  # noqa: D102 - inherited
        self,
        *,
        confidence: float | None = None,
        classes: Collection[str] | str | None = None,
        keypoint_confidence: float | None = None,
    ) -> Self:
        if confidence is not None and not self.has_confidences:
            check_fraction("confidence", confidence)
            raise ValueError(
                f"{self.model} reports no confidences, so that a filter by confidence has nothing"
                " to compare. Filter by classes: filter(classes=[…])."
            )
        return super().filter(
            confidence=confidence, classes=classes, keypoint_confidence=keypoint_confidence
        )

    @property
    def found(self) -> tuple[Detection, ...]:
        """The earlier name of ``objects``."""
        return self.objects

    def _masks(self) -> Any:
        return None

    def _keep(
        self, confidence: float, names: set[str] | None, keypoint_confidence: float | None
    ) -> Self:
        found = tuple(
            item
            for item in self.objects
            if item.certainty >= confidence and (names is None or item.class_name in names)
        )
        if keypoint_confidence is not None:
            found = tuple(_with_sure_points(item, keypoint_confidence) for item in found)
        return replace(self, objects=found)

    def __len__(self) -> int:
        return len(self.objects)

    def rows(self) -> list[Row]:
        """One dict for each object: class, confidence and box corners in pixels."""
        return [self._row(item) for item in self.objects]

    def _row(self, item: Detection) -> Row:
        return {
            "class_name": item.class_name,
            "class_id": item.class_id,
            "confidence": item.confidence,
            **dict(zip(("x1", "y1", "x2", "y2"), item.box, strict=True)),
        }

    def _example_row(self) -> Row:
        return self._row(Detection("", 0, 0.0, (0.0, 0.0, 0.0, 0.0)))

    def draw(
        self,
        *,
        max_side: int = DISPLAY_SIZE,
        layers: Collection[str] | None = None,
        labels: bool = True,
        confidences: bool = True,
        line_width: int | None = None,
    ) -> Image.Image:
        """The image with the objects on it: PIL RGB, upright.

        Args:
            max_side: Longest side in pixels; never more than the image's own.
            layers: Any of "boxes", "masks", "polygons", "keypoints"; None for what suits the task.
            labels: Whether class names are written.
            confidences: Whether the labels carry percentages.
            line_width: Pixels of the drawn image; None follows its size.
        """
        from rfhosted.display import annotate

        return annotate.draw_objects(
            self._display(max_side),
            self.objects,
            self.source_image.size,
            layers=layers,
            labels=labels,
            confidences=confidences,
            line_width=line_width,
        )

    def _notes(self) -> Sequence[str]:
        from rfhosted.display import annotate

        return [*self.notes, *annotate.omissions(self.objects)]

    def summary(self) -> str:
        """How many objects of which classes."""
        if self.objects:
            return f"{counted(len(self.objects), 'object')}: {_class_counts(self.objects)}"
        # A lower confidence would not bring back what a filter of classes left out.
        others = [item for item in self.unfiltered if item.certainty >= self.confidence]
        if others and not self.has_confidences:
            return f"no object of these classes, only {_class_counts(others)}"
        if others:
            return (
                f"no object of these classes above {self.confidence:.2f},"
                f" only {_class_counts(others)}"
            )
        if not self.confidence:
            return "no objects"
        return f"no objects above {self.confidence:.2f}; try a lower confidence"


def _class_counts(objects: Sequence[Detection]) -> str:
    """The most frequent classes and their numbers: ``2 dog, 1 cat``."""
    counts = Counter(item.class_name for item in objects).most_common(_NAMED + 1)
    named = [f"{count} {short_name(name)}" for name, count in counts[:_NAMED]]
    return ", ".join([*named, *("…" for _ in counts[_NAMED:])])


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DetectionPrediction(ObjectPrediction):
    """Object detection: boxes."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class InstancePrediction(ObjectPrediction):
    """Instance segmentation: boxes and masks."""

    def rows(self) -> list[Row]:
        """One dict for each object; sizes and places are in pixels of the original image.

        Class, confidence, box corners, ``area`` of the mask in pixels, ``share`` of the image that
        it covers (a fraction), and ``polygon``: the corners (x, y) of its largest part, without
        holes. An object without a mask has the area 0 and no corners.
        """
        return [self._whole_row(item) for item in self.objects]

    def _whole_row(self, item: Detection) -> Row:
        from rfhosted.outputs import masks

        corners = masks.outline(item.mask, self.source_image.size) if item.mask else []
        return self._row(item) | {"polygon": corners}

    def _row(self, item: Detection) -> Row:
        from rfhosted.outputs import masks

        width, height = self.source_image.size
        area = masks.area(item.mask, (width, height)) if item.mask else 0
        return super()._row(item) | {"area": area, "share": area / (width * height)}

    def _example_row(self) -> Row:
        return super()._example_row() | {"polygon": []}

    def readable_rows(self) -> list[Row]:  # noqa: D102 - inherited
        return [self._row(item) for item in self.objects]

    def _masks(self) -> Any:
        return masks.stack([item.mask for item in self.objects], self.source_image.size)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class KeypointPrediction(ObjectPrediction):
    """Keypoint detection: boxes and the points of a skeleton."""

    @functools.cached_property
    def key_points(self) -> sv.KeyPoints:
        """One row for each object, of the skeleton's size; a missing point is (0, 0), 0.0."""
        import numpy as np

        from rfhosted.display.annotate import load_supervision

        slots = self.skeleton_size
        xy = np.zeros((len(self.objects), slots, 2), dtype=np.float32)
        confidence = np.zeros((len(self.objects), slots), dtype=np.float32)
        for row, item in enumerate(self.objects):
            for point in item.key_points:
                xy[row, point.class_id] = point.x, point.y
                confidence[row, point.class_id] = point.confidence
        found: sv.KeyPoints = load_supervision().KeyPoints(
            xy=xy,
            keypoint_confidence=confidence,
            detection_confidence=self._confidences(),
            class_id=np.array([item.class_id for item in self.objects], dtype=int),
            data={"class_name": np.array([item.class_name for item in self.objects], dtype=str)},
        )
        return found

    @functools.cached_property
    def skeleton_size(self) -> int:
        """How many keypoints an object has.

        No response says so: it is COCO's 17 where all names are COCO's, else one more than the
        highest slot. A filter does not change it.
        """
        return len(self._skeleton)

    @functools.cached_property
    def _skeleton(self) -> list[str]:
        """The name of each slot; its number where the response has none."""
        points = [point for item in self.unfiltered for point in item.key_points]
        names = {point.class_id: point.class_name for point in points}
        coco = COCO_KEY_POINTS if set(names.values()) <= set(COCO_KEY_POINTS) else ()
        slots = max([len(coco), 1, *(slot + 1 for slot in names)])
        known = dict(enumerate(coco)) | names
        return [known.get(slot, str(slot)) for slot in range(slots)]

    @functools.cached_property
    def _named(self) -> list[str]:
        """The names in the skeleton, without the numbers of slots that no object uses."""
        used = {point.class_name for item in self.unfiltered for point in item.key_points}
        return [name for name in self._skeleton if name in used or name in COCO_KEY_POINTS]

    def rows(self) -> list[Row]:
        """One dict for each object, its keypoints by name: (x, y, confidence)."""
        return super().rows()

    def readable_rows(self) -> list[Row]:  # noqa: D102 - inherited
        return [
            row | {"key_points": counted(len(row["key_points"]), "keypoint")} for row in self.rows()
        ]

    def _flat(self, row: Row) -> Row:
        points = row.pop("key_points")
        missing = (math.nan,) * 3
        for name in self._named:
            row |= zip(
                (f"{name}_x", f"{name}_y", f"{name}_confidence"),
                points.get(name, missing),
                strict=True,
            )
        return row

    def _row(self, item: Detection) -> Row:
        points = {p.class_name: (p.x, p.y, p.confidence) for p in item.key_points}
        return super()._row(item) | {"key_points": points}


def _with_sure_points(item: Detection, least: float) -> Detection:
    sure = tuple(point for point in item.key_points if point.confidence >= least)
    return replace(item, key_points=sure)
