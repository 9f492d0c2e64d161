"""Settings, results and events of the explorer: plain values that nothing changes in place."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from rfhosted import hosted
from rfhosted.errors import HostedError
from rfhosted.hosted import Task
from rfhosted.images.sources import is_url

if TYPE_CHECKING:
    from rfhosted.client import Client
    from rfhosted.comparison.sweep_result import Step, Sweep
    from rfhosted.endpoints.call import Call, Prepared
    from rfhosted.endpoints.prompted import PreparedPrompts
    from rfhosted.explorer.prompts import Prompt, Shown
    from rfhosted.images.sources import ImageLike, SourceImage
    from rfhosted.prediction import Prediction

#: Errors caused by a user's input, a server or the network. Any other exception is a bug.
EXPECTED = (HostedError, ValueError, TypeError, OSError)

#: What exported code opens: a path or URL; a sample by name; a file that the reader has to save
#: under the given name first; the same for pixels (PIL, numpy), saved without loss.
Kind: TypeAlias = Literal["file", "sample", "upload", "pixels"]


class Event(StrEnum):
    """The part of the state that changed."""

    IMAGE = auto()
    CALL = auto()
    DISPLAY = auto()
    PLAN = auto()
    ACTIVITY = auto()
    RESPONSE = auto()
    PINNED = auto()
    SWEEP = auto()
    KEY = auto()
    TRUTH = auto()


class Outdated(StrEnum):
    """The setting that the shown result does not follow yet."""

    IMAGE = auto()
    CALL = auto()
    KEY = auto()
    CONFIDENCE = auto()


@dataclass(frozen=True, slots=True)
class Source:
    """The image to send.

    Attributes:
        image: The image.
        name: Path, URL or file name; ``kind`` says which.
        kind: How exported code gets the image.
    """

    image: SourceImage
    name: str
    kind: Kind

    @property
    def title(self) -> str:
        """The last part of the path or URL."""
        return re.split(r"[/\\]", self.name.rstrip("/"))[-1] or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """Settings that need no new request.

    Attributes:
        confidence: Least confidence, a fraction in [0, 1].
        classes: Class names to keep; empty keeps all.
        keypoint_confidence: Least confidence of a keypoint, a fraction in [0, 1].
        layers: See ``rfhosted.display.annotate.LAYERS``; None for the task's default.
        labels: Whether class names are written.
        line_width: Pixels of the shown image; None follows its size.
    """

    confidence: float = hosted.DEFAULT_CONFIDENCE
    classes: frozenset[str] = frozenset()
    keypoint_confidence: float = 0.3
    layers: frozenset[str] | None = None
    labels: bool = True
    line_width: int | None = None

    def filters(self, prediction: Prediction) -> dict[str, Any]:
        """Arguments for ``Prediction.filter``; those that the prediction cannot use are None."""
        keypoints = prediction.task is Task.KEYPOINT_DETECTION
        return {
            "confidence": self.confidence if prediction.has_confidences else None,
            "classes": sorted(self.classes) or None,
            "keypoint_confidence": self.keypoint_confidence if keypoints else None,
        }

    def of(self, prediction: Prediction) -> Prediction:
        """The prediction, filtered."""
        return prediction.filter(**self.filters(prediction))


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """One finished request.

    Attributes:
        source: The image that was sent.
        call: The settings; ``prepared.call`` has the confidence that was requested as well.
        client: The client that sent it.
        prepared: The request, or those of a prompted call.
        prediction: The result at the requested confidence.
        prompt: What was requested of a prompted model; None for the tasks of ``predict``.
    """

    source: Source
    call: Call
    client: Client
    prepared: Prepared | PreparedPrompts
    prediction: Prediction
    prompt: Prompt | None = None

    @property
    def shown_as(self) -> Shown:
        """The task or the verb whose display settings apply."""
        return self.prompt.verb if self.prompt else self.call.task


@dataclass(frozen=True, slots=True)
class Planned:
    """The request that Run would send, why it cannot be sent, or None without an image."""

    request: Prepared | PreparedPrompts | Exception | None


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one press of a button.

    Attributes:
        call: The settings when it was pressed.
        responses: One, or two to compare; fewer where one failed.
        error: Why one failed.
    """

    call: Call
    responses: tuple[Response, ...]
    error: Exception | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """A sweep of image sizes, and what it was made with.

    Attributes:
        sweep: The sweep.
        source: The image that was sent.
        call: The settings, with the confidence and without an image size.
        client: The client that sent it.
    """

    sweep: Sweep
    source: Source
    call: Call
    client: Client

    def changes(self, source: Source | None, call: Call, client: Client) -> list[str]:
        """Names of what is not as it was."""
        names = {
            "model": "model",
            "task": "task",
            "api_version": "API version",
            "confidence": "confidence",
            "overlap": "overlap",
        }
        changed = [text for n, text in names.items() if getattr(self.call, n) != getattr(call, n)]
        image = [] if source is self.source else ["image"]
        return image + changed + ([] if client is self.client else ["API key"])

    @property
    def steps(self) -> list[Step]:
        """The sizes with a result of their own, the smallest first."""
        return [step for step in self.sweep.steps if step.prediction and not step.same_as]

    def response(self, step: Step) -> Response:
        """The result at a size, as if it had been requested alone.

        Raises:
            ValueError: There is none.
        """
        if step.prepared is None or step.prediction is None:
            raise ValueError(f"The sweep has no result at {step.name}.")
        call = replace(self.call, image_size=step.image_size, confidence=None)
        return Response(self.source, call, self.client, step.prepared, step.prediction)


IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})

#: What a background job returns: an image that was read, a plan, responses, or a sweep.
Outcome: TypeAlias = "Source | Planned | Sent | Swept"


def images_in(folder: str) -> list[str]:
    """Paths of the image files in a folder, sorted, at most 200; empty for what is no folder."""
    path = Path(folder).expanduser()
    try:
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in IMAGE_ENDINGS)
    except (OSError, ValueError):
        return []
    return [str(each) for each in files[:200]]


def reference(image: ImageLike) -> tuple[str, Kind]:
    """A name for an image, and how exported code gets it.

    A URL with a query or a password may hold a secret: only its file name is kept.
    """
    if isinstance(image, str) and is_url(image):
        parts = urlsplit(image)
        if not (parts.query or parts.fragment or "@" in parts.netloc):
            return image, "file"
        return PurePosixPath(parts.path).name or "image.png", "upload"
    if isinstance(image, str) and image[:5].lower() == "data:":
        return "image.png", "upload"
    if isinstance(image, (str, os.PathLike)):
        return os.fspath(image), "file"
    if isinstance(image, (bytes, bytearray, memoryview)) or hasattr(image, "read"):
        return "image.png", "upload"
    return "image.png", "pixels"
