"""The five models as answers have them: thresholds, names, boxes, masks, key points."""

from __future__ import annotations

import base64
import functools
import hashlib
import uuid
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from rfhosted.hosted import COCO_KEY_POINTS, DEFAULT_CONFIDENCE, LOCAL_MODELS, Task
from rfhosted.local import onnx_models
from rfhosted.local.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from rfhosted.local.parameters import Parameters

    Pixels = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.float32]

#: COCO's names for Pascal VOC's classes, where they differ.
_VOC_NAMES = {
    "airplane": "aeroplane",
    "motorcycle": "motorbike",
    "couch": "sofa",
    "potted plant": "pottedplant",
    "dining table": "diningtable",
    "tv": "tvmonitor",
}
_MASK_MODES = ("accurate", "fast", "tradeoff")
_WRONG_MASK_MODE = (
    "Invalid mask decode argument sent. tradeoff_factor must be in [0.0, 1.0], mask_decode_mode:"
    " must be one of ['accurate', 'fast', 'tradeoff']"
)
#: The key-point model's own threshold; the server leaves out what is below.
_LEAST_KEY_POINT = 0.3
#: What classifiers take for "best" and "default".
_RANKING_CONFIDENCE = 0.5
#: Share of its box below which a class-map mask is taken for a miss.
_LEAST_COVER = 0.15
_MOST_CANDIDATES = 1000


@dataclass(frozen=True, slots=True)
class Model:
    """One model of this machine.

    Attributes:
        task: What it answers.
        networks: The files that it runs, without ending.
        side: Its input's side in pixels.
        infer: RGB picture and parameters to the fields of the answer that are the model's.
    """

    task: Task
    networks: tuple[str, ...]
    side: int
    infer: Callable[[Pixels, Parameters], dict[str, Any]]

    @property
    def package_id(self) -> str:
        """A name for exactly these weights."""
        return _digest(self.networks)

    def load(self) -> None:
        """Load what is not loaded yet."""
        for name in self.networks:
            onnx_models.session(name)


@functools.cache
def _digest(names: tuple[str, ...]) -> str:
    folder = resources.files(__package__) / "weights"
    digest = hashlib.sha256()
    for name in names:
        digest.update((folder / f"{name}.onnx").read_bytes())
    return digest.hexdigest()[:32]


def _objects(rgb: Pixels, parameters: Parameters) -> dict[str, Any]:
    return {"predictions": [item for item, _ in _found(rgb, parameters)]}


def _found(
    rgb: Pixels, parameters: Parameters, only: str | None = None
) -> list[tuple[dict[str, Any], Floats]]:
    """Objects over the threshold, best first: the answer's fields and the box's corners."""
    least = DEFAULT_CONFIDENCE if parameters.confidence is None else parameters.confidence
    names = onnx_models.labels("coco")
    boxes, scores = onnx_models.detect(rgb)
    class_ids, best = scores.argmax(axis=1), scores.max(axis=1)
    wanted = best > least
    if only is not None:
        wanted &= class_ids == names.index(only)
    candidates = np.flatnonzero(wanted)
    candidates = candidates[np.argsort(-best[candidates], kind="stable")][:_MOST_CANDIDATES]
    kept = _suppress(boxes[candidates], class_ids[candidates], parameters.overlap)
    # As on the real server: a negative number takes from the end.
    return [
        (_item(boxes[i], names[class_ids[i]], int(class_ids[i]), float(best[i])), boxes[i])
        for i in candidates[kept][: parameters.max_detections]
    ]


def _item(box: Floats, name: str, class_id: int, confidence: float) -> dict[str, Any]:
    x1, y1, x2, y2 = map(float, box)
    return {
        "x": (x1 + x2) / 2,
        "y": (y1 + y2) / 2,
        "width": x2 - x1,
        "height": y2 - y1,
        "confidence": confidence,
        "class": name,
        "class_id": class_id,
        "detection_id": str(uuid.uuid4()),
    }


def _suppress(boxes: Floats, class_ids: npt.NDArray[np.intp], overlap: float) -> list[int]:
    """Non-maximum suppression within each class; boxes come best first."""
    left_top = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    right_bottom = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = (right_bottom - left_top).clip(0).prod(axis=2)
    area = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1)
    union = np.maximum(area[:, None] + area[None, :] - common, 1e-9)
    iou = np.where(class_ids[:, None] == class_ids[None, :], common / union, 0)
    left = np.ones(len(boxes), dtype=bool)
    kept = []
    for i in range(len(boxes)):
        if left[i]:
            kept.append(i)
            left &= iou[i] <= overlap
    return kept


def _instances(rgb: Pixels, parameters: Parameters) -> dict[str, Any]:
    if parameters.mask_decode_mode not in _MASK_MODES or not 0 <= parameters.tradeoff_factor <= 1:
        raise RefusedError(400, _WRONG_MASK_MODE)
    found = _found(rgb, parameters)
    ids = onnx_models.segment(rgb)[0] if found else None
    predictions = []
    for item, box in found:
        mask = _derive_mask(rgb, box, item["class"], ids)
        # Said in every answer: no network was trained for these masks.
        predictions.append(item | _mask_fields(mask, parameters) | {"mask_source": "derived"})
    return {"predictions": predictions}


