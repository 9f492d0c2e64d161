"""Florence-2, /infer/lmm: captions, boxes, masks and text, by the plain name of a task.

Coordinates are pixels of the image that was sent. No response has a confidence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from rfhosted.endpoints import language, response
from rfhosted.endpoints.image_tasks import unreadable
from rfhosted.endpoints.prompted import check_box, checked_names, merged
from rfhosted.endpoints.response import LeftOut, PartError
from rfhosted.hosted import DEFAULT_IMAGE_SIZE, Task, prompted_family
from rfhosted.outputs import limits, masks
from rfhosted.outputs.text import one_line
from rfhosted.outputs.values import Detection, Polygon, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfhosted.endpoints.image_tasks import Parsed
    from rfhosted.endpoints.prompted import Scale
    from rfhosted.outputs.values import Box, Output, Rle

_FAMILY = "florence-2"
_CAPTION = "caption"
#: Places of a region or a box are numbers from 0 to this.
_LAST_PLACE = 999


class _Kind(NamedTuple):
    """A task of Florence-2: its token, what its response is, and what it wants."""

    token: str
    output: str = "text"
    wants: str = ""


_TASKS = {
    _CAPTION: _Kind("<CAPTION>"),
    "detailed-caption": _Kind("<DETAILED_CAPTION>"),
    "more-detailed-caption": _Kind("<MORE_DETAILED_CAPTION>"),
    "object-detection": _Kind("<OD>", "boxes"),
    "object-detection-and-caption": _Kind("<DENSE_REGION_CAPTION>", "boxes"),
    "region-proposal": _Kind("<REGION_PROPOSAL>", "boxes"),
    "phrase-grounded-object-detection": _Kind("<CAPTION_TO_PHRASE_GROUNDING>", "boxes", "phrase"),
    "open-vocabulary-object-detection": _Kind("<OPEN_VOCABULARY_DETECTION>", "either", "names"),
    "phrase-grounded-instance-segmentation": _Kind(
        "<REFERRING_EXPRESSION_SEGMENTATION>", "masks", "phrase"
    ),
    "detection-grounded-instance-segmentation": _Kind(
        "<REGION_TO_SEGMENTATION>", "masks", "region"
    ),
    "detection-grounded-classification": _Kind("<REGION_TO_CATEGORY>", "text", "region"),
    "detection-grounded-caption": _Kind("<REGION_TO_DESCRIPTION>", "text", "region"),
    "detection-grounded-ocr": _Kind("<REGION_TO_OCR>", "text", "region"),
    "ocr": _Kind("<OCR>"),
    "ocr-with-text-detection": _Kind("<OCR_WITH_REGION>", "corners"),
}
#: The tasks by their plain names, as ``ask`` takes them.
TASKS = tuple(_TASKS)
#: What a task wants besides the image: "phrase", "names" (a list), "region", or "".
WANTS = {name: kind.wants for name, kind in _TASKS.items()}

_WANTED = {
    "phrase": "words for what to find, as prompt: prompt='a red car', task='{task}'",
    "names": "names of what to find, as prompt: prompt=['dog', 'cat'], task='{task}'",
    "region": "a box of the image: region=(x0, y0, x1, y1)",
}


@dataclass(frozen=True, slots=True)
class FlorenceCall:
    """One task of Florence-2; see ``call``.

    Attributes:
        model: The model id: "florence-2-base".
        task: Its plain name.
        words: What to find; empty where the task takes no words.
        region: A box in pixels of the original image, or None.
        max_new_tokens: Most tokens that the model writes.
    """

    model: str
    task: str
    words: tuple[str, ...]
    region: Box | None
    max_new_tokens: int

    family = _FAMILY
    path = language.PATH
    confidence = None

    @property
    def image_size(self) -> int:
        """Longest side to send: the model sees 768 x 768."""
        return max(768, DEFAULT_IMAGE_SIZE)

    def check(self, size: tuple[int, int]) -> None:
        """Refuse a region that is not inside the image.

        Raises:
            ValueError: It is not.
        """
        if self.region:
            check_box(self.region, size, "region")

    def bodies(self, image: dict[str, str], scale: Scale) -> list[dict[str, Any]]:
        """The body of the one request; its prompt is built from the table of tasks."""
        prompt = _TASKS[self.task].token + "<and>".join(self.words)
        if self.region:
            prompt += _places(self.region, scale.original)
        return [
            {
                "model_id": self.model,
                "image": image,
                "prompt": prompt,
                "max_new_tokens": self.max_new_tokens,
            }
        ]

    def read(self, responses: Sequence[Any], scale: Scale) -> Parsed:
        """A text, boxes or masks, as the task has it.

        Raises:
            UnexpectedAnswerError: The response cannot be read.
        """
        (raw,) = responses
        reader = _Reader(raw, self, scale)
        try:
            task, output = reader.read()
        except PartError as error:
            raise unreadable(raw, str(error)) from None
        return merged(task, output, responses, reader.left_out.notes())


def call(
    prompt: str | Sequence[str] | None = None,
    *,
    task: str | None = None,
    region: Box | None = None,
    model: str = "florence-2-base",
    max_new_tokens: int = language.MOST_NEW_TOKENS,
) -> FlorenceCall | language.LanguageCall:
    """What is requested of Florence-2, or of another vision-language model.

    Args:
        prompt: The words that a task of Florence-2 wants (several names for open vocabulary), or
            the prompt of another model.
        task: A task of Florence-2, see ``TASKS``; None is "caption".
        region: The box (x0, y0, x1, y1) that a task is about, in pixels of the original image.
        model: "florence-2-base", "florence-2-large", a fine-tuned one, or another model's id.
        max_new_tokens: Most tokens that the model writes, 1024 at most.

    Raises:
        ValueError, TypeError: An argument is missing, or makes no sense for this task or model.
    """
    language.check_tokens(max_new_tokens)
    family = prompted_family(model)
    florence = family == _FAMILY or "florence" in model.lower()
    if not florence and family is None and task is not None:
        florence = True  # a fine-tuned model, by its own id
    if not florence:
        if task is not None or region is not None:
            raise ValueError(
                f"task and region are of Florence-2; {model} takes words: prompt='How many dogs?'."
            )
        return language.call(prompt, model, max_new_tokens)
    if task is None and prompt is not None:
        raise ValueError(
            "Florence-2 takes no free prompts: choose a task that takes words, such as"
            " task='phrase-grounded-object-detection', or a model such as"
            " model='qwen3vl-2b-instruct'."
        )
    name = task or _CAPTION
    if name not in _TASKS:
        raise ValueError(language.unknown("task", name, _TASKS))
    words, box = _wanted(name, prompt, region)
    return FlorenceCall(model, name, words, box, max_new_tokens)


def _wanted(
    task: str, prompt: str | Sequence[str] | None, region: Box | None
) -> tuple[tuple[str, ...], Box | None]:
    """The words and the region, as the task wants them; what it does not want is refused."""
    wants = _TASKS[task].wants
    if wants != "region" and region is not None:
        raise ValueError(f"The task {task!r} takes no region.")
    takes_words = wants in ("phrase", "names")
    if not takes_words and prompt is not None:
        raise ValueError(f"The task {task!r} takes no words: leave out the prompt.")
    if wants and (prompt if takes_words else region) is None:
        raise ValueError(f"The task {task!r} needs {_WANTED[wants].format(task=task)}.")
    if wants == "region":
        return (), check_box(region, what="region")  # type: ignore[arg-type]  # not None
    if not takes_words:
        return (), None
    words = checked_names(prompt, "prompt")  # type: ignore[arg-type]  # not None
    if wants == "phrase" and len(words) > 1:
        raise ValueError(f"The task {task!r} takes one text as prompt.")
    if any(re.search("<[^>]*>", word) for word in words):
        raise ValueError("The prompt holds a token in angle brackets: write plain words.")
    return words, None


def _places(region: Box, size: tuple[int, int]) -> str:
    """A box as Florence-2 takes it: thousandths of the sides."""
    sides = (*size, *size)
    numbers = (round(value / side * 1000) for value, side in zip(region, sides, strict=True))
    return "".join(f"<loc_{min(max(number, 0), _LAST_PLACE)}>" for number in numbers)


class _Reader:
    """Reads one response of a task."""

    def __init__(self, raw: Any, call: FlorenceCall, scale: Scale) -> None:
        self._raw, self._call, self._size = raw, call, scale.original
        self._sent = scale.sent
        self.left_out = LeftOut()
        across, down = zip(scale.original, scale.sent, strict=True)
        self._scale = across[0] / across[1], down[0] / down[1]

    def read(self) -> tuple[Task, Output]:
        """What the model output, in pixels of the original image.

        Raises:
            PartError: It cannot be read.
        """
        value = self._value()
        kind = _TASKS[self._call.task].output
        if isinstance(value, str):
            # Without objects, older servers write an empty text.
            if kind != "text" and value.strip():
                raise PartError(f"the response is {response.shown(value)}, not objects")
            text = language.cleaned(value.split("<loc_")[0])
            return (Task.TEXT, Text(text)) if kind == "text" else (self._task(kind), ())
        if kind == "text" or not isinstance(value, dict):
            raise PartError(f"the response is {response.shown(value)}")
        if (other := self._other_size()) is not None:
            self.left_out.note(
                f"The server worked on an image of {other[0]} x {other[1]} pixels instead of the"
                f" {self._sent[0]} x {self._sent[1]} that were sent (a crop or a border of the"
                " project's preprocessing), so that its places are unknown: nothing is drawn."
                " The response is in .raw."
            )
            return self._task(kind), ()
        found = self._objects(value, kind)
        masked = kind == "masks" or any(item.mask for item in found)
        return self._task("masks" if masked else kind), found

    def _task(self, kind: str) -> Task:
        return Task.INSTANCE_SEGMENTATION if kind == "masks" else Task.OBJECT_DETECTION

    def _value(self) -> Any:
        """The one value of the response; its key is the prompt's token."""
        found = self._raw.get("response") if isinstance(self._raw, dict) else None
        if not isinstance(found, dict) or len(found) != 1:
            raise PartError(f"response is {response.shown(found)}, without the one task's value")
        return next(iter(found.values()))

    def _other_size(self) -> tuple[int, int] | None:
        """The size that the response is about, where it is not the one that was sent."""
        image = self._raw.get("image")
        if not isinstance(image, dict):
            return None
        width, height = (
            response.whole(image.get(side), 1, limits.LONGEST_SIDE) for side in ("width", "height")
        )
        if width is None or height is None or (width, height) == self._sent:
            return None
        return width, height

    def _objects(self, value: dict[str, Any], kind: str) -> tuple[Detection, ...]:
        field = {"corners": "quad_boxes", "masks": "polygons"}.get(kind, "bboxes")
        found = self._read(value, field, "bboxes_labels" if kind == "either" else "labels")
        if kind == "either" and value.get("polygons"):
            found += self._read(value, "polygons", "polygons_labels")
        names = self._call.words if kind == "either" else ()
        ids = {name: place for place, name in enumerate(dict.fromkeys(map(one_line, names)))}
        for item in found:
            ids.setdefault(item[0], len(ids))
        return tuple(
            Detection(name, ids[name], None, box, self._mask(parts), corners=corners)
            for name, box, parts, corners in found
        )

    def _mask(self, parts: list[Polygon] | None) -> Polygon | Rle | None:
        if parts and len(parts) > 1:
            return masks.union(parts, self._size, self._sent)
        return parts[0] if parts else None

    def _read(self, value: dict[str, Any], field: str, label_field: str) -> list[Any]:
        shapes, labels = value.get(field), value.get(label_field)
        if not isinstance(shapes, list) or not isinstance(labels, list | None):
            raise PartError(f"{field} is {response.shown(shapes)}")
        shapes = self.left_out.some(shapes, limits.MOST_DETECTIONS, "object")
        texts = [*(labels or ()), *[""] * len(shapes)]
        read = {"bboxes": _box, "quad_boxes": _quad, "polygons": _polygon}[field]

        def item(shape: Any, place: int) -> Any:
            return (self._name(texts[place]), *read(shape, self._scale))

        kept = self.left_out.readable(shapes, item, "object", field)
        if shapes and not kept:
            raise PartError(self.left_out.first("object"))
        return kept

    def _name(self, label: Any) -> str:
        text = language.cleaned(label) if isinstance(label, str) else ""
        phrase = self._call.words[0] if len(self._call.words) == 1 else "object"
        return one_line(text) or one_line(phrase)


