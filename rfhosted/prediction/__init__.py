"""What came back, understood: one frozen class a task, with everything else made when asked for."""

from rfhosted.prediction.base import Prediction, Timing, check_fraction
from rfhosted.prediction.classification import ClassificationPrediction
from rfhosted.prediction.objects import (
    DetectionPrediction,
    InstancePrediction,
    KeypointPrediction,
)
from rfhosted.prediction.semantic import SemanticPrediction

__all__ = [
    "ClassificationPrediction",
    "DetectionPrediction",
    "InstancePrediction",
    "KeypointPrediction",
    "Prediction",
    "SemanticPrediction",
    "Timing",
    "check_fraction",
]
