"""The five ONNX models, each run as it was trained. Images are uint8 RGB (height, width, 3).

NOTICE names where they come from. A model is loaded once, when it is first used, and several
threads may run it at the same time.
"""

from __future__ import annotations

import os
import threading
from contextvars import ContextVar
from importlib import resources
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from rfhosted.local.errors import BusyError

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.float32]

_FOLDER = resources.files(__package__)
_SEMANTIC_LOGITS = "logits/semantic/BiasAdd:0"  # of deeplab, on a grid of 65 x 65
_SEMANTIC_SIDE = 513
#: COCO numbers its classes 1 to 90 and left these out.
_UNUSED_COCO_IDS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
#: Images that are so many times larger than a model's input are averaged.
_SKIPS_PIXELS = 2.5
#: Set when nobody waits for the result of this thread's work any more.
abandoned: ContextVar[threading.Event | None] = ContextVar("abandoned", default=None)
_loading = threading.Lock()
#: By process and name: the threads of a session do not exist in a forked child.
_sessions: dict[tuple[int, str], Any] = {}


def _renew_lock() -> None:
    """Replace the lock in a forked child, where nobody releases what another thread held."""
    global _loading  # noqa: PLW0603  # a fork changes what the module holds
    _loading = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def labels(name: str) -> list[str]:
    """Class names of "coco", "imagenet" or "voc", by class id."""
    text = (_FOLDER / "labels" / f"{name}.txt").read_text("utf-8")
    return text.splitlines()


def session(name: str) -> Any:
    """The model's onnxruntime session; two first requests at once load it once."""
    with _loading:
        key = os.getpid(), name
        if key not in _sessions:
            _sessions[key] = _load(name)
        return _sessions[key]