def _points(numbers: Any, scale: Any) -> Any:
    """Numbers x, y, x, y, … as float64 (n, 2), in pixels of the original image."""
    import numpy as np

    values = [response.finite(number) for number in numbers] if isinstance(numbers, list) else []
    if not values or len(values) % 2 or None in values:
        raise PartError(f" is {response.shown(numbers)} without places")
    points = np.array(values, np.float64).reshape(-1, 2) * scale
    if np.abs(points).max() > limits.FARTHEST_COORDINATE:
        raise PartError(" is far outside of the image")
    return points


def _bounds(points: Any) -> Box:
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return x0, y0, x1, y1


def _box(shape: Any, scale: Any) -> tuple[Box, None, None]:
    points = _points(shape, scale)
    if len(points) != 2:
        raise PartError(" has not the four sides of a box")
    return _bounds(points), None, None


def _quad(shape: Any, scale: Any) -> tuple[Box, None, tuple[tuple[float, float], ...]]:
    points = _points(shape, scale)
    if len(points) != 4:
        raise PartError(" has not four corners")
    corners = tuple((x, y) for x, y in points.tolist())
    return _bounds(points), None, corners


def _polygon(shape: Any, scale: Any) -> tuple[Box, Any, None]:
    """All parts of one object; a part without area is left out."""
    import numpy as np

    nested = isinstance(shape, list) and shape and isinstance(shape[0], list)
    points = [_points(part, scale) for part in (shape if nested else [shape])]
    parts = [Polygon(outline.astype(np.float32)) for outline in points if len(outline) >= 3]
    return _bounds(np.concatenate(points)), parts, None
