"""What can be chosen, and why some choices exclude each other: facts for the panel, no state."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from rfhosted import hosted
from rfhosted.comparison.annotations import coco_truth, sample_truth, samples_with_truth
from rfhosted.endpoints.call import Call
from rfhosted.endpoints.routing import resolve
from rfhosted.errors import AuthenticationError, HostedError
from rfhosted.hosted import ApiVersion, Task
from rfhosted.images.reading import file_name

if TYPE_CHECKING:
    from rfhosted.client import Client
    from rfhosted.explorer.settings import Source
    from rfhosted.prediction.ground_truth import GroundTruth

#: (label, value), as ipywidgets' selections take them. "" is None, which they take for no choice.
Options: TypeAlias = "list[tuple[str, int | str]]"

#: Longest sides in pixels: common input sizes of models, and sizes between.
_SIZES = (160, 320, 416, 512, 640, 800, 1024, 1280, 1600, 2048)
_FAMILIES = {
    "rfdetr": "RF-DETR",
    "yolo26": "YOLO26",
    "yolo11": "YOLO11",
    "yolov10": "YOLOv10",
    "yolo-nas": "YOLO-NAS",
    "yolov8": "YOLOv8",
    "resnet": "ResNet",
}
_SIZE_WORDS = ("nano", "small", "medium", "base", "large", "xlarge", "2xlarge")
#: Lowest confidences that the panel requests, so that its threshold can move without a new request.
#: Below these, detectors without suppression return hundreds of boxes, and each mask takes time.
_FLOOR, _MASK_FLOOR = 0.05, 0.2


def models(task: Task, client: Client) -> Options:
    """Models for a task, by family; the local one comes first for a local client, else last."""
    names: dict[str, str] = {}
    for name, model_id in hosted.aliases().items():
        if hosted.task_of(model_id) is task:  # yolo11n, not yolov11n, which is the same
            names[model_id] = min(name, names.get(model_id, name), key=len)
    needs_key = " (needs a key)" if client.is_local else ""
    public: Options = [
        (f"{_family(name)}: {name}{needs_key}", name) for name in sorted(names.values(), key=_rank)
    ]
    local = (f"Local: {hosted.LOCAL_MODELS[task]}", hosted.LOCAL_MODELS[task])
    return [local, *public] if client.is_local else [*public, local]


def _family(name: str) -> str:
    return next((title for start, title in _FAMILIES.items() if name.startswith(start)), "Other")


def _rank(name: str) -> tuple[int, int, int, int, str]:
    """The order in a list of models: by family, input size, and the letter or word of the size."""
    families = [*_FAMILIES.values(), "Other"]
    letter = re.match(r"yolo(?:v?\d+|-nas-)?([nsmblx])", name)
    word = re.search(rf"-({'|'.join(_SIZE_WORDS)})", name)
    size = _SIZE_WORDS.index(word[1]) if word else "nsmblx".find(letter[1]) if letter else -1
    return families.index(_family(name)), hosted.input_size(name) or 0, size, len(name), name


def understood(model: str) -> str:
    """The public name or id in what a user typed, which may hold an API key.

    Raises:
        ModelNotFoundError: There is none in it.
    """
    name = model.strip()
    return name if name in hosted.aliases() else resolve(name)


def task_of(model: str | None) -> Task | None:
    """Task of a model, where its name or id tells it."""
    if model is None:
        return None
    try:
        return hosted.task_of(resolve(model))
    except HostedError:
        return None


def is_billable(client: Client, call: Call) -> bool:
    """Whether the client sends the call to the hosted API, which the workspace pays for."""
    for each in (call, Call()):  # of a call that cannot be sent, what the client's others are
        with suppress(HostedError, ValueError):
            return client.route(each).is_billable
    return False


def why_not(client: Client, call: Call) -> str | None:
    """Why the client cannot send the call; None where it can. Nothing is sent."""
    try:
        client.route(call)
    except (HostedError, ValueError) as error:
        return reason(error)
    return None


def reason(error: Exception) -> str:
    """What is wrong and what to do, for a request that was not sent yet."""
    if isinstance(error, HostedError):
        return f"{error.message.removesuffix('; nothing was sent')}. {advice(error)}"
    return str(error)


def advice(error: HostedError) -> str:
    """The next step in the panel, where a key is typed into a field."""
    if not isinstance(error, AuthenticationError):
        return error.advice
    if error.status is None:
        return "Enter an API key under More settings, or choose a local model."
    return (
        "Check the API key and enter it again under More settings; a rejected key stays rejected"
        " for a minute."
    )


def default_model(client: Client, call: Call) -> str:
    """Name of the model where none is chosen; "none" where there is none."""
    try:
        return client.route(replace(call, model=None)).name
    except HostedError:
        return "none"


def sizes(image: tuple[int, int] | None) -> Options:
    """Image sizes below the image's own (width, height) in pixels: images are never enlarged."""
    longest = max(image) if image else 0
    original = f"original ({image[0]} x {image[1]})" if image else "original"
    pixels = [(f"{size} px", size) for size in _SIZES if not longest or size < longest]
    return [("automatic", ""), *pixels, (original, "original")]


def requested_confidence(call: Call, shown: float) -> float:
    """The threshold to request, so that the ``shown`` one can go lower without a new request."""
    if call.task is Task.CLASSIFICATION:
        return 0.0
    if call.task is Task.SEMANTIC_SEGMENTATION:  # v1's class maps have no confidences to filter by
        return shown if call.api_version is ApiVersion.V1 else 0.0
    return min(_MASK_FLOOR if call.task is Task.INSTANCE_SEGMENTATION else _FLOOR, shown)


def truth_in(path: str, source: Source) -> GroundTruth:
    """The ground truth of an image from a COCO file, see ``coco_truth``."""
    # What has no file name of its own can only be the one image of the file.
    name = None if source.kind == "pixels" else file_name(source.name)
    return coco_truth(path, source.image, name=name)


def truth_of(path: str, source: Source | None) -> GroundTruth | None:
    """The ground truth of an image: from a COCO file, or that of a sample; None without one."""
    if source is None:
        return None
    with suppress(OSError, ValueError):
        if path:
            return truth_in(path, source)
    if source.kind == "sample" and source.name in samples_with_truth():
        return sample_truth(source.name)
    return None
