"""The settings of the explorer, and what an answer was asked with: plain values."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfhosted import hosted, snippet
from rfhosted.errors import HostedError
from rfhosted.hosted import ApiVersion, Task

if TYPE_CHECKING:
    from rfhosted.client import Client, Prepared
    from rfhosted.images import ImageLike, Picture
    from rfhosted.prediction import Prediction
    from rfhosted.upload import ImageSize


#: What goes wrong through a user's choice or the world's; anything else is a defect of ours.
EXPECTED = (HostedError, ValueError, TypeError, OSError)


@dataclass(frozen=True, slots=True)
class Source:
    """The picture that is asked about.

    Attributes:
        picture: The picture.
        name: Path, URL or name; ``kind`` says which.
        kind: What code that asks again has to open, see ``rfhosted.snippet.Source``.
    """

    picture: Picture
    name: str
    kind: snippet.Source

    @property
    def title(self) -> str:
        """What people call it: the last part of a path or URL."""
        return re.split(r"[/\\]", self.name.partition("?")[0].rstrip("/"))[-1] or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The settings that a request depends on; see ``Client.predict``."""

    task: Task = Task.OBJECT_DETECTION
    api_version: ApiVersion = ApiVersion.V2
    model: str | None = None
    image_size: ImageSize = None
    overlap: float = hosted.DEFAULT_OVERLAP


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The settings that a picture of an answer depends on.

    Attributes:
        confidence: Least confidence, fraction in [0, 1].
        classes: Class names to keep; empty keeps all.
        keypoint_confidence: Least confidence of a key point, fraction in [0, 1].
        layers: See ``rfhosted.draw.LAYERS``; None for what suits the task.
        labels: Whether names are written.
        line_width: Pixels; None follows the picture's size.
    """

    confidence: float = hosted.DEFAULT_CONFIDENCE
    classes: frozenset[str] = frozenset()
    keypoint_confidence: float = 0.3
    layers: frozenset[str] | None = None
    labels: bool = True
    line_width: int | None = None

    def of(self, prediction: Prediction) -> Prediction:
        """A prediction with what this view leaves of it; its own threshold may be higher."""
        return prediction.filter(
            confidence=self.confidence,
            classes=self.classes or None,
            keypoint_confidence=self.keypoint_confidence,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """A prediction at its low threshold, and what was asked for it."""

    source: Source
    question: Question
    prediction: Prediction
    prepared: Prepared

    def code(self, view: View, client: Client) -> tuple[str, str]:
        """Python, and lines for a shell with curl, that give exactly this; no key is in them.

        Args:
            view: What is shown of it.
            client: Who asked.
        """
        asked = self.question
        points = view.keypoint_confidence if asked.task is Task.KEYPOINT_DETECTION else None
        call = snippet.Call(
            self.source.name,
            self.source.kind,
            model=asked.model,
            task=asked.task,
            api_version=asked.api_version,
            image_size=asked.image_size,
            confidence=self.prediction.confidence,
            overlap=asked.overlap,
            base_url=client.base_url,
            region=client.region,
            shown_confidence=view.confidence,
            classes=tuple(sorted(view.classes)) or None,
            keypoint_confidence=points,
        )
        curl = snippet.curl_command(self.prepared, call, has_key=client.has_key)
        return snippet.python_code(call), curl


def reference(image: ImageLike) -> tuple[str, snippet.Source]:
    """What a picture is called, and what of it code elsewhere can open."""
    if isinstance(image, str) and image[:5].lower() == "data:":
        return "picture.png", "upload"
    if isinstance(image, (str, os.PathLike)):
        return os.fspath(image), "file"
    if isinstance(image, (bytes, bytearray, memoryview)) or hasattr(image, "read"):
        return "picture.png", "upload"
    return "picture.png", "pixels"
