"""Predictions that are a text: captions, responses of language models, text in an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfhosted.display import html
from rfhosted.display.units import counted
from rfhosted.outputs.text import one_line
from rfhosted.prediction.objects import ObjectPrediction

if TYPE_CHECKING:
    from rfhosted.display.tables import Row
    from rfhosted.outputs.values import Detection

#: Characters of the text that a summary quotes.
_QUOTED = 80
_STYLE = "white-space:pre-wrap;overflow-wrap:anywhere"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TextPrediction(ObjectPrediction):
    """A text, and the boxes of its lines where the model reports them.

    Attributes:
        text: The whole text, with its line ends; a filter leaves it as it is.
        objects: The lines (or words) in the image; the class name is their text.
    """

    text: str

    @property
    def has_confidences(self) -> bool:
        """Whether the lines have confidences, so that a threshold can be applied."""
        return any(item.confidence is not None for item in self.unfiltered)

    def __len__(self) -> int:
        return len(self.objects) if self.unfiltered else int(bool(self.text))

    def rows(self) -> list[Row]:
        """One dict for each line; a text without boxes is one row, without class and box."""
        if self.unfiltered or not self.text:
            return super().rows()
        return [dict.fromkeys(self._example_row()) | {"text": self.text}]

    def _row(self, item: Detection) -> Row:
        return {"text": item.class_name} | super()._row(item)

    def readable_rows(self) -> list[Row]:
        """The rows without the class, which is the text again; none for a text without boxes."""
        hidden = ("class_name", "class_id")
        return [
            {name: value for name, value in self._row(item).items() if name not in hidden}
            for item in self.objects
        ]

    def summary(self) -> str:  # noqa: D102 - inherited
        quoted = f'"{one_line(self.text, _QUOTED)}"'
        if not self.unfiltered:
            return quoted if self.text else "no text"
        if not self.objects:
            return f"none of {counted(len(self.unfiltered), 'text')} is left"
        lines = counted(len(self.objects), "text")
        return f"{lines}: {quoted}" if self.text else lines

    def __repr__(self) -> str:
        whole = self.text if len(one_line(self.text)) > _QUOTED or "\n" in self.text else ""
        return "\n".join(filter(None, (super().__repr__(), whole)))

    def _below(self, table_rows: int) -> str:
        text = f'<p style="{_STYLE}">{html.escape(self.text)}</p>' if self.text else ""
        return text + super()._below(table_rows)
