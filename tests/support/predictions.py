"""Predictions of every task, made without a client."""

from __future__ import annotations

import numpy as np
from PIL import Image

import rfhosted
from rfhosted import Task
from rfhosted.images.sources import load
from rfhosted.images.upload import Upload
from rfhosted.outputs.values import ClassMap, ClassScore, Detection
from rfhosted.prediction import (
    ClassificationPrediction,
    DetectionPrediction,
    InstancePrediction,
    KeypointPrediction,
    SemanticPrediction,
    Timing,
)

KINDS = {
    Task.OBJECT_DETECTION: DetectionPrediction,
    Task.INSTANCE_SEGMENTATION: InstancePrediction,
    Task.KEYPOINT_DETECTION: KeypointPrediction,
    Task.SEMANTIC_SEGMENTATION: SemanticPrediction,
    Task.CLASSIFICATION: ClassificationPrediction,
}


def prediction(task=Task.OBJECT_DETECTION, size=(100, 80), **fields):
    shared = {
        "source_image": load(Image.new("RGB", size, (90, 90, 90))),
        "task": task,
        "model": "some/1",
        "api_version": rfhosted.ApiVersion.V2,
        "raw": {"predictions": []},
        "upload": Upload(size, 1234, "JPEG", 85, ""),
        "timing": Timing(prepare=0.001, e2e=0.25, exec=0.125, parse=0.001),
        "confidence": 0.4,
        "host": "local",
    }
    return KINDS[task](**shared | fields)


def thing(name="dog", box=(0, 0, 10, 10), confidence=0.9, **more):
    return Detection(name, more.pop("class_id", 0), confidence, tuple(map(float, box)), **more)


def objects(*found, task=Task.OBJECT_DETECTION, **fields):
    return prediction(task, objects=found, unfiltered=found, **fields)


def ranking(*entries, multi=None, **fields):
    scores = tuple(ClassScore(name, i, score) for i, (name, score) in enumerate(entries))
    present = scores[:1] if multi is None else [s for s in scores if s.class_name in multi]
    return prediction(
        Task.CLASSIFICATION,
        scores=scores,
        predicted_classes=tuple(s.class_name for s in present),
        multi_label=multi is not None,
        **fields,
    )


def class_map(ids, names, background=0, **fields):
    segmentation = ClassMap(np.array(ids, np.uint8), None, names, background)
    return prediction(Task.SEMANTIC_SEGMENTATION, segmentation=segmentation, **fields)
