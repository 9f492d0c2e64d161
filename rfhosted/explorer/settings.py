"""The settings of the explorer, and what an answer was asked with: plain values."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfhosted import hosted
from rfhosted.endpoints.call import Call
from rfhosted.errors import HostedError
from rfhosted.explorer import code_export, options
from rfhosted.hosted import ApiVersion, Task

if TYPE_CHECKING:
    from rfhosted.client import Client
    from rfhosted.endpoints.call import Prepared
    from rfhosted.images.sources import ImageLike, SourceImage
    from rfhosted.images.upload import ImageSize
    from rfhosted.prediction import Prediction
    from rfhosted.transport.connection import Stop


#: What goes wrong through a user's choice or the world's; anything else is a defect of ours.
EXPECTED = (HostedError, ValueError, TypeError, OSError)


@dataclass(frozen=True, slots=True)
class Source:
    """The picture that is asked about.

    Attributes:
        picture: The picture.
        name: Path, URL or name; ``kind`` says which.
        kind: What code that asks again has to open, see ``rfhosted.code_export.Source``.
    """

    source_image: SourceImage
    name: str
    kind: code_export.Source

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

    def prepare(
        self, client: Client, source: Source, shown: float, *, ask_platform: bool = True
    ) -> Prepared:
        """What would be sent, at a threshold that lets the view's go down as well.

        Args:
            client: Who asks.
            source: About what.
            shown: The view's threshold, fraction in [0, 1].
            ask_platform: See ``Client.prepare``.
        """
        call = Call(
            self.model,
            self.task,
            self.api_version,
            self.image_size,
            options.confidence_asked(self.task, self.api_version, shown),
            self.overlap,
        )
        return client.prepare(source.source_image, call, ask_platform=ask_platform)

    def ask(self, client: Client, source: Source, shown: float, stop: Stop) -> Answer:
        """Send it; the arguments are those of ``prepare``."""
        prepared = self.prepare(client, source, shown)
        return Answer(source, self, client.send(prepared, stop=stop), prepared, client)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The settings that a picture of an answer depends on.

    Attributes:
        confidence: Least confidence, fraction in [0, 1].
        classes: Class names to keep; empty keeps all.
        keypoint_confidence: Least confidence of a key point, fraction in [0, 1].
        layers: See ``rfhosted.display.annotate.LAYERS``; None for what suits the task.
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
            confidence=None if cannot_filter(prediction) else self.confidence,
            classes=self.classes or None,
            keypoint_confidence=self.keypoint_confidence,
        )


def cannot_filter(prediction: Prediction) -> bool:
    """Whether it came without confidences, as v1's class maps do: no threshold can be changed."""
    regions = getattr(prediction, "segmentation", None)
    return regions is not None and regions.confidence is None


@dataclass(frozen=True, slots=True)
class Answer:
    """A prediction at its low threshold, what was asked for it, and who asked."""

    source: Source
    question: Question
    prediction: Prediction
    prepared: Prepared
    client: Client

    def outdated(self, source: Source | None, question: Question, client: Client) -> str | None:
        """Why asking again would tell something else, or None where it would not."""
        if self.source is not source:
            return "Another picture is chosen: run to see it."
        if self.question != question:
            return "The settings changed since: run to see what they do."
        if self.client is not client:
            return "The key was set since: run to ask with it."
        return None

    def too_low(self, view: View) -> str | None:
        """Why it cannot show what a view's threshold says, or None where it can."""
        asked, wanted = self.prediction.confidence, view.confidence
        if wanted < asked or (wanted != asked and cannot_filter(self.prediction)):
            return (
                f"The answer was asked at confidence {asked:.2f} and cannot tell what"
                f" {wanted:.2f} would show: run to ask again."
            )
        return None

    def code(self, view: View) -> tuple[str, str]:
        """Python, and lines for a shell with curl, that give exactly this; no key is in them.

        Args:
            view: What is shown of it.
        """
        asked, client = self.question, self.client
        points = view.keypoint_confidence if asked.task is Task.KEYPOINT_DETECTION else None
        call = code_export.Call(
            self.source.name,
            self.source.kind,
            model=asked.model or self.prepared.route.name,  # with a key the default is another
            task=asked.task,
            api_version=asked.api_version,
            image_size=asked.image_size,
            confidence=self.prediction.confidence,
            overlap=asked.overlap,
            base_url=client.base_url,
            region=client.region,
            shown_confidence=None if cannot_filter(self.prediction) else view.confidence,
            classes=tuple(sorted(view.classes)) or None,
            keypoint_confidence=points,
        )
        curl = code_export.curl_command(self.prepared, call, has_key=client.has_key)
        return code_export.python_code(call), curl


def reference(image: ImageLike) -> tuple[str, code_export.Source]:
    """What a picture is called, and what of it code elsewhere can open."""
    if isinstance(image, str) and image[:5].lower() == "data:":
        return "picture.png", "upload"
    if isinstance(image, (str, os.PathLike)):
        return os.fspath(image), "file"
    if isinstance(image, (bytes, bytearray, memoryview)) or hasattr(image, "read"):
        return "picture.png", "upload"
    return "picture.png", "pixels"