def _load(name: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    # Threads that wait by spinning take the processor from the client on the same computer.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # it would keep the 0.5 GB of u2netp's first run
    weights = (_FOLDER / "weights" / f"{name}.onnx").read_bytes()
    if name == "deeplab":
        weights += _one_more_output(_SEMANTIC_LOGITS)
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def check_abandoned() -> None:
    """End the work on a request that nobody waits for.

    Raises:
        BusyError: Nobody does.
    """
    if (event := abandoned.get()) and event.is_set():
        raise BusyError


def _run(name: str, batch: npt.NDArray[Any]) -> Any:
    model = session(name)
    check_abandoned()
    return model.run(None, {model.get_inputs()[0].name: batch})


def _one_more_output(tensor: str) -> bytes:
    """Bytes that make a model output an inner tensor too: ModelProto{graph{output{name}}}.

    Protocol buffers merge what is appended into what is there, so that the file stays as it came.
    """
    encoded = tensor.encode()
    for tag in (b"\x0a", b"\x62", b"\x3a"):  # ValueInfoProto.name, GraphProto.output, .graph
        encoded = tag + bytes([len(encoded)]) + encoded
    return encoded


def _shrunk(rgb: Pixels, size: tuple[int, int], interpolation: int = cv2.INTER_LINEAR) -> Pixels:
    """An image of (width, height) for a model, scaled as in training where that skips no pixels.

    From large images the usual interpolations read a few pixels and skip the others: their grain
    would decide what is detected, and the same photo in two sizes would give two results.
    """
    if min(rgb.shape[1] / size[0], rgb.shape[0] / size[1]) > _SKIPS_PIXELS:
        interpolation = cv2.INTER_AREA
    return np.asarray(cv2.resize(rgb, size, interpolation=interpolation), np.uint8)


def detect(rgb: Pixels) -> tuple[Floats, Floats]:
    """SSDLite MobileNetV2 on COCO, before any threshold.

    Returns:
        Boxes (n, 4), x1 y1 x2 y2 in pixels of the image, and scores (n, 80).
    """
    height, width = rgb.shape[:2]
    batch = _shrunk(rgb, (300, 300)).astype(np.float32)[None] / 127.5 - 1
    scores, boxes = _run("cocossd", batch)
    corners = boxes.reshape(-1, 4)[:, [1, 0, 3, 2]] * [width, height, width, height]
    used = [i for i in range(1, 91) if i not in _UNUSED_COCO_IDS]
    return corners.astype(np.float32), scores[0][:, used]


def classify(rgb: Pixels) -> Floats:
    """EfficientNet-Lite0 on ImageNet: 1000 probabilities."""
    height, width = rgb.shape[:2]
    short = min(height, width)
    # Only the middle is used. Without its ends, a strip of 2000 x 1 is not scaled to 512,000 x 256.
    top, left = max(0, height // 2 - short), max(0, width // 2 - short)
    rgb = rgb[top : top + 2 * short, left : left + 2 * short]
    height, width = rgb.shape[:2]
    ratio = 256 / short
    size = max(256, round(width * ratio)), max(256, round(height * ratio))
    scaled = _shrunk(rgb, size, cv2.INTER_CUBIC)
    top, left = (scaled.shape[0] - 224) // 2, (scaled.shape[1] - 224) // 2
    middle = scaled[top : top + 224, left : left + 224].astype(np.float32)
    batch = ((middle - 127) / 128).transpose(2, 0, 1)[None]
    (scores,) = _run("efflite0", batch)
    return np.asarray(scores[0], dtype=np.float32)


def segment(rgb: Pixels) -> tuple[Pixels, Floats]:
    """DeepLabv3 MobileNetV2 on Pascal VOC.

    Returns:
        Class ids, uint8 (height, width), and the softmax of the best class on the model's grid of
        65 x 65, float32 in [0, 1], stretched over the image.
    """
    height, width = rgb.shape[:2]
    ratio = _SEMANTIC_SIDE / max(height, width)
    inner = max(1, round(width * ratio)), max(1, round(height * ratio))
    batch = _shrunk(rgb, inner)[None]
    ids, logits = _run("deeplab", batch)
    used = ids[0, : inner[1], : inner[0]].astype(np.uint8)
    best = 1 / np.exp(logits[0] - logits[0].max(axis=0)).sum(axis=0)
    whole = cv2.resize(best, (_SEMANTIC_SIDE, _SEMANTIC_SIDE))[: inner[1], : inner[0]]
    stretched = cv2.resize(used, (width, height), interpolation=cv2.INTER_NEAREST)
    sure = cv2.resize(whole, (width, height)).clip(0, 1)
    return np.asarray(stretched, np.uint8), np.asarray(sure, np.float32)


def pose(rgb: Pixels, box: Floats) -> Floats:
    """MoveNet Lightning on one person.

    Args:
        rgb: The whole image.
        box: The person, x1 y1 x2 y2 in pixels.

    Returns:
        float32 (17, 3): x and y in pixels of the image, score; in COCO's order.
    """
    side = max(2.0, 1.25 * float(max(box[2] - box[0], box[3] - box[1])))
    left, top = (box[0] + box[2] - side) / 2, (box[1] + box[3] - side) / 2
    # A crop may reach over the edge; what is outside is black, as the model's padding is.
    scale = 192 / side
    shift = (scale - 1) / 2  # a pixel's coordinates are its centre's
    move = np.array([[scale, 0, shift - left * scale], [0, scale, shift - top * scale]])
    crop = cv2.warpAffine(rgb, move, (192, 192), flags=cv2.INTER_LINEAR)
    (points,) = _run("movenet", crop.astype(np.int32)[None])
    y, x, score = points[0, 0].T
    return np.stack([x * side + left, y * side + top, score], axis=1).astype(np.float32)


def salient(rgb: Pixels) -> Floats:
    """U2-Net-p: how much each pixel belongs to the main object, (height, width) in [0, 1]."""
    height, width = rgb.shape[:2]
    batch = _shrunk(rgb, (320, 320)).astype(np.float32)
    batch = batch / max(1.0, float(batch.max()))
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    batch = ((batch - mean) / deviation).transpose(2, 0, 1)[None].astype(np.float32)
    saliency = _run("u2netp", batch)[0][0, 0]
    saliency = (saliency - saliency.min()) / max(1e-6, float(saliency.max() - saliency.min()))
    return np.asarray(cv2.resize(saliency, (width, height)), np.float32)
