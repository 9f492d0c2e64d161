"""Calls of prompted models: what every route has in common.

Each route has a file of its own beside this one (``sam``, ``florence2``, ``clip``,
``open_vocabulary``, ``ocr``), whose calls are small frozen dataclasses that fit ``PromptedCall``.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from rfhosted import hosted
from rfhosted.endpoints import response
from rfhosted.endpoints.image_tasks import Parsed
from rfhosted.images.upload import fit
from rfhosted.transport.request import Request, seconds_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfhosted.endpoints.call import Route
    from rfhosted.hosted import Task
    from rfhosted.images.sources import SourceImage
    from rfhosted.images.upload import Upload
    from rfhosted.outputs.values import Box, Output

#: Bytes of a body that are not the image, apart from the prompts.
_ENVELOPE = 512


@dataclass(frozen=True, slots=True)
class Scale:
    """Between pixels of the original, upright image and those of the image that is sent.

    Attributes:
        original: (width, height) of the original image.
        sent: (width, height) of the image that is sent.
    """

    original: tuple[int, int]
    sent: tuple[int, int]

    def point_to_sent(self, x: float, y: float) -> tuple[float, float]:
        """A point of the original image, in pixels of the sent one."""
        (width, height), (sent_width, sent_height) = self.original, self.sent
        return x * sent_width / width, y * sent_height / height

    def box_to_sent(self, box: Box) -> Box:
        """A box (x0, y0, x1, y1) of the original image, in pixels of the sent one."""
        return (*self.point_to_sent(*box[:2]), *self.point_to_sent(*box[2:]))


class PromptedCall(Protocol):
    """What is requested of a prompted model, apart from the image."""

    @property
    def family(self) -> str:
        """Its row in ``hosted.PROMPTED_MODELS``."""

    @property
    def model(self) -> str:
        """The model id, as the response will be labelled: "sam3/sam3_final"."""

    @property
    def path(self) -> str:
        """The route: "/sam3/concept_segment"."""

    @property
    def image_size(self) -> int:
        """Longest side to send where nothing else is said, in pixels."""

    @property
    def confidence(self) -> float | None:
        """The threshold that is requested, a fraction; None where the model has none."""

    def check(self, size: tuple[int, int]) -> None:
        """Refuse prompts that make no sense for an image of this (width, height).

        Raises:
            ValueError: A box or point is outside of the image.
        """

    def bodies(self, image: dict[str, str], scale: Scale) -> list[dict[str, Any]]:
        """The JSON bodies of the requests, one or more; the key is never in one.

        Args:
            image: The image as these routes take it: ``{"type": "base64", "value": …}``.
            scale: From the original image to the one that is sent.
        """

    def read(self, responses: Sequence[Any], scale: Scale) -> Parsed:
        """What the responses say, in the order of the bodies; merged, in original pixels.

        Raises:
            UnexpectedAnswerError: A response cannot be read.
        """


@dataclass(frozen=True, slots=True)
class PreparedPrompts:
    """The requests of a prompted call, ready to be sent: see ``Client.prepare_prompted``.

    Attributes:
        call: What is requested.
        route: Which server runs it.
        source_image: The image that the prediction will be about.
        requests: What is sent, one after another, without the key.
        upload: What was done to the image; ``nbytes`` counts all requests.
        seconds: Time to read, decode, scale and encode the image.
    """

    call: PromptedCall
    route: Route
    source_image: SourceImage
    requests: tuple[Request, ...]
    upload: Upload
    seconds: float

    @property
    def scale(self) -> Scale:
        """Between the original image and the one that is sent."""
        return Scale(self.source_image.size, self.upload.size)

    @property
    def confidence(self) -> float:
        """The threshold that is requested, a fraction in [0, 1]."""
        return self.call.confidence or 0.0


def build(
    route: Route, address: str, call: PromptedCall, image: SourceImage, longest: int | None
) -> tuple[tuple[Request, ...], Upload]:
    """The requests, and what was done to the image.

    Args:
        route: Which server runs it.
        address: Scheme and host of the server.
        call: What is requested.
        image: The image to send.
        longest: Longest side to send, in pixels; None for every pixel.

    Raises:
        TooLargeError: The image cannot be made to fit.
        ImageError: The image turned out to be broken.
        ValueError: A prompt is outside of the image.
    """
    call.check(image.size)
    unscaled = call.bodies({"type": "base64", "value": ""}, Scale(image.size, image.size))
    overhead = _ENVELOPE + max(len(json.dumps(body)) for body in unscaled)
    limit = hosted.REQUEST_LIMITS[route.version] - hosted.HEAD_ROOM
    # Base64 takes four bytes for three.
    content, upload = fit(image, longest, budget=(limit - overhead) * 3 // 4, overhead=0)
    value = {"type": "base64", "value": base64.b64encode(content).decode("ascii")}
    bodies = call.bodies(value, Scale(image.size, upload.size))
    requests = tuple(json_request(route, address + call.path, body) for body in bodies)
    return requests, replace(upload, nbytes=sum(len(request.body) for request in requests))


def json_request(route: Route, url: str, body: Any) -> Request:
    """A request with a JSON body."""
    return Request(
        url,
        body=json.dumps(body, separators=(",", ":")).encode(),
        content_type="application/json",
        key_in_header=route.key_in_header,
        api_version=route.version,
        retried=hosted.RETRIED_PROMPTED,
    )


def merged(
    task: Task, output: Output, responses: Sequence[dict[str, Any]], notes: Sequence[str] = ()
) -> Parsed:
    """What several responses say together; their times are added up.

    Args:
        task: What the model output.
        output: It, in pixels of the original image.
        responses: The JSON of the responses; ``derived`` in one is a note of the embedded server.
        notes: What a reader should know of them.
    """
    times = [seconds_of(raw.get("time")) for raw in responses]
    known = [seconds for seconds in times if seconds is not None]
    simulated, derived = (
        [text for raw in responses if (text := response.text(raw.get(field)))]
        for field in ("simulated", "derived")
    )
    return Parsed(
        task,
        output,
        sum(known) if len(known) == len(times) else None,
        simulated[0] if simulated else None,
        tuple(dict.fromkeys((*derived, *notes))),
    )


def checked_names(names: Sequence[str] | str, what: str) -> tuple[str, ...]:
    """Names that a user gave, as a tuple; one text is one name.

    Raises:
        ValueError: There is none, one is empty, or one is there twice.
        TypeError: One is not a text.
    """
    given = (names,) if isinstance(names, str) else tuple(names)
    if not all(isinstance(name, str) for name in given):
        raise TypeError(f"{what} holds texts: ['dog', 'red car'].")
    cleaned = tuple(name.strip() for name in given)
    if not cleaned:
        raise ValueError(f"{what} is empty: name at least one thing.")
    if not all(cleaned):
        raise ValueError(f"{what} holds an empty text.")
    if len(set(cleaned)) < len(cleaned):
        raise ValueError(f"{what} holds a name twice.")
    return cleaned


def check_box(box: Box, size: tuple[int, int] | None = None, what: str = "box") -> Box:
    """A box of the user as four floats; with ``size``, it must be inside the image.

    Raises:
        ValueError, TypeError: It is not (x0, y0, x1, y1) with x0 < x1 and y0 < y1 in the image.
    """
    expected = f"{what} is (x0, y0, x1, y1) in pixels of the original image"
    try:
        x0, y0, x1, y1 = (float(side) for side in box)
    except (TypeError, ValueError):
        raise TypeError(f"{expected}.") from None
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"{expected}, with x0 < x1 and y0 < y1, not {(x0, y0, x1, y1)}.")
    if size and not (x0 >= 0 and y0 >= 0 and x1 <= size[0] and y1 <= size[1]):
        raise ValueError(
            f"{what} {(x0, y0, x1, y1)} is not inside the image of {size[0]} x {size[1]} pixels."
        )
    return x0, y0, x1, y1
