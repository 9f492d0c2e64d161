"""What can be chosen, and why some choices exclude each other: facts for the panel, no state."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from rfhosted import hosted
from rfhosted.endpoints.call import Call
from rfhosted.endpoints.routing import resolve
from rfhosted.errors import HostedError
from rfhosted.hosted import ApiVersion, Task

if TYPE_CHECKING:
    from rfhosted.client import Client

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
#: Lowest confidences that the panel requests, so that its threshold can move without a new request.
#: Below these, detectors without suppression return hundreds of boxes, and each mask takes time.
_FLOOR, _MASK_FLOOR = 0.05, 0.2


def models(task: Task, client: Client) -> Options:
    """Models for a task, by family; the local one comes first for a local client, else last."""
    local = (f"Local: {hosted.LOCAL_MODELS[task]}", hosted.LOCAL_MODELS[task])
    needs_key = "" if client.has_key or client.base_url else " (needs a key)"
    names = _public_names(task)
    public: Options = [
        (f"{title}: {name}{needs_key}", name)
        for family, title in _FAMILIES.items()
        for name in names
        if next((known for known in _FAMILIES if name.startswith(known)), "") == family
    ]
    return [local, *public] if client.is_local else [*public, local]


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


def _public_names(task: Task) -> list[str]:
    """Public names for a task, the shortest for each model, small models first."""
    names: dict[str, str] = {}
    for name, model_id in hosted.aliases().items():
        if hosted.task_of(model_id) is task:
            names[model_id] = min(name, names.get(model_id, name), key=len)  # yolo11n, not yolov11n
    return sorted(names.values(), key=_by_size)


def _by_size(name: str) -> tuple[int, int, int, str]:
    letter = re.match(r"yolo(?:v?\d+|-nas-)?([nsmblx])", name)
    word = re.search(r"-(nano|small|medium|base|large|2xlarge|xlarge)", name)
    order = "nsmblx".find(letter[1]) if letter else -1
    words = ("nano", "small", "medium", "base", "large", "xlarge", "2xlarge")
    place = words.index(word[1]) if word else order
    return hosted.input_size(name) or 0, place, len(name), name


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
        return f"{error.message.removesuffix('; nothing was sent')}. {error.advice}"
    return str(error)


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
