"""The five local models as responses have them: thresholds, names, boxes, masks, keypoints."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from rfhosted.hosted import COCO_KEY_POINTS, DEFAULT_CONFIDENCE, LOCAL_MODELS, Task
from rfhosted.local import onnx_models

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from rfhosted.local.parameters import Parameters
    from rfhosted.local.request_image import DecodedImage

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
#: The keypoint model's own threshold; keypoints below are left out.
_LOWEST_KEYPOINT = 0.3
#: What classifiers take for "best" and "default".
_CLASSIFICATION_CONFIDENCE = 0.5
#: Share of its box below which a mask from the class map counts as a miss.
_LOWEST_COVER = 0.15
_MOST_CANDIDATES = 1000
#: Detections of one response that get a mask or keypoints, and how many of them may have a run of
#: the saliency model of their own (half a second of a processor); the others share one.
MOST_REFINED = 50
_OWN_RUNS = 5


@dataclass(frozen=True, slots=True)
class Model:
    """One local model.

    Attributes:
        task: Its task.
        files: The ONNX models that it runs, without their endings.
        infer: Image and parameters to the fields of the response that are the model's; coordinates
            are in pixels of ``DecodedImage.rgb``.
    """

    task: Task
    files: tuple[str, ...]
    infer: Callable[[DecodedImage, Parameters], dict[str, Any]]

    def load(self) -> None:
        """Load what is not loaded yet."""
        for name in self.files:
            onnx_models.session(name)


def _objects(image: DecodedImage, parameters: Parameters) -> dict[str, Any]:
    return {"predictions": [item for item, _ in detected(image.rgb, parameters)]}


def detected(
    rgb: Pixels, parameters: Parameters, only: str | None = None
) -> list[tuple[dict[str, Any], Floats]]:
    """Detections over the threshold, best first: fields of the response, and x1 y1 x2 y2."""
    names = onnx_models.labels("coco")
    boxes, scores = onnx_models.detect(rgb)
    class_ids, best = scores.argmax(axis=1), scores.max(axis=1)
    wanted = best > parameters.threshold(DEFAULT_CONFIDENCE)
    if only is not None:
        wanted &= class_ids == names.index(only)
    candidates = np.flatnonzero(wanted)
    candidates = candidates[np.argsort(-best[candidates], kind="stable")][:_MOST_CANDIDATES]
    corners = boxes[candidates]
    kept = cv2.dnn.NMSBoxesBatched(  # suppresses within each class; the result is best first
        np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).tolist(),
        best[candidates].tolist(),
        class_ids[candidates].tolist(),
        score_threshold=0.0,
        nms_threshold=parameters.iou,
    )
    # As on the real server, a negative max_detections takes from the end.
    return [
        (_item(boxes[i], names[class_ids[i]], int(class_ids[i]), float(best[i])), boxes[i])
        for i in candidates[np.asarray(kept, dtype=int)][: parameters.max_detections]
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


def _refined(predictions: list[dict[str, Any]], detected: int) -> dict[str, Any]:
    """The response's fields; a note says if detections were left out."""
    if detected <= len(predictions):
        return {"predictions": predictions}
    left_out = f"the best {len(predictions)} of {detected} detections are returned."
    return {"predictions": predictions, "note": f"The local model is limited: {left_out}"}


def _instances(image: DecodedImage, parameters: Parameters) -> dict[str, Any]:
    detections = detected(image.rgb, parameters)
    if not detections:
        return {"predictions": []}
    derived = DerivedMasks(image.rgb)
    predictions = []
    for item, box in detections[:MOST_REFINED]:
        onnx_models.check_abandoned()
        mask = derived.mask(box, item["class"])
        # Every response says that no model was trained for these masks.
        predictions.append(
            item
            | mask_fields(mask, image, parameters.response_mask_format)
            | {"mask_source": "derived"}
        )
    return _refined(predictions, len(detections))


