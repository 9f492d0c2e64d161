"""Pieces of the panel as HTML: from plain values to text that is escaped, without widgets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rfhosted import hosted
from rfhosted.display import html
from rfhosted.display.annotate import LAYERS
from rfhosted.endpoints.call import Prepared
from rfhosted.errors import HostedError
from rfhosted.hosted import Task
from rfhosted.images.samples import sample
from rfhosted.images.sources import load
from rfhosted.images.upload import scaled

if TYPE_CHECKING:
    from rfhosted.explorer.settings import Source, View
    from rfhosted.explorer.state import ExplorerState
    from rfhosted.prediction import Prediction

#: Longest side in pixels of the shown picture.
SHOWN_SIDE = 800
#: Bytes as a JPEG: of the shown picture, and of the copy that a saved notebook keeps for readers
#: without a kernel. It has 200 kB for all of a panel and that copy.
SHOWN_BYTES, COPY_BYTES = 45_000, 20_000
WITHOUT_OVERLAP = frozenset({Task.CLASSIFICATION, Task.SEMANTIC_SEGMENTATION})
ABOUT_V1 = "V2 is recommended. A request may have up to 20 MB on V2 and 5 MB on v1."
_THUMBNAIL = 64  # pixels, longest side
_LONGEST_TEXT, _LONGEST_LIST, _JSON_LIMIT = 80, 12, 12_000


def heading(text: str) -> str:
    """The name of a group of controls."""
    return f"<strong>{html.escape(text)}</strong>"


def small(text: str) -> str:
    """A remark."""
    return f'<span style="font-size:90%;line-height:1.3;display:block">{html.escape(text)}</span>'


def thumbnail(name: str) -> str:
    """A sample, small."""
    picture = load(sample(name))
    image = picture.at(scaled(picture.size, _THUMBNAIL))
    source = html.jpeg_data_uri(image, 2_000)
    look = "width:100%;height:44px;object-fit:cover"
    return f'<img alt="Sample {html.escape(name)}" src="{source}" style="{look}">'


def budget(state: ExplorerState, why_not: str | None) -> str:
    """What would be sent, against the version's limit; or why nothing can be."""
    plan = state.plan
    if why_not or isinstance(plan, Exception):
        return warning(f"Cannot run: {why_not or plan}")
    if not isinstance(plan, Prepared):
        return small("Looking at what would be sent …")
    upload, version = plan.upload, plan.route.version
    limit = hosted.REQUEST_LIMITS[version]
    entry = (
        "request",
        upload.nbytes / limit,
        f"{upload.nbytes / 1000:,.0f} kB of {limit / 1_000_000:.0f} MB",
    )
    width, height = upload.size
    what = f"Will be sent: {width} x {height} pixels, {upload.changes}."
    pays = (
        "A run is a hosted call and spends credits of your workspace."
        if state.spends_credits
        else "A run spends no credits."
    )
    return html.bars([entry], f"Before sending to {version}") + small(f"{what} {pays}")


def warning(text: str) -> str:
    """A remark that must not be missed."""
    style = "border-left:4px solid #D55E00;padding:2px 8px;line-height:1.3"
    return f'<div style="{style}">{html.escape(text)}</div>'


def status(state: ExplorerState) -> str:
    """What runs, what went wrong or what the picture does not show: read out when it changes."""
    lines = []
    if state.problem is not None:
        lines.append(_problem(state.problem))
    if state.notice:
        lines.append(f"<div>{html.escape(state.notice)}</div>")
    done, total = state.progress
    if state.busy and total:
        lines.append(
            f'<progress aria-label="Progress" max="{total}" value="{done}"></progress>'
            f" {done} of {total}"
        )
    if state.outdated and not state.busy:
        lines.append(warning(state.outdated))
    return f'<div role="status" aria-live="polite" style="min-height:1.5em">{"".join(lines)}</div>'


