"""Text recognition: PP-OCR, EasyOCR, DocTR and TrOCR, a route each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rfhosted.endpoints import language, response
from rfhosted.endpoints.image_tasks import unreadable
from rfhosted.endpoints.prompted import merged
from rfhosted.endpoints.readers import Reader
from rfhosted.endpoints.response import PartError
from rfhosted.hosted import Task
from rfhosted.outputs.text import one_line
from rfhosted.outputs.values import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfhosted.endpoints.image_tasks import Parsed
    from rfhosted.endpoints.prompted import Scale

_PATHS = {
    "pp-ocr": "/ocr/pp-ocr",
    "easy-ocr": "/easy_ocr/ocr",
    "doctr": "/doctr/ocr",
    "trocr": "/ocr/trocr",
}
_LEVELS = frozenset({"word", "line", "block"})  # DocTR's classes
_NAMELESS = "text"


@dataclass(frozen=True, slots=True)
class OcrCall:
    """Text to read with one of the models; see ``call``."""

    family: str

    image_size = 1600  # small print needs its pixels
    confidence = None

    @property
    def model(self) -> str:
        """The model id: its family."""
        return self.family

    @property
    def path(self) -> str:
        """The route."""
        return _PATHS[self.family]

    def check(self, size: tuple[int, int]) -> None:
        """There is no prompt to check."""

    def bodies(self, image: dict[str, str], scale: Scale) -> list[dict[str, Any]]:
        """One body; DocTR reports boxes only when that is requested."""
        del scale
        boxes = {"generate_bounding_boxes": True} if self.family == "doctr" else {}
        return [{"image": image} | boxes]

    def read(self, responses: Sequence[Any], scale: Scale) -> Parsed:
        """The text, and a detection for each line where the model reports boxes."""
        (raw,) = responses
        try:
            return _read(raw, scale)
        except PartError as error:
            raise unreadable(raw, str(error)) from None


def call(model: str = "pp-ocr") -> OcrCall:
    """The text in an image.

    Args:
        model: "pp-ocr" and "easy-ocr" report a box for each line; "doctr" reads documents;
            "trocr" reads one line and reports no boxes.

    Raises:
        ValueError: Another model.
    """
    if model not in _PATHS:
        raise ValueError(language.unknown("model", model, _PATHS))
    return OcrCall(model)


def _read(raw: Any, scale: Scale) -> Parsed:
    if isinstance(raw, list) and len(raw) == 1:
        (raw,) = raw
    text = raw.get("result") if isinstance(raw, dict) else None
    if not isinstance(text, str):
        raise PartError(f"result is {response.shown(text)}")
    text = language.cleaned(text)
    found = raw.get("predictions")
    items = [] if found is None else found
    if not isinstance(items, list):
        raise PartError(f"predictions is {response.shown(items)}")
    reader = Reader(raw | {"predictions": _lines(items, text)}, scale.original, scale.sent)
    detections = reader.read(Task.OBJECT_DETECTION)
    assert isinstance(detections, tuple)  # noqa: S101 - the task's kind of output
    # A class id per text: the server gives every text the same.
    ids = {
        name: place for place, name in enumerate(dict.fromkeys(d.class_name for d in detections))
    }
    detections = tuple(replace(item, class_id=ids[item.class_name]) for item in detections)
    return merged(Task.TEXT, Text(text, detections), [raw], reader.left_out.notes())


def _lines(items: list[Any], text: str) -> list[Any]:
    """The items that are shown, each with its text as class.

    DocTR lists words, lines and blocks in one list, and their text is not in them: its lines take
    theirs from the whole text, where that has as many.
    """
    names = [item.get("class") for item in items if isinstance(item, dict)]
    if names and set(map(str, names)) <= _LEVELS and "line" in names:
        kept = [item for item in items if isinstance(item, dict) and item.get("class") == "line"]
        written = [line for line in text.splitlines() if line.strip()]
        if len(written) != len(kept):
            written = ["line"] * len(kept)
        return [item | {"class": line} for item, line in zip(kept, written, strict=True)]
    return [
        item | {"class": _NAMELESS}
        if isinstance(item, dict) and not one_line(str(item.get("class") or ""))
        else item
        for item in items
    ]
