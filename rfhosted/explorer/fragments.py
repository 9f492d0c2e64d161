"""The panel's sentences and pieces of HTML: plain values become escaped text, without widgets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rfhosted import hosted
from rfhosted.display import html
from rfhosted.display.annotate import LAYERS
from rfhosted.display.tables import html_table
from rfhosted.display.units import kilobytes
from rfhosted.endpoints.call import Prepared
from rfhosted.endpoints.prompted import PreparedPrompts
from rfhosted.errors import HostedError
from rfhosted.explorer import options
from rfhosted.explorer.settings import Outdated
from rfhosted.hosted import ApiVersion, Task
from rfhosted.images.samples import sample
from rfhosted.images.sources import load
from rfhosted.images.upload import scaled
from rfhosted.prediction.hints import tiling_hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfhosted.client import Client
    from rfhosted.explorer.settings import Display, Source
    from rfhosted.explorer.state import ExplorerState
    from rfhosted.prediction import Prediction

#: Longest side and height in pixels at which an image is drawn; it is shown a little smaller.
SHOWN_SIDE, SHOWN_HEIGHT = 800, 480
#: Bytes as a JPEG: of the shown image, of the copy that a saved notebook keeps for readers without
#: a kernel, and of the shown image of a comparison. A panel and its copy have 200 kB together.
SHOWN_BYTES, COPY_BYTES, COMPARED_BYTES = 45_000, 20_000, 31_000
#: Megabytes that Jupyter's default connection to the kernel takes at once.
UPLOAD_LIMIT = 10
UPLOAD_HINT = (
    f"Jupyter cannot upload files over {UPLOAD_LIMIT} MB. Put the file next to the notebook and"
    " enter its path."
)
DROP_HINT = "You can also drop an image file on the panel, or paste one."
ABOUT_VERSIONS = (
    "V2 is recommended. The request size limit is"
    f" {hosted.REQUEST_LIMITS[ApiVersion.V2] // 1_000_000} MB on V2 and"
    f" {hosted.REQUEST_LIMITS[ApiVersion.V1] // 1_000_000} MB on v1."
)
_KEYS_PAGE, _PRICES_PAGE = "https://app.roboflow.com/settings/api", "https://roboflow.com/pricing"
_CROWDED = "Many or small objects: tiling may find more of them."
NOTHING_YET = "No result yet. Choose an image and press Run."
_THUMBNAIL = 64  # pixels, longest side
_LONGEST_TEXT, _LONGEST_LIST, _JSON_LIMIT, _TABLE_LIMIT = 80, 12, 12_000, 50
#: What changed since the result, and what Run would do about it.
_OUTDATED = {
    Outdated.IMAGE: ("The image has changed.", "Press Run to send it."),
    Outdated.CALL: ("The settings have changed.", "Press Run to apply them."),
    Outdated.KEY: ("The API key has changed.", "Press Run to use it."),
}


def heading(text: str) -> str:
    """The name of a group of controls."""
    return f"<strong>{html.escape(text)}</strong>"


def small(text: str) -> str:
    """A remark."""
    return f'<span style="font-size:90%;line-height:1.3;display:block">{html.escape(text)}</span>'


def scripted(text: str) -> str:
    """A remark on what works only with the script in the page."""
    return f'<div class="rfhosted-scripted">{small(text)}</div>'


def nothing_yet(state: ExplorerState) -> str:
    """That there is no result; how to get one is not said where none can be had."""
    return small("No result yet." if state.why_not() else NOTHING_YET)


def warning(text: str) -> str:
    """A remark that must not be missed."""
    style = "border-left:4px solid #D55E00;padding:2px 8px;line-height:1.3"
    return f'<div style="{style}">{html.escape(text)}</div>'


def fixed(markup: str, label: str) -> str:
    """HTML in a box of fixed height, which the keyboard can scroll."""
    return (
        f'<div class="rfhosted-plan" tabindex="0" role="region" aria-label="{label}">{markup}</div>'
    )


def sample_style(names: Sequence[str]) -> str:
    """CSS that shows each sample photo on its button."""
    rules = []
    for i, name in enumerate(names, start=1):
        photo = load(sample(name))
        uri = html.jpeg_data_uri(photo.at(scaled(photo.size, _THUMBNAIL)), 2_000)
        rules.append(
            f".rfhosted-samples .jupyter-button:nth-child({i}) {{background-image: url({uri})}}"
        )
    return f"<style>{''.join(rules)}</style>"


def photo(source: Source) -> str:
    """An image that has not been sent yet, where it cannot be looked into."""
    small_one = source.image.at(scaled(source.image.size, SHOWN_SIDE))
    return html.image_tag(html.jpeg_data_uri(small_one, SHOWN_BYTES), photo_alt(source))


def photo_alt(source: Source) -> str:
    """The description of an image that has not been sent yet."""
    return f"{source.title}, not sent yet"


def photo_caption(source: Source) -> str:
    """The caption of an image that has not been sent yet."""
    width, height = source.image.size
    return _caption(html.escape(f"{source.title}, {width} x {height} pixels. Not sent yet."))


def caption(prediction: Prediction, display: Display) -> str:
    """The caption of a filtered prediction."""
    return _caption(f"{prediction.caption_html()} {_threshold(prediction, display)}")


def _caption(markup: str) -> str:
    return f'<div tabindex="0" role="region" aria-label="Caption">{markup}</div>'


def _threshold(prediction: Prediction, display: Display) -> str:
    classes = f", classes: {', '.join(sorted(display.classes))}" if display.classes else ""
    return small(f"Showing confidence >= {prediction.confidence:.2f}{classes}.")


def key_line(client: Client) -> str:
    """Whether there is an API key; where one comes from, and what a hosted request costs."""
    state = "set." if client.has_key else "not set."
    local = " Using the local models." if client.is_local else ""
    key, price = (
        f'<a href="{url}" target="_blank" rel="noopener">{text}</a>'
        for url, text in ((_KEYS_PAGE, "Your API keys"), (_PRICES_PAGE, "Prices"))
    )
    about = (
        f"{key} are in the settings of your workspace. Hosted requests spend its credits: {price}."
    )
    return f"{small(f'API key: {state}{local}')}<div>{about}</div>"


def plan(state: ExplorerState) -> str:
    """The request that Run would send, beside the size limit; or why it cannot be sent."""
    planned = state.plan
    why_not = state.why_not() or (None if state.source else "Choose an image first.")
    if isinstance(planned, Exception):
        why_not = options.reason(planned)
    if why_not:
        return warning(f"Cannot run: {why_not}")
    if not isinstance(planned, Prepared | PreparedPrompts):
        return small("Estimating the request size …")
    upload, version = planned.upload, planned.route.version
    limit = hosted.REQUEST_LIMITS[version]
    size = f"{kilobytes(upload.nbytes)} of {limit / 1_000_000:.0f} MB"
    width, height = upload.size
    price = "spends credits of your workspace" if state.spends_credits else "spends no credits"
    remark = f"Image: {width} x {height} pixels, {upload.changes}. Run {price}."
    bar = ("request", upload.nbytes / limit, size)
    return html.bars([bar], "Request size and limit") + small(remark)


def status(state: ExplorerState) -> str:
    """What runs, what failed, what is outdated; screen readers read it out when it changes."""
    lines = []
    if state.problem is not None:
        lines.append(_problem(state.problem))
    if state.notice:
        lines.append(f"<div>{html.escape(state.notice)}</div>")
    done, total = state.progress
    if state.busy and total:
        bar = f'<progress aria-label="Progress" max="{total}" value="{done}"></progress>'
        lines.append(f"{bar} {done} of {total}")
    outdated = None if state.busy else state.outdated
    if outdated and state.response:
        known = _OUTDATED.get(outdated)
        what, then = known or _too_low(state.response.prediction, state.display)
        lines.append(warning(what if state.why_not() else f"{what} {then}"))
    elif state.result and not state.busy and (hint := tiling_hint(state.truth or state.result)):
        lines.append(f"<details><summary>{_CROWDED}</summary>{small(hint)}</details>")
    return (
        f'<div role="status" aria-live="polite" data-outdated="{outdated or ""}" tabindex="0">'
        f"{''.join(lines)}</div>"
    )


def _too_low(prediction: Prediction, display: Display) -> tuple[str, str]:
    shown = f"{display.confidence:.2f}"
    if not prediction.has_confidences:
        what = "v1 does not report confidences of class maps."
        return what, f"Run again to apply confidence {shown}."
    what = f"The last request used confidence {prediction.confidence:.2f}."
    return what, f"Run again to see detections down to {shown}."


def _problem(error: Exception) -> str:
    advice, message = "Correct it and run again.", str(error)
    if isinstance(error, HostedError):
        advice, message = options.advice(error), message.removesuffix(error.advice)
    message = message.strip() or type(error).__name__
    style = "border:2px solid #D55E00;padding:6px 10px;margin:4px 0;line-height:1.3"
    return (
        f'<div role="alert" style="{style}">'
        f"<strong>{html.escape(type(error).__name__)}</strong><br>"
        f"{html.escape(message)}<br><em>{html.escape(advice)}</em></div>"
    )


def drawing(prediction: Prediction, display: Display) -> dict[str, Any]:
    """What ``Prediction.draw`` takes for this task, from the settings of the display."""
    arguments: dict[str, Any] = {}
    if prediction.task is not Task.CLASSIFICATION:
        arguments = {"labels": display.labels}
    if prediction.task not in (Task.CLASSIFICATION, Task.SEMANTIC_SEGMENTATION):
        layers = None
        if display.layers is not None:
            layers = [name for name in LAYERS if name in display.layers]
        arguments |= {"layers": layers, "line_width": display.line_width}
    return arguments


def still(prediction: Prediction, display: Display) -> str:
    """A filtered prediction drawn on its image, where it cannot be looked into."""
    drawn = prediction.draw(max_side=_side(prediction), **drawing(prediction, display))
    return html.image_tag(html.jpeg_data_uri(drawn, SHOWN_BYTES), prediction.description())


def copy(prediction: Prediction, display: Display) -> str:
    """A filtered prediction drawn on its image, and its caption, for readers without a kernel."""
    drawn = prediction.html(
        max_side=_side(prediction),
        max_bytes=COPY_BYTES,
        table_rows=0,
        **drawing(prediction, display),
    )
    return drawn.replace("</figcaption>", f" {_threshold(prediction, display)}</figcaption>", 1)


def _side(prediction: Prediction) -> int:
    """About as large as an image is shown, so that labels can be read in an upright one, too."""
    width, height = prediction.source_image.size
    return min(SHOWN_SIDE, round(SHOWN_HEIGHT * max(width, height) / height))


def table(prediction: Prediction, ids: Sequence[int] = ()) -> str:
    """The rows of a prediction; with ids of the image view, they light up with their boxes."""
    rows = prediction.readable_rows()
    attributes = [f' data-object="{number}" tabindex="0"' for number in ids[:_TABLE_LIMIT]]
    shown = html_table(rows[:_TABLE_LIMIT], prediction.summary(), attributes)
    shown = shown or small(prediction.summary())
    more = f"The first {_TABLE_LIMIT} of {len(rows)} rows; result.to_pandas() has all of them."
    return html.scrolling(shown, "Table of the result") + (
        small(more) if len(rows) > _TABLE_LIMIT else ""
    )


def stale(changes: Sequence[str], why_not: str | None) -> str:
    """What changed since a sweep, in one line; "" where nothing did."""
    if not changes:
        return ""
    *others, last = changes
    names = f"{', '.join(others)} and {last}" if others else last
    again = "" if why_not else " Sweep again to update it."
    return warning(f"Changed since this sweep: {names}.{again}")


def timing(prediction: Prediction, source: Source) -> str:
    """Where the time went, and code for a proper measurement."""
    name = f"rfhosted.sample({source.name!r})" if source.kind == "sample" else repr(source.name)
    benchmark = (
        f"rfhosted.benchmark([{prediction.model!r}], [{name}], "
        f"api_versions=({str(prediction.api_version)!r},), "
        f"image_sizes=({max(prediction.upload.size)},), requests=20)"
    )
    return (
        prediction.timing._repr_html_()
        + small("One request is a noisy measurement. To benchmark 20:")
        + html.block(benchmark, "Code that benchmarks the latency")
    )


def response_json(prediction: Prediction) -> str:
    """The response's JSON, with long texts and lists cut."""
    text = json.dumps(_outline(prediction.raw), indent=1, ensure_ascii=False)
    if len(text) > _JSON_LIMIT:
        text = f"{text[:_JSON_LIMIT]}\n… {len(text) - _JSON_LIMIT:,} more characters"
    return (
        _copy_button("json", "Copy JSON")
        + html.block(text, "The response as JSON")
        + small("Long texts and lists are cut; explorer.result.raw is the whole response.")
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
        small("Python code for exactly this result:")
        + _copy_button("python", "Copy Python")
        + html.block(python, "Python code")
        + small("Shell command for the raw response, with the API key in $ROBOFLOW_API_KEY:")
        + _copy_button("curl", "Copy command")
        + html.block(curl, "Shell command with curl")
    )


def _copy_button(what: str, label: str) -> str:
    """A button for the script in the page, which shows it: see ``page_script``."""
    return f'<button type="button" class="rfhosted-copy" data-copy="{what}">{label}</button>'
