"""An answer's JSON as plain values, in pixels of the original picture. Permissive, never guessing.

Servers differ in what they leave out; x, y, width, height, confidence and class are all that is
promised of an object. What fits no shape is an UnexpectedAnswerError that keeps the answer.
"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rfhosted import hosted
from rfhosted.errors import UnexpectedAnswerError
from rfhosted.hosted import COCO_KEY_POINTS, ApiVersion, Task
from rfhosted.images.upload import fit
from rfhosted.outputs import masks
from rfhosted.outputs.values import (
    Answer,
    ClassMap,
    ClassScore,
    Detection,
    KeyPoint,
    Polygon,
    Ranking,
    Rle,
)
from rfhosted.transport import request as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import numpy.typing as npt

    from rfhosted.endpoints.call import Call, Route
    from rfhosted.images.sources import SourceImage
    from rfhosted.images.upload import Upload
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


def parse(
    raw: Any, task: Task | None, *, picture: tuple[int, int], sent: tuple[int, int]
) -> tuple[Task, Answer]:
    """Read an answer.

    Args:
        raw: The answer's JSON.
        task: What was asked for; None takes the task from the answer.
        picture: (width, height) of the original, upright picture.
        sent: (width, height) of what was sent.

    Raises:
        UnexpectedAnswerError: The answer fits no shape, or is of another task.
    """
    problem: UnexpectedAnswerError | None = None
    try:
        told = _task_of(raw)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        told = None
        problem = _unexpected(raw)
    else:
        if told and task and told != task:
            problem = _mismatch(raw, told, task)
    if problem is None:
        answered = told or task or Task.OBJECT_DETECTION
        try:
            return answered, _READERS[answered](raw, picture, sent)
        # OSError: a class map that is no PNG.
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OSError):
            problem = _unexpected(raw)
    raise problem


def _unexpected(raw: Any) -> UnexpectedAnswerError:
    if isinstance(raw, dict) and raw.get("is_stub"):
        return UnexpectedAnswerError(
            "The project has no trained model: the server answered a stub",
            raw=raw,
            status=200,
            advice="Train a version, or use another model id.",
        )
    return UnexpectedAnswerError("The answer has no shape that we know", raw=raw, status=200)


def _mismatch(raw: Any, told: Task, task: Task) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(
        f"The model answered {told}, and {task} was asked for",
        raw=raw,
        status=200,
        advice=f"Pass task='{told}', or leave the task out; the answer is kept in .raw.",
    )


def _task_of(raw: Any) -> Task | None:
    """The task that an answer's shape tells; None where nothing was found and nothing tells."""
    if raw.get("is_stub") or not ("predictions" in raw or "segmentation_mask" in raw):
        raise ValueError
    found = raw.get("predictions")
    if "segmentation_mask" in raw or (isinstance(found, dict) and "segmentation_mask" in found):
        return Task.SEMANTIC_SEGMENTATION
    if isinstance(found, dict) or "top" in raw:
        return Task.CLASSIFICATION
    if not found:
        return None
    first = found[0]
    if "keypoints" in first:
        return Task.KEYPOINT_DETECTION
    if {"points", "rle", "rle_mask"} & first.keys():
        return Task.INSTANCE_SEGMENTATION
    return Task.OBJECT_DETECTION


def _read_found(raw: Any, picture: tuple[int, int], sent: tuple[int, int]) -> tuple[Detection, ...]:
    # The answer's own size where it tells one: a reduced mask grid is smaller than what was sent.
    width, height = map(float, sent)
    told = raw.get("image")
    if isinstance(told, dict) and told.get("width") and told.get("height"):
        width, height = float(told["width"]), float(told["height"])
    scale = picture[0] / width, picture[1] / height
    names = sorted({_name(item) for item in raw["predictions"]})
    return tuple(_found(item, scale, names.index(_name(item))) for item in raw["predictions"])


def _found(item: Mapping[str, Any], scale: tuple[float, float], position: int) -> Detection:
    sx, sy = scale
    x, y = _number(item["x"]) * sx, _number(item["y"]) * sy
    half_width, half_height = _number(item["width"]) * sx / 2, _number(item["height"]) * sy / 2
    return Detection(
        _name(item),
        # Old v1 answers have no class_id: then the class's place in the answer's sorted names.
        int(item.get("class_id", position)),
        _number(item["confidence"]),
        (x - half_width, y - half_height, x + half_width, y + half_height),
        _mask(item, scale),
        tuple(_key_point(point, scale, i) for i, point in enumerate(item.get("keypoints", ()))),
    )


def _mask(item: Mapping[str, Any], scale: tuple[float, float]) -> Polygon | Rle | None:
    import numpy as np

    run_lengths = item.get("rle") or item.get("rle_mask")
    if run_lengths:
        height, width = run_lengths["size"]
        return masks.rle((int(height), int(width)), masks.decode_counts(run_lengths["counts"]))
    outline = item.get("points") or ()
    if len(outline) < 3:
        return None  # no area; supervision would drop the masks of the whole picture for it
    points = np.array([(point["x"], point["y"]) for point in outline], dtype=np.float32)
    if not np.isfinite(points).all():
        raise ValueError
    return Polygon(points * np.array(scale, dtype=np.float32))


def _key_point(item: Mapping[str, Any], scale: tuple[float, float], position: int) -> KeyPoint:
    name = str(item.get("class", item.get("class_name", position)))
    slot = COCO_KEY_POINTS.index(name) if name in COCO_KEY_POINTS else position
    return KeyPoint(
        _number(item["x"]) * scale[0],
        _number(item["y"]) * scale[1],
        _number(item["confidence"]),
        int(item.get("class_id", slot)),
        name,
    )


def _read_ranking(raw: Any, picture: tuple[int, int], sent: tuple[int, int]) -> Ranking:
    del picture, sent  # scores have no place
    found = raw["predictions"]
    multi = isinstance(found, dict)
    items = [{"class": name, **score} for name, score in found.items()] if multi else found
    ranked = [
        ClassScore(_name(item), int(item.get("class_id", i)), _number(item["confidence"]))
        for i, item in enumerate(items)
    ]
    ranked.sort(key=lambda entry: -entry.confidence)
    present = tuple(str(name) for name in raw.get("predicted_classes", ())) if multi else None
    return Ranking(tuple(ranked), present)


def _read_regions(raw: Any, picture: tuple[int, int], sent: tuple[int, int]) -> ClassMap:
    del picture, sent  # the class map is scaled when it is asked for
    found = raw if "segmentation_mask" in raw else raw["predictions"]
    names = {int(key): str(name) for key, name in found["class_map"].items()}
    background = [key for key, name in names.items() if name.lower() == "background"]
    confidence = found.get("confidence_mask")
    return ClassMap(
        _grey(found["segmentation_mask"]),
        _grey(confidence) if confidence else None,
        names,
        background[0] if background else None,
    )


def _grey(png: str) -> npt.NDArray[np.uint8]:
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        if image.mode not in ("L", "P", "1"):
            raise ValueError
        # A palette's colours mean nothing here: the values are the class ids.
        return np.array(image, dtype=np.uint8)


def _name(item: Mapping[str, Any]) -> str:
    return str(item["class"] if "class" in item else item["class_name"])


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


_READERS: dict[Task, Callable[..., Answer]] = {
    Task.OBJECT_DETECTION: _read_found,
    Task.INSTANCE_SEGMENTATION: _read_found,
    Task.KEYPOINT_DETECTION: _read_found,
    Task.CLASSIFICATION: _read_ranking,
    Task.SEMANTIC_SEGMENTATION: _read_regions,
}
