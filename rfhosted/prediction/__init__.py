"""What came back, understood: one frozen class a task, with everything else made when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfhosted.hosted import Task
from rfhosted.outputs.values import ClassMap, Ranking
from rfhosted.prediction.base import Prediction
from rfhosted.prediction.classification import ClassificationPrediction
from rfhosted.prediction.objects import (
    DetectionPrediction,
    InstancePrediction,
    KeypointPrediction,
)
from rfhosted.prediction.semantic import SemanticPrediction
from rfhosted.prediction.timing import Timing

if TYPE_CHECKING:
    from rfhosted.outputs.values import Answer

__all__ = [
    "ClassificationPrediction",
    "DetectionPrediction",
    "InstancePrediction",
    "KeypointPrediction",
    "Prediction",
    "SemanticPrediction",
    "Timing",
    "prediction_of",
]


def prediction_of(task: Task, answer: Answer, shared: dict[str, Any]) -> Prediction:
    """The prediction of a task.

    Args:
        task: What was answered.
        answer: The parsed answer.
        shared: The fields that every prediction has.
    """
    if isinstance(answer, ClassMap):
        return SemanticPrediction(**shared, segmentation=answer)
    if isinstance(answer, Ranking):
        best = tuple(entry.class_name for entry in answer.ranked[:1])
        present = answer.predicted_classes
        return ClassificationPrediction(
            **shared,
            scores=answer.ranked,
            predicted_classes=best if present is None else present,
            multi_label=present is not None,
        )
    kinds = {
        Task.OBJECT_DETECTION: DetectionPrediction,
        Task.INSTANCE_SEGMENTATION: InstancePrediction,
        Task.KEYPOINT_DETECTION: KeypointPrediction,
    }
    return kinds[task](**shared, objects=answer)