class DerivedMasks:
    """Masks of the boxes of one image, from the class map and from salient objects."""

    def __init__(self, rgb: Pixels) -> None:
        self._rgb = rgb
        self._ids, _ = onnx_models.segment(rgb)
        self._own_runs = 0
        self._whole: Floats | None = None

    def mask(self, box: Floats, name: str) -> npt.NDArray[np.bool_]:
        """Pixels of the class in the box; if the class map misses it, the salient object there."""
        height, width = self._rgb.shape[:2]
        x1, y1 = np.floor(box[:2]).astype(int).clip(0, [width - 1, height - 1])
        x2, y2 = np.ceil(box[2:]).astype(int).clip([x1 + 1, y1 + 1], [width, height])
        mask = np.zeros((height, width), dtype=bool)
        inside = mask[y1:y2, x1:x2]
        voc = onnx_models.labels("voc")
        if (known := _VOC_NAMES.get(name, name)) in voc:
            inside[:] = self._ids[y1:y2, x1:x2] == voc.index(known)
        if inside.mean() < _LOWEST_COVER:
            inside[:] = self._salient(x1, y1, x2, y2)
        return mask

    def _salient(self, x1: int, y1: int, x2: int, y2: int) -> npt.NDArray[np.bool_]:
        self._own_runs += 1
        if self._own_runs <= _OWN_RUNS:
            right, down = int(0.08 * (x2 - x1)), int(0.08 * (y2 - y1))
            left, top = max(0, x1 - right), max(0, y1 - down)
            around = onnx_models.salient(self._rgb[top : y2 + down, left : x2 + right])
            return np.asarray(around[y1 - top : y2 - top, x1 - left : x2 - left] > 0.5)
        if self._whole is None:
            self._whole = onnx_models.salient(self._rgb)
        crop = self._whole[y1:y2, x1:x2]
        return np.asarray(crop >= (crop.min() + crop.max()) / 2)


def mask_fields(
    mask: npt.NDArray[np.bool_], image: DecodedImage, form: Literal["polygon", "rle"]
) -> dict[str, Any]:
    """A mask as a response has it, in pixels of the whole image (RLE) or of ``rgb`` (polygon)."""
    if form == "rle":
        import supervision as sv

        full = image.full_size(mask.astype(np.uint8)).astype(bool)
        counts = sv.mask_to_rle(full, compressed=True)
        return {"rle": {"size": list(full.shape), "counts": counts}, "mask_format": "rle"}
    outlines, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    largest = max(outlines, key=cv2.contourArea, default=np.zeros((0, 1, 2)))
    points = [{"x": float(x), "y": float(y)} for x, y in largest.reshape(-1, 2)]
    return {"points": points, "mask_format": "polygon"}


def _keypoints(image: DecodedImage, parameters: Parameters) -> dict[str, Any]:
    detections = detected(image.rgb, parameters, only="person")
    predictions = []
    for item, box in detections[:MOST_REFINED]:
        points = [
            {
                "x": float(x),
                "y": float(y),
                "confidence": float(score),
                "class_id": slot,
                "class": COCO_KEY_POINTS[slot],
            }
            for slot, (x, y, score) in enumerate(onnx_models.pose(image.rgb, box))
            if score >= _LOWEST_KEYPOINT
        ]
        predictions.append(item | {"keypoints": points})
    return _refined(predictions, len(detections))


def _classes(image: DecodedImage, parameters: Parameters) -> dict[str, Any]:
    lowest = parameters.threshold(_CLASSIFICATION_CONFIDENCE)
    scores = onnx_models.classify(image.rgb)
    names = onnx_models.labels("imagenet")
    ranked = [
        {"class": names[i], "class_id": int(i), "confidence": round(float(scores[i]), 4)}
        for i in np.argsort(-scores, kind="stable")
        if scores[i] >= lowest
    ]
    top = ranked[0] if ranked else {"class": "", "confidence": 0.0}
    return {"predictions": ranked, "top": top["class"], "confidence": top["confidence"]}


def _class_map(image: DecodedImage, parameters: Parameters) -> dict[str, Any]:
    ids, confidence = onnx_models.segment(image.rgb)
    unsure = confidence < parameters.threshold(DEFAULT_CONFIDENCE)
    ids[unsure], confidence[unsure] = 0, 0  # background, of which nothing is known
    return {
        "predictions": {
            "segmentation_mask": _png(image.full_size(ids)),
            "class_map": {str(i): name for i, name in enumerate(onnx_models.labels("voc"))},
            "confidence_mask": _png(image.full_size((confidence * 255).astype(np.uint8))),
            "present_class_ids": np.unique(ids).tolist(),
        }
    }


def _png(values: Pixels) -> str:
    _, encoded = cv2.imencode(".png", values)
    return base64.b64encode(encoded.tobytes()).decode("ascii")


_DETECTOR, _SEMANTIC = ("cocossd",), ("deeplab",)
MODELS: dict[str, Model] = {
    LOCAL_MODELS[model.task]: model
    for model in (
        Model(Task.OBJECT_DETECTION, _DETECTOR, _objects),
        Model(Task.CLASSIFICATION, ("efflite0",), _classes),
        Model(Task.INSTANCE_SEGMENTATION, (*_DETECTOR, *_SEMANTIC, "u2netp"), _instances),
        Model(Task.SEMANTIC_SEGMENTATION, _SEMANTIC, _class_map),
        Model(Task.KEYPOINT_DETECTION, (*_DETECTOR, "movenet"), _keypoints),
    )
}
