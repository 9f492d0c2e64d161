"""YOLO-World and Grounding DINO: boxes of the objects that are named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rfhosted.endpoints.image_tasks import parse
from rfhosted.endpoints.prompted import checked_names, merged
from rfhosted.hosted import DEFAULT_IMAGE_SIZE, Task
from rfhosted.outputs.text import one_line
from rfhosted.outputs.values import check_fraction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfhosted.endpoints.image_tasks import Parsed
    from rfhosted.endpoints.prompted import Scale

_YOLO_WORLD, _GROUNDING_DINO = "yolo-world", "grounding-dino"
#: Thresholds where the user gives none: a single name scores low with YOLO-World.
_CONFIDENCES = {_YOLO_WORLD: 0.05, _GROUNDING_DINO: 0.5}
#: Versions of YOLO-World, the default first.
_VERSIONS = ("v2-s", "v2-m", "v2-l", "v2-x", "s", "m", "l", "x")


def call(
    names: Sequence[str] | str, *, model: str = _YOLO_WORLD, confidence: float | None = None
) -> ByNames:
    """What is requested of an open-vocabulary detector.

    Args:
        names: What to find; the class id of an object is the place of its name.
        model: "yolo-world", "yolo-world/v2-l", or "grounding-dino" (on a server of your own).
        confidence: Least confidence, a fraction; None is 0.05 for YOLO-World and 0.5 for
            Grounding DINO.

    Raises:
        ValueError, TypeError: A name, the model or the confidence makes no sense.
    """
    check_fraction("confidence", confidence)
    if not isinstance(model, str):
        raise TypeError(f"model is a string such as '{_YOLO_WORLD}', not {type(model)}.")
    family, _, version = model.strip().partition("/")
    if family not in _CONFIDENCES or (family == _GROUNDING_DINO and version):
        raise ValueError(f"model is '{_YOLO_WORLD}' or '{_GROUNDING_DINO}'.")
    if version and version not in _VERSIONS:
        expected = ", ".join(f"{_YOLO_WORLD}/{each}" for each in _VERSIONS)
        raise ValueError(f"model is one of {expected}; {_YOLO_WORLD} is the first.")
    return ByNames(
        family,
        version or _VERSIONS[0],
        checked_names(names, "names"),
        _CONFIDENCES[family] if confidence is None else confidence,
    )


@dataclass(frozen=True, slots=True)
class ByNames:
    """The objects of some names, as boxes.

    Attributes:
        family: Its row in ``hosted.PROMPTED_MODELS``.
        version: The version of YOLO-World.
        names: What to find.
        confidence: Least confidence, a fraction.
    """

    family: str
    version: str
    names: tuple[str, ...]
    confidence: float

    @property
    def model(self) -> str:
        """The model id, as people write it."""
        return f"{_YOLO_WORLD}/{self.version}" if self.family == _YOLO_WORLD else self.family

    @property
    def path(self) -> str:
        """The route."""
        return "/yolo_world/infer" if self.family == _YOLO_WORLD else "/grounding_dino/infer"

    @property
    def image_size(self) -> int:
        """Longest side to send, in pixels."""
        return DEFAULT_IMAGE_SIZE

    def check(self, size: tuple[int, int]) -> None:
        """Names fit every image."""

    def bodies(self, image: dict[str, str], scale: Scale) -> list[dict[str, Any]]:  # noqa: ARG002 - the Protocol's
        """The JSON body of the one request."""
        body = {"image": image, "text": list(self.names)}
        if self.family == _GROUNDING_DINO:
            return [body | dict.fromkeys(("box_threshold", "text_threshold"), self.confidence)]
        return [body | {"confidence": self.confidence, "yolo_world_version_id": self.version}]

    def read(self, responses: Sequence[Any], scale: Scale) -> Parsed:
        """What the response says, in pixels of the original image.

        Raises:
            UnexpectedAnswerError: It cannot be read.
        """
        (raw,) = responses
        parsed = parse(raw, Task.OBJECT_DETECTION, image_size=scale.original, sent_size=scale.sent)
        assert isinstance(parsed.output, tuple)  # noqa: S101 - the task's kind of output
        places = {one_line(name): place for place, name in enumerate(self.names)}
        found = tuple(
            replace(item, class_id=places.get(item.class_name, item.class_id))
            for item in parsed.output
        )
        notes = parsed.notes
        if not found:
            advice = "lower the confidence, or describe the objects in other words."
            notes += (f"Nothing was found at a confidence of {self.confidence:g}: {advice}",)
        return merged(Task.OBJECT_DETECTION, found, responses, notes)
