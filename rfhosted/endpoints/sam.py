"""SAM 3 and SAM 2: masks of what is named, shown by an example, or pointed at."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from rfhosted.endpoints.image_tasks import unreadable
from rfhosted.endpoints.prompted import check_box, checked_names, merged
from rfhosted.endpoints.response import PartError
from rfhosted.endpoints.sam_masks import instances, list_of
from rfhosted.errors import UnsupportedError
from rfhosted.hosted import DEFAULT_IMAGE_SIZE, Task
from rfhosted.outputs.values import Box, Detection, check_fraction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfhosted.endpoints.image_tasks import Parsed
    from rfhosted.endpoints.prompted import Scale
    from rfhosted.endpoints.sam_masks import Named

    #: (x, y) in pixels of the original image, and whether it is on the object.
    Point: TypeAlias = tuple[float, float, bool]

#: Prompts that SAM 3 takes in one request.
_MOST_PROMPTS = 16
#: The server's own threshold; and the least, because it takes 0 for "not given".
_CONFIDENCE, _LEAST_CONFIDENCE = 0.5, 0.01
_SAM3, _SAM3_CONCEPT, _SAM3_VISUAL = "sam3", "sam3/sam3_final", "sam3/sam3_interactive"
_FINE_TUNED = "sam3-fine-tuned"
_SAM2 = "sam2"
_SAM2_VERSIONS = ("hiera_large", "hiera_b_plus", "hiera_small", "hiera_tiny")
_PROMPTS = (
    "names=['dog'] (everything of that name), points=[(x, y)] and/or box=(x0, y0, x1, y1) (the one"
    " object there), boxes=[…] (one object each), or like=(x0, y0, x1, y1) (everything that looks"
    " like it)"
)


def call(
    *,
    names: Sequence[str] | str | None = None,
    points: Sequence[Sequence[float]] | None = None,
    box: Box | None = None,
    boxes: Sequence[Box] | None = None,
    like: Box | Sequence[Box] | None = None,
    unlike: Box | Sequence[Box] | None = None,
    model: str = _SAM3,
    confidence: float | None = None,
) -> ByConcept | ByPlace:
    """What is requested of SAM: exactly one kind of prompt.

    Args:
        names: What to find: every object of each name.
        points: Points (x, y) of one object, or (x, y, False) outside of it.
        box: The box (x0, y0, x1, y1) around one object; points may say more of it.
        boxes: Several such boxes, one object each, each in a request of its own.
        like: One or more boxes around examples: every object that looks like them.
        unlike: One or more boxes around what is not meant; goes with ``like`` or ``names``.
        model: "sam3", a fine-tuned model of SAM 3 (on a server of your own), or "sam2",
            "sam2/hiera_tiny" (points and boxes).
        confidence: Least confidence, a fraction; None is 0.5 for names and examples, and every
            mask for points and boxes.

    Raises:
        ValueError, TypeError: No prompt, two kinds of prompt, or one that makes no sense.
        UnsupportedError: SAM 2 takes no names and no examples.
    """
    check_fraction("confidence", confidence)
    prompts = {"names": names, "points": points, "box": box, "boxes": boxes, "like": like}
    given = [name for name, prompt in prompts.items() if prompt is not None]
    if len(given) != 1 and given != ["points", "box"]:
        problem = f"{' and '.join(given)} cannot go together" if given else "there is no prompt"
        raise ValueError(f"{problem}: pass exactly one of {_PROMPTS}.")
    by_concept = given[0] in ("names", "like")
    if unlike is not None and not by_concept:
        raise ValueError(
            "unlike goes with names or like; what is not part of one object is a point of the form"
            " (x, y, False)."
        )
    family, model = _settled(model, by_concept=by_concept)
    if by_concept:
        return ByConcept(
            family,
            model,
            () if names is None else checked_names(names, "names"),
            () if like is None else _checked_boxes(like, "like"),
            () if unlike is None else _checked_boxes(unlike, "unlike"),
            _CONFIDENCE if confidence is None else confidence,
        )
    places = () if boxes is None else _checked_boxes(boxes, "boxes")
    if box is not None:
        places = (check_box(box),)
    placed = () if points is None else _checked_points(points)
    if not (places or any(on_object for *_, on_object in placed)):
        raise ValueError("points needs at least one point on the object: (x, y) without False.")
    return ByPlace(family, model, placed, places, confidence)


def _settled(model: str, *, by_concept: bool) -> tuple[str, str]:
    """The family of a model and its id."""
    if not isinstance(model, str):
        raise TypeError(f"model is a string such as 'sam3', not {type(model)}.")
    family, _, version = model.strip().partition("/")
    if family == _SAM2:
        return _SAM2, _settled_sam2(version, by_concept=by_concept)
    if model.strip() in (_SAM3, _SAM3_CONCEPT, _SAM3_VISUAL):
        return _SAM3, _SAM3_CONCEPT if by_concept else _SAM3_VISUAL
    if family and version:
        return _FINE_TUNED, model.strip()
    raise ValueError("model is 'sam3', 'sam2', or the id of a fine-tuned SAM 3 (workspace/slug).")


def _settled_sam2(version: str, *, by_concept: bool) -> str:
    if by_concept:
        raise UnsupportedError(
            "SAM 2 takes points and boxes, but no names and no examples",
            advice="Use model='sam3', or show the object with points= or box=.",
        )
    if version and version not in _SAM2_VERSIONS:
        expected = ", ".join(f"{_SAM2}/{name}" for name in _SAM2_VERSIONS)
        raise ValueError(f"model is one of {expected}; {_SAM2} is the first.")
    return f"{_SAM2}/{version or _SAM2_VERSIONS[0]}"


def _checked_boxes(given: Box | Sequence[Box], what: str) -> tuple[Box, ...]:
    """One box or several, as a tuple of boxes."""
    try:
        items: list[Any] = list(given)
    except TypeError:
        raise TypeError(f"{what} is a box (x0, y0, x1, y1), or a list of boxes.") from None
    if not items:
        raise ValueError(f"{what} is empty: give at least one box (x0, y0, x1, y1).")
    if what != "boxes" and len(items) == 4 and all(isinstance(i, numbers.Real) for i in items):
        return (check_box((items[0], items[1], items[2], items[3]), what=what),)
    return tuple(check_box(item, what=f"{what}[{i}]") for i, item in enumerate(items))


def _checked_points(given: Sequence[Sequence[float]]) -> tuple[Point, ...]:
    """Points of the user, each with whether it is on the object."""
    try:
        points = tuple(_point(list(point)) for point in given)
    except (TypeError, ValueError):
        raise TypeError(
            "points is a list of (x, y) or (x, y, False) in pixels of the original image."
        ) from None
    if not points:
        raise ValueError("points is empty: give at least one point (x, y).")
    return points


def _point(given: list[float]) -> Point:
    x, y, on_object = given if len(given) == 3 else (*given, True)
    return float(x), float(y), bool(on_object)


@dataclass(frozen=True, slots=True)
class ByConcept:
    """Every object of some names, or every one that looks like the examples (SAM 3).

    Attributes:
        family: Its row in ``hosted.PROMPTED_MODELS``.
        model: The model id.
        names: What to find; empty where only examples are given.
        like: Boxes around examples, in pixels of the original image.
        unlike: Boxes around what is not meant.
        confidence: Least confidence, a fraction.
    """

    family: str
    model: str
    names: tuple[str, ...]
    like: tuple[Box, ...]
    unlike: tuple[Box, ...]
    confidence: float

    @property
    def path(self) -> str:
        """The route."""
        return "/sam3/concept_segment"

    @property
    def image_size(self) -> int:
        """Longest side to send: a little more than the model's input of 1008 pixels."""
        return DEFAULT_IMAGE_SIZE

    def check(self, size: tuple[int, int]) -> None:
        """Refuse boxes outside of an image of this (width, height)."""
        for what, boxes in (("like", self.like), ("unlike", self.unlike)):
            for box in boxes:
                check_box(box, size, what)

    def bodies(self, image: dict[str, str], scale: Scale) -> list[dict[str, Any]]:
        """The JSON bodies: up to 16 names in each."""
        examples = [(box, 1) for box in self.like] + [(box, 0) for box in self.unlike]
        shown: dict[str, Any] = {"type": "text"}
        if examples:  # without the type, a server that forwards them would ignore the boxes
            boxes = [_from_corner(scale.box_to_sent(box)) for box, _ in examples]
            shown = {
                "type": "visual",
                "boxes": boxes,
                "box_labels": [label for _, label in examples],
            }
        prompts = [shown | {"text": name} for name in self.names] or [shown]
        return [
            {
                "image": image,
                "prompts": prompts[first : first + _MOST_PROMPTS],
                "format": "rle",  # polygons lose holes
                "output_prob_thresh": max(self.confidence, _LEAST_CONFIDENCE),
                "model_id": self.model,
            }
            for first in range(0, len(prompts), _MOST_PROMPTS)
        ]

    def read(self, responses: Sequence[Any], scale: Scale) -> Parsed:
        """What the responses say; the class is the name, or "object 1" and so on for examples.

        Raises:
            UnexpectedAnswerError: A response cannot be read.
        """
        first, found, notes = 0, list[Detection](), list[str]()
        for raw in responses:
            try:
                named = self._named(raw, first)
                objects, left_out = instances(named, scale)
            except PartError as error:
                raise unreadable(raw, str(error)) from None
            found += objects
            notes += left_out
            first += _MOST_PROMPTS
        return merged(Task.INSTANCE_SEGMENTATION, tuple(found), responses, notes)

    def _named(self, raw: Any, first: int) -> list[Named]:
        """The predictions of a response whose first prompt is at a place in ``names``."""
        results = list_of(raw, "prompt_results")
        names = self.names[first : first + _MOST_PROMPTS]
        expected = len(names) or 1
        if len(results) != expected:
            raise PartError(f"prompt_results has {len(results)} entries for {expected} prompts")
        predictions = [list_of(result, "predictions") for result in results]
        if not names:
            return [(f"object {i + 1}", i, item) for i, item in enumerate(predictions[0])]
        return [
            (name, class_id, item)
            for class_id, (name, items) in enumerate(zip(names, predictions, strict=True), first)
            for item in items
        ]


