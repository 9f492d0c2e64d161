"""What a user sets for a prompted model: names, points, boxes, words. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from rfhosted import hosted
from rfhosted.hosted import ApiVersion, Task
from rfhosted.verbs import Verbs

if TYPE_CHECKING:
    from rfhosted.client import Client
    from rfhosted.endpoints.call import Call
    from rfhosted.endpoints.prompted import PreparedPrompts
    from rfhosted.images.sources import SourceImage
    from rfhosted.outputs.values import Box
    from rfhosted.transport.connection import Stop


class Verb(StrEnum):
    """The method of ``Client`` that a task type of the panel calls."""

    DETECT = "detect"
    SEGMENT = "segment"
    CLASSIFY = "classify"
    ASK = "ask"
    READ = "read"


#: What has display settings of its own: a task of ``predict``, or a verb.
Shown: TypeAlias = "Task | Verb | None"

TITLES = {
    Verb.DETECT: "Open-vocabulary detection",
    Verb.SEGMENT: "Segment by prompt",
    Verb.CLASSIFY: "Zero-shot classification",
    Verb.ASK: "Vision-language",
    Verb.READ: "Text recognition",
}
#: The models that the panel offers, the default first; ``hosted.PROMPTED_MODELS`` has the families.
MODELS = {
    Verb.DETECT: ("yolo-world",),
    Verb.SEGMENT: ("sam3", "sam2"),
    Verb.CLASSIFY: ("clip",),
    Verb.ASK: ("florence-2-base", "florence-2-large", "qwen3vl-2b-instruct"),
    Verb.READ: ("pp-ocr", "easy-ocr", "doctr", "trocr"),
}
#: The task with the same layers.
TASKS = {
    Verb.DETECT: Task.OBJECT_DETECTION,
    Verb.SEGMENT: Task.INSTANCE_SEGMENTATION,
    Verb.CLASSIFY: Task.CLASSIFICATION,
    Verb.ASK: Task.OBJECT_DETECTION,
    Verb.READ: Task.OBJECT_DETECTION,
}
#: Confidences that are shown at first, and the lowest ones that are requested.
CONFIDENCES = {Verb.DETECT: 0.05, Verb.SEGMENT: 0.5}
_FLOORS = {Verb.DETECT: 0.05, Verb.SEGMENT: 0.2}

#: Tasks of Florence-2 by their plain names; those that need words, and those that need a region.
FLORENCE_TASKS = (
    "caption",
    "detailed-caption",
    "more-detailed-caption",
    "object-detection",
    "object-detection-and-caption",
    "region-proposal",
    "ocr",
    "ocr-with-text-detection",
)
FLORENCE_WITH_WORDS = (
    "phrase-grounded-object-detection",
    "open-vocabulary-object-detection",
    "phrase-grounded-instance-segmentation",
)
FLORENCE_WITH_REGION = (
    "detection-grounded-instance-segmentation",
    "detection-grounded-classification",
    "detection-grounded-caption",
    "detection-grounded-ocr",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What Run requests of a prompted model.

    Attributes:
        verb: The method of ``Client``.
        model: Name of the model.
        names: What to find, in words.
        points: (x, y, belongs) in pixels of the original image; False is "not this".
        boxes: (x0, y0, x1, y1) in pixels of the original image; for ``ask``, the one region.
        text: Words for a vision-language model.
        task: A task of Florence-2 by its plain name.
    """

    verb: Verb
    model: str
    names: tuple[str, ...] = ()
    points: tuple[tuple[float, float, bool], ...] = ()
    boxes: tuple[Box, ...] = ()
    text: str = ""
    task: str = "caption"

    @property
    def is_florence(self) -> bool:
        """Whether the model has tasks instead of a free prompt."""
        return self.model.startswith("florence-2")

    @property
    def takes_names(self) -> bool:
        """Whether names are a prompt of the verb and the model."""
        return self.verb in (Verb.DETECT, Verb.CLASSIFY) or self.model == "sam3"

    @property
    def takes_region(self) -> bool:
        """Whether the chosen task is about a region of the image."""
        return self.verb is Verb.ASK and self.is_florence and self.task in FLORENCE_WITH_REGION

    @property
    def takes_words(self) -> bool:
        """Whether words are a prompt."""
        return self.verb is Verb.ASK and (not self.is_florence or self.task in FLORENCE_WITH_WORDS)

    @property
    def takes_clicks(self) -> bool:
        """Whether points or boxes are set on the image."""
        return self.verb is Verb.SEGMENT or self.takes_region

    @property
    def marked(self) -> bool:
        """Whether there are points or boxes."""
        return bool(self.points or self.boxes)

    def why_not(self) -> str | None:
        """What is still missing, or what cannot go together; None where it can be sent."""
        if self.verb is Verb.SEGMENT:
            return self._why_not_segment()
        if self.takes_names and not self.names:
            return "Enter at least one name."
        if self.takes_region and not self.boxes:
            return "Drag a box on the image, or enter its four numbers: the task is about a region."
        if self.takes_words and not self.text:
            return "Enter a phrase." if self.is_florence else "Enter a prompt."
        return None

    def _why_not_segment(self) -> str | None:
        if self.names and self.marked:
            return "Names do not go together with points or boxes: remove one of them."
        if self.names and not self.takes_names:
            return "SAM 2 takes points and boxes, not names: choose sam3 or remove the names."
        if self.points and len(self.boxes) > 1:
            return "Points go together with one box only: each box is an object of its own."
        if self.points and not self.boxes and not any(point[2] for point in self.points):
            return "Add a point on the object: there are only points that do not belong to it."
        if not self.names and not self.marked:
            return "Click on an object in the image, drag a box around it, or enter names."
        return None

    def arguments(self, shown: float) -> dict[str, Any]:
        """Keyword arguments of the verb, for a threshold that shows ``shown`` and can go lower."""
        given: dict[str, Any] = {"names": list(self.names)} if self.takes_names else {}
        if self.verb is Verb.SEGMENT:
            given = self._segment_arguments()
        if self.verb is Verb.ASK:
            given = self._ask_arguments()
        if self.verb in _FLOORS:
            given["confidence"] = min(_FLOORS[self.verb], shown)
        return given | {"model": self.model}

    def _segment_arguments(self) -> dict[str, Any]:
        if self.names:
            return {"names": list(self.names)}
        given: dict[str, Any] = {}
        if self.points:
            given["points"] = list(self.points)
        if len(self.boxes) == 1:
            given["box"] = self.boxes[0]
        elif self.boxes:
            given["boxes"] = list(self.boxes)
        return given

    def _ask_arguments(self) -> dict[str, Any]:
        given: dict[str, Any] = {"task": self.task} if self.is_florence else {}
        if self.takes_words:
            given["prompt"] = self.text
        if self.takes_region:
            given["region"] = self.boxes[-1]
        return given


