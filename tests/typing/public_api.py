"""Code as users write it. Nothing runs this file: mypy checks that the types are the right ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import numpy as np
import supervision as sv
from PIL import Image

import rfhosted
from rfhosted.prediction import (
    ClassificationPrediction,
    DetectionPrediction,
    KeypointPrediction,
    SemanticPrediction,
)


def clients() -> list[rfhosted.Client]:
    return [
        rfhosted.Client(),
        rfhosted.Client("key", api_version="v1", timeout=5, retries=0),
        rfhosted.Client(api_version=rfhosted.ApiVersion.V2, region="eu"),
        rfhosted.Client(base_url="http://localhost:9001"),
    ]


def images(client: rfhosted.Client) -> None:
    client.predict("dog.jpg")
    client.predict(Path("dog.jpg"), "my-project/3")
    client.predict(b"...", task="object-detection", image_size="original")
    client.predict(Image.new("RGB", (8, 8)), task=rfhosted.Task.CLASSIFICATION, image_size=640)
    client.predict(np.zeros((8, 8, 3), np.uint8), confidence=0.3, overlap=0.5)


def predictions() -> None:
    p = rfhosted.predict(rfhosted.sample("cat"), task="object-detection", api_version="v2")
    rfhosted.predict("dog.jpg", task="detection")  # type: ignore[arg-type]  # no such task
    rfhosted.predict("dog.jpg", size=640)  # type: ignore[call-arg]  # no such argument
    assert_type(p, rfhosted.Prediction)
    assert_type(p.filter(confidence=0.6, classes=["dog"]), rfhosted.Prediction)
    assert_type(p.rows(), list[dict[str, Any]])
    assert_type([row["class_name"] for row in p], list[Any])
    assert_type(len(p), int)
    assert_type(p.classes, tuple[str, ...] | None)
    assert_type(p.draw(max_side=400), Image.Image)
    assert_type(p.save("annotated.jpg"), Path)
    assert_type(p.timing.e2e, float)
    assert_type(p.timing.exec, float | None)
    if isinstance(p, DetectionPrediction):
        assert_type(p.detections, sv.Detections)
    if isinstance(p, KeypointPrediction):
        assert_type(p.key_points, sv.KeyPoints)
    if isinstance(p, ClassificationPrediction):
        assert_type(p.ranked, list[tuple[str, float]])
    if isinstance(p, SemanticPrediction):
        assert_type(p.class_map, dict[int, str])


def comparisons(p: rfhosted.Prediction, q: rfhosted.Prediction) -> None:
    comparison = rfhosted.compare(p, q, iou=0.5)
    assert_type(comparison, rfhosted.Comparison)
    assert_type(comparison.agreement, float)
    assert_type(comparison.draw(show="a"), Image.Image)
    truth: DetectionPrediction = rfhosted.sample_truth("boats")
    rfhosted.compare(truth, rfhosted.predict(rfhosted.sample("boats")))
    own = rfhosted.coco_truth(Path("annotations.json"), "dog.jpg", name="images/dog.jpg")
    curve = rfhosted.precision_recall_curve(own, p, iou=0.5)
    assert_type(curve, rfhosted.PrecisionRecallCurve)
    assert_type(curve.at(0.4).recall, float | None)
    assert_type(rfhosted.sweep("dog.jpg").compare(320, "original"), rfhosted.Comparison)
    sweep = rfhosted.sweep("dog.jpg", "yolov8n-640", image_sizes=[320, 640, "original"])
    assert_type(sweep, rfhosted.Sweep)


def benchmarks() -> None:
    b = rfhosted.benchmark(["yolov8n-640"], ["dog.jpg"], api_versions=("v2", "v1"), requests=20)
    assert_type(b, rfhosted.Benchmark)
    assert_type(b.save("today.json"), Path)
    assert_type(rfhosted.Benchmark.load("today.json"), rfhosted.Benchmark)


def the_explorer() -> None:
    explorer = rfhosted.explore()
    assert_type(explorer, rfhosted.Explorer)
    assert_type(explorer.result, rfhosted.Prediction | None)


def errors() -> str | None:
    try:
        rfhosted.predict("dog.jpg")
    except rfhosted.RateLimitedError as error:
        assert_type(error.status, int | None)
        return error.server_message
    except rfhosted.HostedError as error:
        return error.advice
    return rfhosted.__version__