def _derive_mask(rgb: Pixels, box: Floats, name: str, ids: Any) -> npt.NDArray[np.bool_]:
    """The class map's pixels in the box; where it knows no such class, the salient object there."""
    height, width = rgb.shape[:2]
    x1, y1 = np.floor(box[:2]).astype(int).clip(0, [width - 1, height - 1])
    x2, y2 = np.ceil(box[2:]).astype(int).clip([x1 + 1, y1 + 1], [width, height])
    mask = np.zeros((height, width), dtype=bool)
    voc = onnx_models.labels("voc")
    if (known := _VOC_NAMES.get(name, name)) in voc:
        mask[y1:y2, x1:x2] = ids[y1:y2, x1:x2] == voc.index(known)
    if mask[y1:y2, x1:x2].mean() < _LEAST_COVER:
        margin = (0.08 * np.array([x2 - x1, y2 - y1])).astype(int)
        left, top = (np.array([x1, y1]) - margin).clip(0)
        around = onnx_models.salient(rgb[top : y2 + margin[1], left : x2 + margin[0]])
        mask[y1:y2, x1:x2] = around[y1 - top : y2 - top, x1 - left : x2 - left]
    return mask


def _mask_fields(mask: npt.NDArray[np.bool_], parameters: Parameters) -> dict[str, Any]:
    if parameters.response_mask_format == "rle":
        counts = {"size": list(mask.shape), "counts": compress(run_lengths(mask))}
        return {"rle": counts, "mask_format": "rle"}
    outlines, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    largest = max(outlines, key=cv2.contourArea, default=np.zeros((0, 1, 2)))
    points = [{"x": float(x), "y": float(y)} for x, y in largest.reshape(-1, 2)]
    return {"points": points, "mask_format": "polygon"}


def run_lengths(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Run lengths of a mask (height, width), columns first, background first, as COCO has them."""
    flat = mask.T.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    ends = np.concatenate((changes, [flat.size]))
    starts = np.concatenate(([0], changes))
    lengths = ends - starts
    return np.concatenate(([0], lengths)) if flat[0] else lengths


def compress(counts: npt.NDArray[np.int64]) -> str:
    """COCO's text for run lengths (pycocotools, maskApi.c, rleToString)."""
    numbers = counts.copy()
    numbers[3:] -= counts[1:-2]
    text = []
    for number in numbers.tolist():
        value, more = number, True
        while more:
            group = value & 31
            value >>= 5
            more = value != (-1 if group & 16 else 0)
            text.append(chr(group + (32 if more else 0) + 48))
    return "".join(text)


def _key_points(rgb: Pixels, parameters: Parameters) -> dict[str, Any]:
    predictions = []
    for item, box in _found(rgb, parameters, only="person"):
        points = [
            {
                "x": float(x),
                "y": float(y),
                "confidence": float(score),
                "class_id": slot,
                "class": COCO_KEY_POINTS[slot],
            }
            for slot, (x, y, score) in enumerate(onnx_models.pose(rgb, box))
            if score >= _LEAST_KEY_POINT
        ]
        predictions.append(item | {"keypoints": points})
    return {"predictions": predictions}


def _ranking(rgb: Pixels, parameters: Parameters) -> dict[str, Any]:
    least = _RANKING_CONFIDENCE if parameters.confidence is None else parameters.confidence
    scores = onnx_models.classify(rgb)
    names = onnx_models.labels("imagenet")
    ranked = [
        {"class": names[i], "class_id": int(i), "confidence": round(float(scores[i]), 4)}
        for i in np.argsort(-scores, kind="stable")
        if scores[i] >= least
    ]
    top = ranked[0] if ranked else {"class": "", "confidence": 0.0}
    return {"predictions": ranked, "top": top["class"], "confidence": top["confidence"]}


def _regions(rgb: Pixels, parameters: Parameters) -> dict[str, Any]:
    least = DEFAULT_CONFIDENCE if parameters.confidence is None else parameters.confidence
    ids, sure = onnx_models.segment(rgb)
    unsure = sure < least  # becomes background, of which nothing is known
    ids[unsure], sure[unsure] = 0, 0
    return {
        "predictions": {
            "segmentation_mask": _png(ids),
            "class_map": {str(i): name for i, name in enumerate(onnx_models.labels("voc"))},
            "confidence_mask": _png(sure * 255),
            "present_class_ids": np.unique(ids).tolist(),
        }
    }


def _png(values: npt.NDArray[Any]) -> str:
    _, encoded = cv2.imencode(".png", values.astype(np.uint8))
    return base64.b64encode(encoded.tobytes()).decode("ascii")


_DETECTOR, _CLASS_MAP = ("cocossd",), ("deeplab",)
MODELS: dict[str, Model] = {
    LOCAL_MODELS[model.task]: model
    for model in (
        Model(Task.OBJECT_DETECTION, _DETECTOR, 300, _objects),
        Model(Task.CLASSIFICATION, ("efflite0",), 224, _ranking),
        Model(Task.INSTANCE_SEGMENTATION, (*_DETECTOR, *_CLASS_MAP, "u2netp"), 300, _instances),
        Model(Task.SEMANTIC_SEGMENTATION, _CLASS_MAP, 513, _regions),
        Model(Task.KEYPOINT_DETECTION, (*_DETECTOR, "movenet"), 300, _key_points),
    )
}
