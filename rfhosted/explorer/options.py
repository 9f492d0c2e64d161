"""What can be chosen, and what cannot go together and why: facts for the panel, no state."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from rfhosted import hosted
from rfhosted.endpoints.call import Call
from rfhosted.endpoints.routing import resolve
from rfhosted.errors import HostedError
from rfhosted.hosted import ApiVersion, Task

if TYPE_CHECKING:
    from rfhosted.client import Client

#: (what is read, what it stands for), as ipywidgets' selections take them.
Options: TypeAlias = "list[tuple[str, str]]"

#: Longest sides in pixels that are worth trying: what networks take, and between.
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
#: Thresholds at which the panel asks, so that a slider can go down without another request. Lower
#: ones make detectors that suppress nothing answer hundreds of boxes; and each mask costs time.
_FLOOR, _FLOOR_OF_MASKS = 0.05, 0.2


def models(task: Task, client: Client) -> Options:
    """Models for a task: this machine's first where nobody else can be asked, then by family.

    Args:
        task: What they are to answer.
        client: Who would ask them.
    """
    here = (f"This machine: {hosted.LOCAL_MODELS[task]}", hosted.LOCAL_MODELS[task])
    public: dict[str, list[str]] = {}
    for name in _public_names(task):
        family = next((f for f in _FAMILIES if name.startswith(f)), "")
        public.setdefault(family, []).append(name)
    needs_key = "" if client.has_key or client.base_url else " (needs a key)"
    options = [
        (f"{title}: {name}{needs_key}", name)
        for family, title in _FAMILIES.items()
        for name in public.get(family, ())
    ]
    if client.base_url:  # it may serve this machine's ids (the embedded server) and any other
        return [*options, here]
    return [here, *options] if client.is_local else [*options, here]


def task_of(model: str | None) -> Task | None:
    """Task of a model, where its name or id tells it; an id that is none is told elsewhere."""
    if model is None:
        return None
    try:
        return hosted.task_of(resolve(model))
    except HostedError:
        return None


def _public_names(task: Task) -> list[str]:
    """Public names for a task, one of those that mean the same, small models first."""
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


def why_not(
    client: Client, model: str | None, task: Task | None, version: ApiVersion
) -> str | None:
    """Why that version cannot be asked for that, or None where it can; nothing is sent.

    Args:
        client: Who would ask.
        model: As ``Client.predict`` takes it.
        task: What the model is to answer.
        version: v1 or V2.
    """
    try:
        client.route(Call(model, task, version))
    except HostedError as error:
        return f"{error.message.removesuffix('; nothing was sent')}. {error.advice}"
    except ValueError as error:
        return str(error)
    return None


def default_model(client: Client, task: Task, version: ApiVersion) -> str:
    """Name of the model that answers where none is named; "none" where there is none."""
    try:
        return client.route(Call(None, task, version)).name
    except HostedError:
        return "none"


def sizes(picture: tuple[int, int] | None) -> list[tuple[str, int | str]]:
    """Image sizes for a picture: pictures are never enlarged, so that larger ones are left out.

    Args:
        picture: (width, height) in pixels; None where there is none yet.

    Returns:
        What is read, and the image size; "" stands for None, which selections take for no choice.
    """
    longest = max(picture) if picture else 0
    original = f"original ({picture[0]} x {picture[1]})" if picture else "original"
    smaller = [size for size in _SIZES if not longest or size < longest]
    pixels: list[tuple[str, int | str]] = [(f"{size} px", size) for size in smaller]
    return [("automatic", ""), *pixels, (original, "original")]


def confidence_asked(task: Task, version: ApiVersion, shown: float) -> float:
    """The threshold to ask at, for a picture that shows what is above ``shown``.

    Args:
        task: What is asked for.
        version: v1's class maps come without confidences: nothing can be filtered afterwards.
        shown: Fraction in [0, 1].
    """
    if task is Task.CLASSIFICATION:
        return 0.0
    if task is Task.SEMANTIC_SEGMENTATION:
        return shown if version is ApiVersion.V1 else 0.0
    return min(_FLOOR_OF_MASKS if task is Task.INSTANCE_SEGMENTATION else _FLOOR, shown)


def confidence_shown(task: Task) -> float:
    """The threshold that a picture shows at first: a ranking is wanted whole."""
    return 0.0 if task is Task.CLASSIFICATION else hosted.DEFAULT_CONFIDENCE
