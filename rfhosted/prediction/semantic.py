"""Predictions that give every pixel a class."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from rfhosted.display.units import counted, percent
from rfhosted.outputs import masks
from rfhosted.outputs.text import short_name
from rfhosted.prediction.base import DISPLAY_SIZE, Prediction

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import supervision as sv
    from PIL import Image

    from rfhosted.display.tables import Row
    from rfhosted.outputs.values import ClassMap

_BLOCK = 4_000_000  # pixels that are counted at once


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SemanticPrediction(Prediction):
    """Semantic segmentation: a class for every pixel.

    Attributes:
        segmentation: The class map of the response, without what was filtered out.
    """

    segmentation: ClassMap

    @property
    def class_map(self) -> dict[int, str]:
        """Class names by id, background included. Other ids in ``class_ids`` are void."""
        return dict(self.segmentation.names)

    @functools.cached_property
    def class_ids(self) -> npt.NDArray[np.uint8]:
        """uint8 of shape (height, width) of ``image``: the class id of every pixel."""
        return masks.resized_ids(self.segmentation.class_ids, self.source_image.size)

    @property
    def has_confidences(self) -> bool:
        """Whether the response has a confidence for each pixel; those of v1 have not."""
        return self.segmentation.confidence is not None

    @functools.cached_property
    def _shares(self) -> list[Row]:
        """One row for each class, largest first, of the pixels of the response."""
        import numpy as np

        segmentation = self.segmentation
        counts, sums = np.zeros(256, dtype=np.int64), np.zeros(256)
        for start in range(0, segmentation.class_ids.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            ids = segmentation.class_ids.ravel()[block]
            counts += np.bincount(ids, minlength=256)
            if segmentation.confidence is not None:
                weights = segmentation.confidence.ravel()[block]
                sums += np.bincount(ids, weights=weights, minlength=256)
        rows: list[Row] = [
            {
                "class_name": name,
                "class_id": i,
                "confidence": float(sums[i] / counts[i]) / 255 if self.has_confidences else None,
                "share": float(counts[i] / segmentation.class_ids.size),
            }
            for i, name in segmentation.names.items()
            if counts[i] and i != segmentation.background
        ]
        return sorted(rows, key=lambda row: -float(row["share"]))

    @functools.cached_property
    def detections(self) -> sv.Detections:
        """One row for each class present: mask, bounds, mean confidence of its pixels.

        The masks are an array, or a ``supervision.CompactMask`` where that would be too large.
        """
        import numpy as np

        from rfhosted.display.annotate import load_supervision

        supervision = load_supervision()
        rows = self._shares
        # From the smaller of the two grids: that is faster.
        ids = min(self.segmentation.class_ids, self.class_ids, key=lambda ids: ids.size)
        stacked = masks.stack_classes(
            ids, [row["class_id"] for row in rows], self.source_image.size
        )
        confidences = [row["confidence"] for row in rows]
        found: sv.Detections = supervision.Detections(
            xyxy=masks.boxes(stacked),
            mask=stacked,
            confidence=np.array(confidences, dtype=np.float32) if self.has_confidences else None,
            class_id=np.array([row["class_id"] for row in rows], dtype=int),
            data={"class_name": np.array([row["class_name"] for row in rows], dtype=str)},
        )
        return found

    def _keep(
        self, confidence: float, names: set[str] | None, keypoint_confidence: float | None
    ) -> Self:
        import numpy as np

        del keypoint_confidence  # a class map has none
        segmentation = self.segmentation
        keep = np.ones(segmentation.class_ids.shape, dtype=bool)
        if names is not None:
            keep = np.isin(
                segmentation.class_ids,
                [k for k, name in segmentation.names.items() if name in names],
            )
        if segmentation.confidence is not None:
            keep &= segmentation.confidence >= confidence * 255
        # The rest becomes background, as on the server; void where the model has none.
        void = segmentation.background
        if void is None:
            void = next((i for i in range(255, -1, -1) if i not in segmentation.names), 255)
        left = np.where(keep, segmentation.class_ids, np.uint8(void))
        return replace(self, segmentation=replace(segmentation, class_ids=left))

    def __len__(self) -> int:
        return len(self._shares)

    def rows(self) -> list[Row]:
        """One dict for each class present, background apart, with its share of the image."""
        return [dict(row) for row in self._shares]

    def _example_row(self) -> Row:
        return {"class_name": "", "class_id": 0, "confidence": 0.0, "share": 0.0}

    def draw(self, *, max_side: int = DISPLAY_SIZE, labels: bool = True) -> Image.Image:
        """The image with its classes painted over it and a legend: PIL RGB.

        Args:
            max_side: Longest side of the image in it, in pixels.
            labels: Whether there is a legend.
        """
        from rfhosted.display import annotate

        image = self._display(max_side)
        ids = masks.resized_ids(self.segmentation.class_ids, image.size)
        return annotate.draw_class_map(
            image, ids, self.segmentation.names, self.segmentation.background, labels=labels
        )

    def summary(self) -> str:  # noqa: D102 - inherited
        rows = self._shares
        if not rows:
            return self._nothing("nothing but background")
        named = [f"{short_name(row['class_name'])} {percent(row['share'])}" for row in rows[:5]]
        more = ["…"] if len(rows) > 5 else []
        return f"{counted(len(rows), 'class', 'classes')}: {', '.join(named + more)} of the pixels"
