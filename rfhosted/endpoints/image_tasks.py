"""The five image tasks, by v1 and by V2: build the request, read the response.

Servers differ in what they leave out; x, y, width, height, confidence and class are all that is
promised of an object. Reading is permissive and never guesses; see ``response`` for the checks.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from rfhosted import hosted
from rfhosted.endpoints import response
from rfhosted.endpoints.response import LeftOut, PartError
from rfhosted.errors import UnexpectedAnswerError, message_in
from rfhosted.hosted import COCO_KEY_POINTS, ApiVersion, Task
from rfhosted.images.upload import fit
from rfhosted.outputs import limits, masks
from rfhosted.outputs.values import (
    ClassMap,
    ClassScore,
    Detection,
    KeyPoint,
    Output,
    Polygon,
    Ranking,
    Rle,
)
from rfhosted.transport import request as wire

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from rfhosted.endpoints.call import Call, Route
    from rfhosted.images.sources import SourceImage
    from rfhosted.images.upload import Upload
    from rfhosted.transport.request import Request

Kept = TypeVar("Kept")
#: Pixels of the original image to a pixel of the response, across and down.
Scale: TypeAlias = tuple[float, float]

_DERIVED = "The masks are derived from boxes and a class map, not output by a trained model."


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
    reader = _Reader(raw, image_size, sent_size)
    try:
        found = _task_of(raw)
        label = raw.get("simulated")
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
        problem = _unreadable(raw, str(error))
    raise problem


def _unreadable(raw: Any, why: str) -> UnexpectedAnswerError:
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


class _Reader:
    """Reads one response; what cannot be used is left out and noted."""

    def __init__(self, raw: Any, image_size: tuple[int, int], sent_size: tuple[int, int]) -> None:
        self._raw, self._image_size, self._sent_size = raw, image_size, sent_size
        self.left_out = LeftOut()
        pixels = (width * height for width, height in (image_size, sent_size))
        self._largest_grid = max(limits.LARGEST_OWN_GRID, *pixels)
        self._mask_cover = self._mask_pixels = self._outline_work = 0.0

    def read(self, task: Task) -> Output:
        if task is Task.SEMANTIC_SEGMENTATION:
            return self._class_map()
        return self._ranking() if task is Task.CLASSIFICATION else self._detections()

    def _scale(self) -> Scale:
        # The response's own size where it has one: a reduced mask grid is smaller than what was
        # sent.
        reported = self._raw.get("image")
        width, height = map(float, self._sent_size)
        if isinstance(reported, dict):
            sides = [response.finite(reported.get(side)) for side in ("width", "height")]
            if all(side and 1 <= side <= limits.LONGEST_SIDE for side in sides):
                width, height = map(float, sides)  # type: ignore[arg-type]  # just checked
        return self._image_size[0] / width, self._image_size[1] / height

    def _needed(self, items: Any, read: Callable[[Any, int], Kept], kind: str) -> list[Kept]:
        """The readable items of a list, of which at least one must be, if there are any."""
        kept = self.left_out.readable(items, read, kind, "predictions")
        if items and not kept:
            raise PartError(self.left_out.first(kind))
        return kept

    def _detections(self) -> tuple[Detection, ...]:
        items = self.left_out.some(self._raw["predictions"], limits.MOST_DETECTIONS, "object")
        objects = [item for item in items if isinstance(item, dict)]
        names = sorted({response.class_name(item) or "" for item in objects})
        places = {name: place for place, name in enumerate(names)}
        scale = self._scale()
        found = self._needed(items, lambda item, _: self._detection(item, scale, places), "object")
        if any(item.get("mask_source") == "derived" for item in objects):
            self.left_out.note(_DERIVED)
        if note := response.text(self._raw.get("note")):  # of the embedded server
            self.left_out.note(note)
        return tuple(found)

    def _detection(self, item: Any, scale: Scale, places: dict[str, int]) -> Detection:
        x, y = (response.number(item, field) for field in ("x", "y"))
        width, height = (response.number(item, field, 0) for field in ("width", "height"))
        sx, sy = scale
        box = (
            (x - width / 2) * sx,
            (y - height / 2) * sy,
            (x + width / 2) * sx,
            (y + height / 2) * sy,
        )
        if max(map(abs, box)) > limits.FARTHEST_COORDINATE:
            raise PartError(": its box is far outside of the image")
        name, class_id = response.class_name(item), response.class_id(item)
        if class_id is None:
            # Old v1 responses have no ids: then the name's place among the sorted names.
            name, class_id = name or "(no name)", places[name or ""]
        return Detection(
            name or f"#{class_id}",
            class_id,
            response.fraction(item),
            box,
            self._mask(item, scale),
            self._key_points(item, scale),
        )

    def _mask(self, item: dict[str, Any], scale: Scale) -> Polygon | Rle | None:
        try:
            mask = self._rle(item) or self._polygon(item, scale)
        except PartError as error:
            self.left_out.add("mask", str(error))
            return None
        if mask is None:
            return None
        height, width = mask.size if isinstance(mask, Rle) else self._image_size
        cover = self._mask_cover + masks.cover(mask, self._image_size)
        area = max(height * width, self._image_size[0] * self._image_size[1])
        pixels = self._mask_pixels + (cover - self._mask_cover) * area
        if cover > limits.MOST_MASK_COVER or pixels > limits.MOST_MASK_PIXELS:
            self.left_out.note("The masks are too large together: some are left out.")
            return None
        self._mask_cover, self._mask_pixels = cover, pixels
        return mask

    def _rle(self, item: dict[str, Any]) -> Rle | None:
        run_lengths = item.get("rle") or item.get("rle_mask")
        if not run_lengths:
            return None
        if not isinstance(run_lengths, dict):
            raise PartError(f"rle is {response.shown(run_lengths)}")
        sides = run_lengths.get("size")
        if not isinstance(sides, list) or len(sides) != 2:
            raise PartError(f"rle.size is {response.shown(sides)}")
        height, width = (response.whole(side, 1, limits.LONGEST_SIDE) for side in sides)
        if height is None or width is None:
            raise PartError("rle.size holds what is not a number of pixels")
        if height * width > self._largest_grid:
            raise PartError(f"rle.size is {height} x {width}, larger than the image")
        try:
            return masks.rle((height, width), masks.decode_counts(run_lengths.get("counts")))
        except ValueError as error:
            raise PartError(str(error)) from None

    def _polygon(self, item: dict[str, Any], scale: Scale) -> Polygon | None:
        import numpy as np

        outline = item.get("points") or []
        if not isinstance(outline, list):
            raise PartError(f"points is {response.shown(outline)}")
        points = self._corners(outline) * scale
        if len(points) < 3:
            return None  # no area; supervision would drop the masks of the whole image for it
        if np.abs(points).max() > limits.FARTHEST_COORDINATE:
            raise PartError("an outline is far outside of the image")
        # What filling costs: the rows that its sides cross, squared, per row.
        crossed = np.abs(np.diff(points[:, 1], append=points[:1, 1])).sum()
        work = self._outline_work + crossed**2 / (1 + np.ptp(points[:, 1]))
        if work > limits.MOST_OUTLINE_WORK:
            raise PartError(f"an outline of {len(points):,} corners crosses itself everywhere")
        self._outline_work = work
        return Polygon(points.astype(np.float32))

    def _corners(self, outline: list[Any]) -> npt.NDArray[np.float64]:
        import numpy as np

        try:
            points = np.array([(corner["x"], corner["y"]) for corner in outline], dtype=np.float64)
        except (LookupError, TypeError, ValueError, OverflowError):
            points = np.zeros(0)
        if points.ndim == 2 and (np.abs(points) <= limits.FARTHEST_COORDINATE).all():
            return points
        one_by_one = self.left_out.readable(
            outline,
            lambda corner, _: (response.number(corner, "x"), response.number(corner, "y")),
            "outline corner",
            "points",
        )
        return np.array(one_by_one, dtype=np.float64).reshape(-1, 2)

    def _key_points(self, item: dict[str, Any], scale: Scale) -> tuple[KeyPoint, ...]:
        items = item.get("keypoints") or []
        if not isinstance(items, list):
            self.left_out.add("keypoint list", f"keypoints is {response.shown(items)}")
            return ()
        items = self.left_out.some(items, limits.MOST_KEYPOINTS, "keypoint")
        read = functools.partial(_key_point, scale=scale)
        return tuple(self.left_out.readable(items, read, "keypoint", "keypoints"))

    def _ranking(self) -> Ranking:
        found = self._raw["predictions"]
        present: tuple[str, ...] | None = None
        if isinstance(found, dict):  # several classes may be present at once
            items = [
                {"class": name, **score} if isinstance(score, dict) else score
                for name, score in found.items()
            ]
            names = self._raw.get("predicted_classes")
            texts = map(response.text, names if isinstance(names, list) else ())
            present = tuple(dict.fromkeys(name for name in texts if name))
        else:
            items = found
        ranked = self._needed(items, _class_score, "score")
        ranked.sort(key=lambda score: -score.confidence)
        ranked = self.left_out.some(ranked, limits.MOST_SCORES, "score")
        return Ranking(tuple(ranked), present)

    def _class_map(self) -> ClassMap:
        found = self._raw if "segmentation_mask" in self._raw else self._raw["predictions"]
        entries = found.get("class_map") if isinstance(found, dict) else None
        if not isinstance(entries, dict):
            raise PartError(f"class_map is {response.shown(entries)}")
        names = {}
        for key, name in entries.items():
            class_id = response.whole(key, 0, 255)  # a mask has a byte for each pixel
            if class_id is None:
                self.left_out.add("class map key", f"its id is {response.shown(key)}")
            else:
                names[class_id] = response.text(name) or f"#{class_id}"
        background = [key for key, name in names.items() if name.lower() == "background"]
        class_ids = response.grey_png(
            found["segmentation_mask"], "segmentation_mask", self._largest_grid
        )
        return ClassMap(
            class_ids,
            self._confidence_mask(found.get("confidence_mask"), class_ids.shape),
            names,
            background[0] if background else None,
        )

    def _confidence_mask(self, png: Any, shape: tuple[int, ...]) -> npt.NDArray[np.uint8] | None:
        if not png:
            return None
        try:
            confidence = response.grey_png(png, "confidence_mask", self._largest_grid)
        except PartError as error:
            self.left_out.add("confidence mask", str(error))
            return None
        if confidence.shape == shape:
            return confidence
        self.left_out.add("confidence mask", "it has another size than the class map")
        return None


def _key_point(item: Any, position: int, *, scale: Scale) -> KeyPoint:
    x, y = response.number(item, "x") * scale[0], response.number(item, "y") * scale[1]
    if max(abs(x), abs(y)) > limits.FARTHEST_COORDINATE:
        raise PartError(" is far outside of the image")
    name = response.class_name(item)
    slot = COCO_KEY_POINTS.index(name) if name in COCO_KEY_POINTS else position
    if item.get("class_id") is not None:
        slot = int(response.number(item, "class_id", 0, limits.MOST_KEYPOINTS - 1))
    return KeyPoint(x, y, response.fraction(item), slot, name or str(slot))


def _class_score(item: Any, position: int) -> ClassScore:
    confidence = response.fraction(item)
    name, class_id = response.class_name(item), response.class_id(item)
    if class_id is None:
        return ClassScore(name or "(no name)", position, confidence)
    return ClassScore(name or f"#{class_id}", class_id, confidence)
