"""From the JSON of a response to a prediction, and everything that a user does with one."""

from __future__ import annotations

import copy
import pickle

from PIL import Image

import rfhosted
from rfhosted.endpoints.image_tasks import parse
from rfhosted.images.sources import load
from rfhosted.images.upload import Upload
from rfhosted.prediction import Prediction, Timing, prediction_of

SIZE = (300, 200)  # of the image, and of what was sent
BOX = {"x": 50, "y": 50, "width": 20, "height": 10, "confidence": 0.9, "class": "a", "class_id": 0}


def objects(*items, **more) -> dict:
    return {"image": {"width": 300, "height": 200}, "predictions": list(items)} | more


def predicted(raw, task=None, size: tuple[int, int] = SIZE) -> Prediction:
    """As ``Client.send`` makes it."""
    parsed = parse(raw, task, image_size=size, sent_size=SIZE)
    return prediction_of(
        parsed.task,
        parsed.output,
        {
            "source_image": load(Image.new("RGB", size, (90, 90, 90))),
            "task": parsed.task,
            "model": "some/1",
            "api_version": rfhosted.ApiVersion.V2,
            "raw": raw,
            "upload": Upload(SIZE, 1234, "JPEG", 85, ""),
            "timing": Timing(prepare=0.001, e2e=0.25, exec=parsed.exec, parse=0.001),
            "confidence": 0.1,
            "host": "nowhere",
            "notes": parsed.notes,
            "simulated": parsed.simulated,
        },
    )


def used(prediction: Prediction, *, copies: bool = True) -> None:
    """Do all that a notebook does; nothing may fail, or be of another size than it says."""
    assert len(repr(prediction).encode()) < 100_000
    assert len(prediction._repr_html_().encode()) < 1_000_000
    assert prediction.draw().mode == "RGB"
    table = prediction.to_pandas()
    assert len(table) == len(prediction.rows())
    if hasattr(prediction, "detections"):
        assert len(prediction.detections) == len(table)
    if hasattr(prediction, "key_points"):
        assert prediction.key_points.xy.shape[:2] == (len(table), prediction.skeleton_size)
    if hasattr(prediction, "classifications"):
        assert len(prediction.classifications) == len(table)
    if hasattr(prediction, "class_ids"):
        assert prediction.class_ids.shape == prediction.image.size[::-1]
    less = prediction.filter(confidence=0.5, keypoint_confidence=0.5)
    none = prediction.filter(classes=["no such class"])
    for filtered in (less, none):
        repr(filtered).encode()
        assert list(filtered.to_pandas().columns) == list(table.columns)
    none.draw()
    comparison = rfhosted.compare(prediction, prediction)
    assert comparison.agreement == 1
    comparison._repr_html_().encode()
    if copies:
        assert repr(pickle.loads(pickle.dumps(prediction))) == repr(prediction)
        copy.deepcopy(prediction)