def verbs() -> list[Verb]:
    """The verbs that ``Client`` has."""
    return [verb for verb in Verb if hasattr(Verbs, verb)]


def first(verb: Verb) -> Prompt:
    """The prompt of a task type that was just chosen."""
    return Prompt(verb=verb, model=MODELS[verb][0])


def runs_on_v1(verb: Verb) -> bool:
    """Whether the models of a verb run on v1."""
    return any(each.v1 for each in hosted.PROMPTED_MODELS.values() if each.verb == verb)


def why_not(prompt: Prompt, version: ApiVersion | None) -> str | None:
    """Why a prompt cannot be sent to a version; None where it can."""
    if version is ApiVersion.V1 and not runs_on_v1(prompt.verb):
        return f"{TITLES[prompt.verb]} runs on V2 only: choose V2."
    return prompt.why_not()


class _Preparing(Verbs):
    """Prepares what a verb would send, and keeps it instead of sending it."""

    def __init__(self, client: Client) -> None:
        self.prepare_prompted = client.prepare_prompted  # type: ignore[method-assign]  # the same
        self.prepared: PreparedPrompts | None = None

    def send_prompted(self, prepared: PreparedPrompts, *, stop: Stop | None = None) -> Any:  # noqa: ARG002 - nothing is sent
        """Keep it."""
        self.prepared = prepared


def prepare(
    client: Client, image: SourceImage, prompt: Prompt, call: Call, shown: float
) -> PreparedPrompts:
    """What the verb would send.

    Args:
        client: The client.
        image: The image.
        prompt: What is requested.
        call: Its ``image_size`` and ``api_version`` are used.
        shown: The threshold that is shown, a fraction in [0, 1].

    Raises:
        ValueError: The prompt cannot be sent.
        HostedError: It cannot be sent by that version, or without a key.
    """
    if reason := why_not(prompt, call.api_version):
        raise ValueError(reason)
    verbs = _Preparing(client)
    settings = {"image_size": call.image_size, "api_version": call.api_version}
    getattr(verbs, prompt.verb)(image, **prompt.arguments(shown), **settings)
    if verbs.prepared is None:
        raise RuntimeError(f"{prompt.verb} prepared nothing.")
    return verbs.prepared


def parsed_numbers(text: str, counts: tuple[int, ...], what: str) -> list[tuple[float, ...]]:
    """Groups of numbers that a user typed: "140 100; 60 50".

    Raises:
        ValueError: A group has another count of numbers.
    """
    groups = []
    for group in filter(None, (part.strip() for part in text.split(";"))):
        try:
            numbers = tuple(float(number) for number in group.replace(",", " ").split())
        except ValueError:
            numbers = ()
        if len(numbers) not in counts:
            raise ValueError(f"{what}, in pixels of the image, with ; between two.")
        groups.append(numbers)
    return groups
