"""Boxes that people drew, as a prediction: to compare with what a model output."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from rfhosted.hosted import ApiVersion, Task
from rfhosted.images.upload import Upload
from rfhosted.outputs.values import check_fraction
from rfhosted.prediction.objects import DetectionPrediction
from rfhosted.prediction.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Collection

    import supervision as sv
    from PIL import Image

    from rfhosted.display.tables import Row
    from rfhosted.images.sources import SourceImage
    from rfhosted.outputs.values import Detection

_NAME = "ground truth"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class GroundTruth(DetectionPrediction):
    """The objects that are in an image, as people labelled them. No model was involved.

    It has what a prediction of object detection has, apart from what only a request has: its
    ``timing`` is NaN, its ``upload`` has 0 bytes, ``model`` and ``host`` are "ground truth", and
    ``rows`` have None as confidence. A confidence threshold keeps all of it.
    """

    @classmethod
    def of(
        cls,
        image: SourceImage,
        objects: tuple[Detection, ...],
        *,
        raw: Any,
        notes: tuple[str, ...] = (),
    ) -> Self:
        """The ground truth of an image.

        Args:
            image: The image that was labelled.
            objects: Its objects; boxes in pixels of the image.
            raw: The entries of the annotation file, untouched.
            notes: What a reader should know of the labels.
        """
        return cls(
            source_image=image,
            task=Task.OBJECT_DETECTION,
            model=_NAME,
            api_version=ApiVersion.V2,  # every prediction has one; it is not shown
            raw=raw,
            upload=Upload(image.size, 0, image.format or "", None, "nothing was sent"),
            timing=Timing(prepare=math.nan, e2e=math.nan, exec=None, parse=math.nan),
            confidence=0.0,
            host=_NAME,
            notes=notes,
            objects=objects,
            unfiltered=objects,
        )

    @property
    def has_confidences(self) -> bool:
        """False: people label without confidences."""
        return False

    @functools.cached_property
    def detections(self) -> sv.Detections:
        """The boxes for supervision, without confidences."""
        found = super().detections
        found.confidence = None
        return found

    def filter(
        self,
        *,
        confidence: float | None = None,
        classes: Collection[str] | str | None = None,
        keypoint_confidence: float | None = None,
    ) -> Self:
        """The ground truth of some classes; a threshold keeps all of it. Arguments as elsewhere."""
        check_fraction("confidence", confidence)
        return super().filter(classes=classes, keypoint_confidence=keypoint_confidence)

    def _row(self, item: Detection) -> Row:
        return super()._row(item) | {"confidence": None}

    def draw(self, **options: Any) -> Image.Image:
        """The image with the labelled objects, without confidences; options as a prediction has."""
        return super().draw(**{**options, "confidences": False})

    def caption(self) -> list[str]:
        """What is in the image, and that people said so."""
        return [self.summary(), _NAME]

    def summary(self) -> str:  # noqa: D102 - inherited
        return super().summary() if self.objects else "no objects"
