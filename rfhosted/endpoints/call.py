"""The values of a call: what is requested, where it goes, and the request ready to be sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rfhosted import hosted
from rfhosted.hosted import ApiVersion, Task
from rfhosted.images.upload import ImageSize, check_size
from rfhosted.outputs.values import check_fraction

if TYPE_CHECKING:
    from rfhosted.images.sources import SourceImage
    from rfhosted.images.upload import Upload
    from rfhosted.transport.request import Request


#: The host of the local models; the embedded server's address is known once it runs.
LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Call:
    """What is requested, apart from the image. ``Client.predict`` makes one from its arguments.

    Use ``dataclasses.replace`` to change one field: ``replace(call, image_size=640)``.

    Attributes:
        model: "project/3", "workspace/slug", a public name ("rfdetr-nano"), or the address of a
            model's page; None for the default model of the task.
        task: What the model outputs; None where the model's name tells it.
        api_version: v1 or V2; None for the client's.
        image_size: Longest side to send, in pixels; "original"; None for the model's input size.
        confidence: Least confidence, a fraction in [0, 1]; None for the task's default.
        overlap: IoU threshold of non-maximum suppression, a fraction in [0, 1].

    Raises:
        ValueError, TypeError: A field has a value that makes no sense.
    """

    model: str | None = None
    task: Task | None = None
    api_version: ApiVersion | None = None
    image_size: ImageSize = None
    confidence: float | None = None
    overlap: float = hosted.DEFAULT_OVERLAP

    def __post_init__(self) -> None:
        if not (self.model is None or isinstance(self.model, str)):
            raise TypeError(f"model is a string such as 'project/3', not {type(self.model)}.")
        check_fraction("confidence", self.confidence)
        check_fraction("overlap", self.overlap)
        # The strings that people type and numpy's integers become the library's own values.
        own = object.__setattr__
        own(self, "task", None if self.task is None else Task(self.task))
        version = self.api_version
        own(self, "api_version", None if version is None else ApiVersion(version))
        own(self, "image_size", check_size(self.image_size))

    def settled(self, api_version: ApiVersion, task: Task | None) -> Call:
        """The call with nothing left to default but the model and the image size.

        Args:
            api_version: The version to use where the call names none.
            task: The task of the model, where it is known.
        """
        confidence = self.confidence
        if confidence is None:
            confidence = hosted.default_confidence(task or self.task)
        version = self.api_version or api_version
        return replace(self, api_version=version, task=task or self.task, confidence=confidence)


@dataclass(frozen=True, slots=True)
class Route:
    """Where one request goes.

    Attributes:
        model: Model id of two segments, as it is sent.
        name: The public name, or the id where there is none; the default's where none was given.
        task: What the model outputs; None where only the response will show it.
        version: The API version that the server speaks.
        host: Scheme and host, or LOCAL.
        key_in_header: Whether the key goes into the Authorization header, else into the query.
        stand_in: Whether a local model is used in place of the hosted one that was named.
    """

    model: str
    name: str
    task: Task | None
    version: ApiVersion
    host: str
    key_in_header: bool = False
    stand_in: bool = False

    @property
    def is_local(self) -> bool:
        """Whether the local models serve it."""
        return self.host == LOCAL

    @property
    def is_billable(self) -> bool:
        """Whether it is a call of the hosted API, which the workspace pays for."""
        return hosted.hosted_version(self.host) is not None

    @property
    def host_name(self) -> str:
        """The host in a word, for captions: ``serverless.roboflow.com``, or ``local``."""
        return LOCAL if self.is_local else urlsplit(self.host).netloc


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that can be sent: see ``Client.prepare``.

    Attributes:
        call: What is requested, with its defaults filled in.
        route: Which model serves it, and where.
        source_image: The image that the prediction will be about.
        request: What is sent, without the key.
        upload: What was done to the image.
        file: The image file as it is sent: the upload without the form around it.
        seconds: Time to read, decode, scale and encode the image.
    """

    call: Call
    route: Route
    source_image: SourceImage
    request: Request
    upload: Upload
    file: bytes
    seconds: float

    @property
    def confidence(self) -> float:
        """The threshold that is requested, a fraction in [0, 1]."""
        return self.call.confidence or 0.0
