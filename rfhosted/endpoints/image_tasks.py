"""The five image tasks, by v1 and by V2: build the request, read the response."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rfhosted import hosted
from rfhosted.endpoints import response
from rfhosted.endpoints.readers import Reader
from rfhosted.endpoints.response import PartError
from rfhosted.errors import UnexpectedAnswerError, message_in
from rfhosted.hosted import ApiVersion, Task
from rfhosted.images.upload import fit
from rfhosted.transport import request as wire

if TYPE_CHECKING:
    from rfhosted.endpoints.call import Call, Route
    from rfhosted.images.sources import SourceImage
    from rfhosted.images.upload import Upload
    from rfhosted.outputs.values import Output
    from rfhosted.transport.request import Request


def build(
    route: Route, address: str, call: Call, image: SourceImage, longest: int | None
) -> tuple[Request, Upload, bytes]:
    """The request, what was done to the image, and the image file that it holds.

    Args:
        route: Which model, by which version.
        address: Scheme and host of the server.
        call: What is requested, its confidence settled.
        image: The image to send.
        longest: Longest side to send, in pixels; None for every pixel.

    Raises:
        TooLargeError: The image cannot be made to fit.
        ImageError: The image turned out to be broken.
    """
    budget = hosted.REQUEST_LIMITS[route.version] - hosted.HEAD_ROOM
    content, upload = fit(image, longest, budget=budget, overhead=wire.FORM_BYTES)
    body, content_type = wire.multipart(content, upload.format)
    url = f"{address}/{route.model}"
    request = wire.Request(
        url,
        _parameters(route, call),
        body,
        content_type,
        key_in_header=route.key_in_header,
        api_version=route.version,
    )
    return request, replace(upload, nbytes=len(body)), content


def _parameters(route: Route, call: Call) -> dict[str, str]:
    """Query parameters, without the key."""
    percent = route.host in hosted.PERCENT_HOSTS
    params = {"confidence": _threshold(call.confidence or 0.0, percent=percent)}
    if route.task not in hosted.TASKS_WITHOUT_OVERLAP:
        params["overlap"] = _threshold(call.overlap, percent=percent)
    # A polygon loses holes and separate parts; RLE keeps them, but v1 does not have it.
    if route.task in (Task.INSTANCE_SEGMENTATION, None) and route.version is ApiVersion.V2:
        params["response_mask_format"] = "rle"
    return params


def _threshold(fraction: float, *, percent: bool) -> str:
    # Servers take 1 and more as percent, so 1.0 is written as 100; and a host that knows percent
    # only must never get less than 1.
    if percent and fraction > 0:
        return f"{max(1.0, fraction * 100):g}"
    return f"{fraction:g}" if fraction < 1 else "100"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a response says.

    Attributes:
        task: What the model output.
        output: It, in pixels of the original image.
        exec: Seconds that the model worked; None where that is not reported.
        simulated: Which of the times are a simulation, in words; None where a model worked.
        notes: What a reader should know of this response.
    """

    task: Task
    output: Output
    exec: float | None
    simulated: str | None
    notes: tuple[str, ...]


def parse(
    raw: Any, task: Task | None, *, image_size: tuple[int, int], sent_size: tuple[int, int]
) -> Parsed:
    """Read a response.

    Args:
        raw: The JSON of the response.
        task: What was requested; None takes the task from the response.
        image_size: (width, height) of the original, upright image.
        sent_size: (width, height) of what was sent.

    Raises:
        UnexpectedAnswerError: The response cannot be read, or is of another task.
    """
    reader = Reader(raw, image_size, sent_size)
    try:
        found = _task_of(raw)
        if not (found and task and found != task):
            settled = found or task or Task.OBJECT_DETECTION
            label = raw.get("simulated")
            return Parsed(
                settled,
                reader.read(settled),
                wire.seconds_of(raw.get("time")),
                response.text(label) if isinstance(label, str) else None,
                reader.left_out.notes(),
            )
        problem = _mismatch(raw, found, task)
    except PartError as error:
        problem = unreadable(raw, str(error))
    raise problem


def unreadable(raw: Any, why: str) -> UnexpectedAnswerError:
    """The error for a response that cannot be read, with what the server says in it."""
    if isinstance(raw, dict) and raw.get("is_stub"):
        return UnexpectedAnswerError(
            "The project has no trained model: the server sent a placeholder",
            raw=raw,
            status=200,
            advice="Train a version, or use another model id.",
        )
    message = message_in(raw) if isinstance(raw, dict) else None
    if message:
        return UnexpectedAnswerError(
            "The response is an error with the status of a success",
            raw=raw,
            status=200,
            server_message=message,
        )
    return UnexpectedAnswerError(f"Unrecognised response: {why}", raw=raw, status=200)


def _mismatch(raw: Any, found: Task, task: Task) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(
        f"Expected {task}, but the response is {found}",
        raw=raw,
        status=200,
        advice=f"Pass task='{found}', or leave the task out; the response is kept in .raw.",
    )


def _task_of(raw: Any) -> Task | None:
    """The task that the shape of a response shows; None where there is no object to show it."""
    if not isinstance(raw, dict) or raw.get("is_stub"):
        raise PartError("it is not an object with predictions")
    if "segmentation_mask" in raw:
        return Task.SEMANTIC_SEGMENTATION
    found = raw.get("predictions")
    if isinstance(found, dict):
        semantic = "segmentation_mask" in found
        return Task.SEMANTIC_SEGMENTATION if semantic else Task.CLASSIFICATION
    if not isinstance(found, list):
        raise PartError(f"predictions is {response.shown(found)}")
    if "top" in raw:
        return Task.CLASSIFICATION
    return _task_of_objects(found) if found else None


def _task_of_objects(found: list[Any]) -> Task:
    # All of them: an object for which the model found no mask or keypoint has no such field.
    fields = {field for item in found if isinstance(item, dict) for field in item}
    if "keypoints" in fields:
        return Task.KEYPOINT_DETECTION
    if fields & {"points", "rle", "rle_mask"}:
        return Task.INSTANCE_SEGMENTATION
    return Task.OBJECT_DETECTION