@dataclass(frozen=True, slots=True)
class ByPlace:
    """The one object at some points and in a box, or the one in each of several boxes.

    Attributes:
        family: Its row in ``hosted.PROMPTED_MODELS``.
        model: The model id.
        points: (x, y, whether it is on the object), in pixels of the original image.
        boxes: Boxes, one object each; one at most where there are points.
        confidence: Least confidence, a fraction; the server knows no threshold, so that masks
            below it are left out when the response is read. None keeps them all.
    """

    family: str
    model: str
    points: tuple[Point, ...]
    boxes: tuple[Box, ...]
    confidence: float | None

    @property
    def path(self) -> str:
        """The route."""
        return "/sam2/segment_image" if self.family == _SAM2 else "/sam3/visual_segment"

    @property
    def image_size(self) -> int:
        """Longest side to send: the model's input is 1008 or 1024 pixels."""
        return DEFAULT_IMAGE_SIZE

    def check(self, size: tuple[int, int]) -> None:
        """Refuse points and boxes outside of an image of this (width, height)."""
        for box in self.boxes:
            check_box(box, size)
        for x, y, _ in self.points:
            if not (0 <= x <= size[0] and 0 <= y <= size[1]):
                raise ValueError(
                    f"The point {(x, y)} is not inside the image of {size[0]} x {size[1]} pixels."
                )

    def bodies(self, image: dict[str, str], scale: Scale) -> list[dict[str, Any]]:
        """The JSON bodies, one for each object: servers have mixed up several in one request."""
        placed = [(scale.point_to_sent(x, y), on_object) for x, y, on_object in self.points]
        points = [{"x": x, "y": y, "positive": on_object} for (x, y), on_object in placed]
        shared: dict[str, Any] = {"points": points} if points else {}
        prompts = [
            shared | {"box": _from_centre(scale.box_to_sent(box))} for box in self.boxes
        ] or [shared]
        if self.family == _SAM2:
            model = {"sam2_version_id": self.model.removeprefix(f"{_SAM2}/")}
        else:
            model = {"model_id": self.model}
        return [{"image": image, "prompts": [each], "format": "rle"} | model for each in prompts]

    def read(self, responses: Sequence[Any], scale: Scale) -> Parsed:
        """What the responses say; the class is "object 1" for the first prompt, and so on.

        Raises:
            UnexpectedAnswerError: A response cannot be read.
        """
        found, notes = list[Detection](), list[str]()
        for class_id, raw in enumerate(responses):
            try:
                items = list_of(raw, "predictions")
                named = [(f"object {class_id + 1}", class_id, item) for item in items]
                objects, left_out = instances(named, scale)
            except PartError as error:
                raise unreadable(raw, str(error)) from None
            found += objects
            notes += left_out
        kept = tuple(one for one in found if one.certainty >= (self.confidence or 0))
        if len(kept) < len(found):
            notes.append(f"Left out, below the confidence of {self.confidence:g}: a mask of SAM.")
        return merged(Task.INSTANCE_SEGMENTATION, kept, responses, notes)


def _from_corner(box: Box) -> dict[str, float]:
    """A box as examples are sent: x and y are its left top corner."""
    x0, y0, x1, y1 = box
    return {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}


def _from_centre(box: Box) -> dict[str, float]:
    """A box as the place of an object is sent: x and y are its centre."""
    x0, y0, x1, y1 = box
    return {"x": (x0 + x1) / 2, "y": (y0 + y1) / 2, "width": x1 - x0, "height": y1 - y0}
