"""What users hold: one frozen class for each task; everything else is made when it is first used.

No JSON is read, and nothing is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfhosted.hosted import Task
from rfhosted.outputs.values import ClassMap, Ranking, Text
from rfhosted.prediction.base import Prediction
from rfhosted.prediction.classification import ClassificationPrediction
from rfhosted.prediction.objects import (
    DetectionPrediction,
    InstancePrediction,
    KeypointPrediction,
)
from rfhosted.prediction.semantic import SemanticPrediction
from rfhosted.prediction.text import TextPrediction
from rfhosted.prediction.timing import Timing

if TYPE_CHECKING:
    from rfhosted.outputs.values import Output

__all__ = [
    "ClassificationPrediction",
    "DetectionPrediction",
    "InstancePrediction",
    "KeypointPrediction",
    "Prediction",
    "SemanticPrediction",
    "TextPrediction",
    "Timing",
    "prediction_of",
]


def prediction_of(task: Task, output: Output, shared: dict[str, Any]) -> Prediction:
    """The prediction of a task.

    Args:
        task: What the model output.
        output: It.
        shared: The fields that every prediction has.
    """
    if isinstance(output, ClassMap):
        names = tuple(name for _, name in sorted(output.names.items()))
        return SemanticPrediction(**shared, segmentation=output, classes=names)
    if isinstance(output, Ranking):
        best = tuple(score.class_name for score in output.ranked[:1])
        present = output.predicted_classes
        by_id = sorted(output.ranked, key=lambda score: score.class_id)
        return ClassificationPrediction(
            **shared,
            # A multi-label response has every class, another only those above its threshold.
            classes=None if present is None else tuple(score.class_name for score in by_id),
            scores=output.ranked,
            predicted_classes=best if present is None else present,
            multi_label=present is not None,
            similarity=output.similarity,
        )
    if isinstance(output, Text):
        found = output.detections
        return TextPrediction(**shared, text=output.text, objects=found, unfiltered=found)
    kinds = {
        Task.OBJECT_DETECTION: DetectionPrediction,
        Task.INSTANCE_SEGMENTATION: InstancePrediction,
        Task.KEYPOINT_DETECTION: KeypointPrediction,
    }
    return kinds[task](**shared, objects=output, unfiltered=output)