def _problem(error: Exception) -> str:
    advice = error.advice if isinstance(error, HostedError) else "Correct it and run again."
    what = str(error).removesuffix(advice).strip() or type(error).__name__
    style = "border:2px solid #D55E00;padding:6px 10px;margin:4px 0;line-height:1.3"
    return (
        f'<div role="alert" style="{style}">'
        f"<strong>{html.escape(type(error).__name__)}</strong><br>"
        f"{html.escape(what)}<br><em>{html.escape(advice)}</em></div>"
    )


def picture(prediction: Prediction, view: View, max_bytes: int = SHOWN_BYTES) -> str:
    """The drawn picture and its caption.

    Args:
        prediction: What is drawn, filtered.
        view: How it is drawn.
        max_bytes: Bytes of it as a JPEG.
    """
    options: dict[str, Any] = {}
    if prediction.task in (
        *(Task.OBJECT_DETECTION, Task.INSTANCE_SEGMENTATION, Task.KEYPOINT_DETECTION),
    ):
        layers = None if view.layers is None else [name for name in LAYERS if name in view.layers]
        options = {"layers": layers, "labels": view.labels, "line_width": view.line_width}
    elif prediction.task is Task.SEMANTIC_SEGMENTATION:
        options = {"labels": view.labels}
    return prediction.html(
        max_side=SHOWN_SIDE, max_bytes=max_bytes, table_rows=0, **options
    ) + small(f"Shown: what is above {prediction.confidence:.2f}{_only(view)}.")


def _only(view: View) -> str:
    if not view.classes:
        return ""
    return f", of {', '.join(sorted(view.classes))} only; other classes are hidden"


def table(prediction: Prediction) -> str:
    """What was found, row by row."""
    rows = prediction.rows()
    for row in rows:
        if "key_points" in row:
            row["key_points"] = f"{len(row['key_points'])} points"
    shown = html.table(rows[:50], prediction.summary()) or small(prediction.summary())
    more = small(f"The first 50 of {len(rows)} rows; .to_pandas() has all.") if rows[50:] else ""
    return html.scrolling(shown, "Table of what was found") + more


def timing(prediction: Prediction, source: Source) -> str:
    """Where the time went, and what would measure it properly."""
    name = f"rfhosted.sample({source.name!r})" if source.kind == "sample" else repr(source.name)
    measure = (
        f"rfhosted.benchmark([{prediction.model!r}], [{name}], "
        f"api_versions=({str(prediction.api_version)!r},), "
        f"image_sizes=({max(prediction.upload.size)},), requests=20)"
    )
    return (
        prediction.timing._repr_html_()
        + small("One request tells little: this measures twenty.")
        + html.block(measure, "Code that measures the latency")
    )


def answer(prediction: Prediction) -> str:
    """The answer's JSON, long texts and lists cut."""
    text = json.dumps(_outline(prediction.raw), indent=1, ensure_ascii=False)
    if len(text) > _JSON_LIMIT:
        text = f"{text[:_JSON_LIMIT]}\n… {len(text) - _JSON_LIMIT:,} more characters"
    return html.block(text, "The answer as JSON") + small(
        "Long texts and lists are cut here; explorer.result.raw is the whole answer."
    )


def _outline(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"{value[:_LONGEST_TEXT]}… ({len(value):,} characters)"
    if isinstance(value, list):
        more = [f"… {len(value) - _LONGEST_LIST} more"] if len(value) > _LONGEST_LIST else []
        return [_outline(item) for item in value[:_LONGEST_LIST]] + more
    if isinstance(value, dict):
        return {name: _outline(item) for name, item in value.items()}
    return value


def code(python: str, curl: str) -> str:
    """The code that gives exactly this result, for a notebook and for a shell."""
    return (
        small("This gives exactly this result in Python:")
        + html.block(python, "Python")
        + small("and the raw answer in a shell, with the key in $ROBOFLOW_API_KEY:")
        + html.block(curl, "Shell, with curl")
    )
