"""Facts about Roboflow's hosted API, as data: hosts, limits, defaults and public model names.

Nothing here sends, decodes or draws; the other modules read their facts here. Sources:
docs.roboflow.com (deploy/serverless, deployment/roboflow-cloud) and the open-source server,
roboflow/inference 1.8.3.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from enum import StrEnum
from importlib import resources
from typing import Literal, NamedTuple, Self, TypeAlias
from urllib.parse import urlsplit


class _Choice(StrEnum):
    """A string enum whose errors list the valid values."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        text = value.strip().lower() if isinstance(value, str) else ""
        for choice in cls:
            if text == choice:  # V2 is how people write it
                return choice
        # What was typed is not repeated: it may hold an API key.
        near = difflib.get_close_matches(text, list(cls), n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ValueError(f"{cls.__name__} must be one of {', '.join(cls)}.{hint}")


class Task(_Choice):
    """What a model outputs. Accepts its own string: ``Task("object-detection")``."""

    OBJECT_DETECTION = "object-detection"
    CLASSIFICATION = "classification"
    INSTANCE_SEGMENTATION = "instance-segmentation"
    SEMANTIC_SEGMENTATION = "semantic-segmentation"
    KEYPOINT_DETECTION = "keypoint-detection"
    #: The result of prompted models that write; ``predict`` does not take it.
    TEXT = "text"


class ApiVersion(_Choice):
    """Version of the Serverless Hosted API: ``v1`` (legacy) or ``v2`` (recommended)."""

    V1 = "v1"
    V2 = "v2"


class Region(_Choice):
    """Where hosted requests go. The EU has V2 only."""

    US = "us"
    EU = "eu"


#: The same as text, for type checkers and for completion in an editor.
TaskName: TypeAlias = Literal[
    "object-detection",
    "classification",
    "instance-segmentation",
    "semantic-segmentation",
    "keypoint-detection",
]
VersionName: TypeAlias = Literal["v1", "v2"]
RegionName: TypeAlias = Literal["us", "eu"]

#: The tasks of ``predict``: an image and nothing else goes to the model.
IMAGE_TASKS: tuple[Task, ...] = tuple(task for task in Task if task is not Task.TEXT)

#: One host for each task. Keypoint detection has no host of its own on v1.
V1_HOSTS = {
    Task.OBJECT_DETECTION: "https://detect.roboflow.com",
    Task.KEYPOINT_DETECTION: "https://detect.roboflow.com",
    Task.INSTANCE_SEGMENTATION: "https://outline.roboflow.com",
    Task.CLASSIFICATION: "https://classify.roboflow.com",
    Task.SEMANTIC_SEGMENTATION: "https://segment.roboflow.com",
}
V2_HOSTS = {
    Region.US: "https://serverless.roboflow.com",
    Region.EU: "https://serverless.roboflow.eu",
}
#: Model metadata, never inference.
PLATFORM_HOSTS = {Region.US: "https://api.roboflow.com", Region.EU: "https://api.roboflow.eu"}

#: Newer v1 routes (text recognition and others) have a host of their own.
V1_INFER_HOST = "https://infer.roboflow.com"

#: Bytes of one whole request (docs: "image file size and any request information attached").
#: Megabytes are read as 10**6, the smaller reading.
REQUEST_LIMITS = {ApiVersion.V1: 5_000_000, ApiVersion.V2: 20_000_000}
#: Room kept for the request line and the headers, which the limits count too.
HEAD_ROOM = 4_096

DEFAULT_CONFIDENCE = 0.4
DEFAULT_OVERLAP = 0.3
TASKS_WITHOUT_OVERLAP = frozenset({Task.CLASSIFICATION, Task.SEMANTIC_SEGMENTATION})
#: Longest side sent when nothing is known of the model, as inference-sdk's own downsizing has it.
DEFAULT_IMAGE_SIZE = 1024

#: The only v1 host whose documentation knows percentages alone (0 to 100).
PERCENT_HOSTS = frozenset({V1_HOSTS[Task.SEMANTIC_SEGMENTATION]})

#: What serves a task when nobody names a model: small, public, and known to that version.
#: No public semantic segmentation model is known to v1.
DEFAULT_MODELS = {
    ApiVersion.V2: {
        Task.OBJECT_DETECTION: "rfdetr-nano",
        Task.CLASSIFICATION: "resnet50",
        Task.INSTANCE_SEGMENTATION: "rfdetr-seg-nano",
        Task.SEMANTIC_SEGMENTATION: "yolo26n-sem-1024",
        Task.KEYPOINT_DETECTION: "yolov8n-pose-640",
    },
    ApiVersion.V1: {
        Task.OBJECT_DETECTION: "yolov8n-640",
        Task.CLASSIFICATION: "resnet50",
        Task.INSTANCE_SEGMENTATION: "yolov8n-seg-640",
        Task.KEYPOINT_DETECTION: "yolov8n-pose-640",
    },
}

#: First segment of the ids of models that ship with this package.
LOCAL_WORKSPACE = "local"
LOCAL_MODELS = {task: f"{LOCAL_WORKSPACE}/{task}" for task in IMAGE_TASKS}

#: The COCO person skeleton, by slot: what a public key-point model answers.
COCO_KEY_POINTS = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder"),
    *("right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip"),
    *("right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
)

#: Tasks of the projects behind the public names.
_PUBLIC_PROJECTS = {
    "coco": Task.OBJECT_DETECTION,
    "coco-dataset-vdnr1": Task.INSTANCE_SEGMENTATION,
    "coco-pose-detection": Task.KEYPOINT_DETECTION,
    "classifiers": Task.CLASSIFICATION,
}
#: Newer families that live on V2 only, under routes of their own (a prompt, no fixed classes).
#: First segments of their ids, as the server names them.
V2_ONLY_PROJECTS = frozenset(
    (
        *("clip", "depth-anything-v2", "depth-anything-v3", "doctr", "easy_ocr"),
        *("florence-pretrains", "gaze", "grounding_dino", "moondream2", "owlv2"),
        *("paligemma-pretrains", "perception_encoder", "pp_ocr", "qwen-pretrains", "sam", "sam2"),
        *("sam3", "sam3-3d-objects", "smolvlm2", "trocr", "yolo_world"),
    )
)


class PromptedModel(NamedTuple):
    """Where a prompted model runs, and by which verb (a method of ``Client``)."""

    title: str
    verb: str
    v1: bool = False
    v2: bool = True


#: The prompted models by family: the part of the name before a version.
#: Those on neither version run on a server of your own (``base_url``). Sources: docs.roboflow.com,
#: models/supported-models; the routes of the open-source server 1.8.3.
PROMPTED_MODELS = {
    "sam3": PromptedModel("SAM 3", "segment"),
    "sam2": PromptedModel("SAM 2", "segment"),
    "yolo-world": PromptedModel("YOLO-World", "detect", v1=True),
    "clip": PromptedModel("CLIP", "classify", v1=True),
    "florence-2": PromptedModel("Florence-2", "ask"),
    "paligemma": PromptedModel("PaliGemma 2", "ask"),
    "qwen-vl": PromptedModel("Qwen-VL", "ask"),
    "pp-ocr": PromptedModel("PP-OCR", "read", v1=True),
    "easy-ocr": PromptedModel("EasyOCR", "read", v1=True),
    "doctr": PromptedModel("DocTR", "read", v1=True),
    "trocr": PromptedModel("TrOCR", "read", v1=True),
    "moondream2": PromptedModel("Moondream2", "ask", v2=False),
    "smolvlm2": PromptedModel("SmolVLM2", "ask", v2=False),
    "grounding-dino": PromptedModel("Grounding DINO", "detect", v2=False),
    "sam3-fine-tuned": PromptedModel("SAM 3, fine-tuned", "segment", v2=False),
}
#: Least timeout in seconds for these models where the user set none: a cold start is long.
PROMPTED_TIMEOUT = 180.0
#: Statuses after which a prompted request is sent again: the server did not begin to work on it.
RETRIED_PROMPTED = frozenset({429, 503})

#: Seconds of processing that cost one credit, and what a request counts at least.
SECONDS_OF_A_CREDIT = 500
LEAST_BILLED = 0.1

#: Latencies that the documentation gives, in milliseconds: V2 E2E, V2 Exec, v1 E2E, v1 Exec.
PUBLISHED_LATENCIES = {
    "yolov8x-640": (401, 29, 4084, 821),
    "yolov8m-640": (757, 21, 572, 265),
    "yolov8n-640": (384, 17, 312, 63),
    "yolov8x-1280": (483, 97, 6431, 3032),
    "yolov8m-1280": (416, 52, 1841, 1006),
    "yolov8n-1280": (428, 35, 464, 157),
}
PUBLISHED_SOURCE = "docs.roboflow.com, Serverless Hosted API, latency of V2 and v1"


def default_confidence(task: Task | None) -> float:
    """The threshold where none is given: 0 for classification, whose whole ranking is wanted."""
    return 0.0 if task is Task.CLASSIFICATION else DEFAULT_CONFIDENCE


def hosted_version(url: str) -> tuple[ApiVersion, Region] | None:
    """The API version and region that a hosted address serves; None for any other server.

    Args:
        url: An address such as ``https://serverless.roboflow.com``; its path does not matter.
    """
    netloc = urlsplit(url).hostname or ""
    for region, host in V2_HOSTS.items():
        if netloc == urlsplit(host).hostname:
            return ApiVersion.V2, region
    v1 = {urlsplit(host).hostname for host in (*V1_HOSTS.values(), V1_INFER_HOST)}
    return (ApiVersion.V1, Region.US) if netloc in v1 else None


def published_latency(model: str, version: ApiVersion) -> tuple[float, float] | None:
    """E2E and Exec of a public model in seconds, as documented; None where nothing is.

    Args:
        model: A public name: ``yolov8n-640``.
        version: v1 or V2.
    """
    if model not in PUBLISHED_LATENCIES:
        return None
    v2_e2e, v2_exec, v1_e2e, v1_exec = PUBLISHED_LATENCIES[model]
    e2e, told = (v2_e2e, v2_exec) if version is ApiVersion.V2 else (v1_e2e, v1_exec)
    return e2e / 1000, told / 1000


@functools.cache
def aliases() -> dict[str, str]:
    """Public model names and the two-segment ids that they stand for (inference-sdk 1.8.3)."""
    text = resources.files(__package__).joinpath("aliases.json").read_text("utf-8")
    names: dict[str, str] = json.loads(text)
    return names


def task_of(model_id: str) -> Task | None:
    """Task of a public or built-in model id; None where the id alone does not tell.

    Args:
        model_id: Two segments, aliases already resolved.
    """
    workspace, _, slug = model_id.partition("/")
    if workspace == LOCAL_WORKSPACE:
        return Task(slug) if slug in IMAGE_TASKS else None
    if workspace == "yolo26-pretrains" and slug.endswith("-sem"):
        return Task.SEMANTIC_SEGMENTATION
    if workspace == "microsoft" and slug.startswith("coco-pose-detection"):
        return Task.KEYPOINT_DETECTION
    return _PUBLIC_PROJECTS.get(workspace)


def is_v2_only(model_id: str) -> bool:
    """Whether v1 never served the model's family, so that the image route cannot call it."""
    workspace, _, slug = model_id.partition("/")
    return workspace in V2_ONLY_PROJECTS or slug.endswith("-depth")


def prompted_family(name: str) -> str | None:
    """The row of PROMPTED_MODELS that a model's name belongs to; None for no prompted model.

    Args:
        name: "sam3", "sam2/hiera_tiny", "florence-2-large", "qwen3vl-2b-instruct", ….
    """
    text = name.strip().lower().replace("_", "-")
    first, _, version = text.partition("/")
    if first == "sam3" and version not in ("", "sam3-final", "sam3-interactive"):
        return "sam3-fine-tuned"
    if first.startswith("qwen"):
        return "qwen-vl"
    starts = (family for family in PROMPTED_MODELS if first.startswith(family))
    return next(starts, None)


def input_size(model_name: str) -> int | None:
    """Longest side in pixels of the model's input, where its public name carries it.

    ``yolov8n-640`` is 640 and ``yolo26n-sem-1024`` is 1024; ``rfdetr-nano`` tells nothing.
    """
    size = re.fullmatch(r"yolo.*-(\d{3,4})", model_name)
    return int(size[1]) if size else None
