"""What a workflow returns: its outputs by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rfhosted.display import html
from rfhosted.display.units import counted, kilobytes, milliseconds
from rfhosted.outputs.text import one_line

if TYPE_CHECKING:
    from rfhosted.hosted import ApiVersion
    from rfhosted.images.upload import Upload
    from rfhosted.prediction.timing import Timing

#: Items of a list that are shown, and characters of a value.
_SHOWN, _LONGEST_TEXT = 8, 500


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WorkflowResult(Mapping[str, Any]):
    """The outputs of a workflow: name -> Prediction, PIL image, list, number, text, bool or None.

    Coordinates of predictions are pixels of the original, upright image.

    Attributes:
        outputs: The outputs by name.
        workflow: "workspace/workflow-id".
        api_version: v1 or V2.
        raw: The JSON of the response, untouched.
        timing: The parts of the request's time.
        upload: What was sent; None where the workflow got no image.
        credits: What the run cost, by the published formula; None where that is not reported.
        models: Seconds of each model step, (model id, seconds), where the server reports them.
        host: The server.
        received: Bytes of the response's body, decompressed.
    """

    outputs: dict[str, Any]
    workflow: str
    api_version: ApiVersion
    raw: Any = field(repr=False)
    timing: Timing
    upload: Upload | None
    credits: float | None
    models: tuple[tuple[str, float], ...]
    host: str
    received: int

    def __getitem__(self, name: str) -> Any:
        return self.outputs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)

    def caption(self) -> list[str]:
        """What a reader needs beside the outputs, part by part."""
        parts = [
            counted(len(self), "output"),
            one_line(f"{self.workflow} ({self.api_version}, {self.host})"),
            f"{milliseconds(self.timing.e2e)} E2E",
            f"received {kilobytes(self.received)}",
        ]
        if self.models:
            parts.append(f"{milliseconds(sum(s for _, s in self.models))} in model steps")
        if self.credits is not None:
            parts.append(f"{self.credits:.2g} credits")
        return parts

    def __repr__(self) -> str:
        values = (f"{one_line(name, 60)}: {_brief(value)}" for name, value in self.items())
        return "\n".join([f"WorkflowResult: {' · '.join(self.caption())}", *values])

    def _repr_html_(self) -> str:
        shown = (
            f"<details open><summary><b>{html.escape(name)}</b></summary>{_html(value)}</details>"
            for name, value in self.items()
        )
        return f"<div>{''.join(shown)}<p>{html.escape(' · '.join(self.caption()))}</p></div>"


def _brief(value: Any) -> str:
    if hasattr(value, "summary"):
        return one_line(value.summary())
    if isinstance(value, list):
        return f"{counted(len(value), 'item')}"
    size = getattr(value, "size", None)
    return f"image of {size[0]} x {size[1]}" if size else one_line(str(value), _LONGEST_TEXT)


def _html(value: Any) -> str:
    from PIL import Image

    if isinstance(value, Image.Image):
        alt = f"Image of {value.width} x {value.height} pixels"
        uri = html.jpeg_data_uri(value.convert("RGB"))
        return f'<img alt="{alt}" src="{uri}" style="max-width:100%;max-height:75vh">'
    if hasattr(value, "_repr_html_"):
        return str(value._repr_html_())
    if isinstance(value, list):
        left = len(value) - _SHOWN
        more = f"<p>and {left} more</p>" if left > 0 else ""
        return "".join(map(_html, value[:_SHOWN])) + more
    return f"<pre>{html.escape(one_line(str(value), _LONGEST_TEXT))}</pre>"
