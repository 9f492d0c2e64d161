"""HTML that stands alone: an image with its description, its caption and what is below it.

JupyterLab ignores descriptions in metadata, so an image is an ``<img alt>`` in text/html. Nothing
has colours of its own: the theme of the front end, light or dark, stays readable.
"""

from __future__ import annotations

import base64
import io
from html import escape as _escape_markup
from typing import TYPE_CHECKING

from PIL import Image

from rfhosted.images.upload import scaled
from rfhosted.outputs.text import one_line, printable_lines
from rfhosted.outputs.values import check_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

#: JPEG qualities below the finest, and the part of the finest's bytes that each needs at least: a
#: quality that cannot fit is not tried.
_FINEST, _COARSER, _COARSEST = 85, {75: 0.7, 60: 0.5, 45: 0.4, 30: 0.3}, 30
_SMALLEST_SIDE = 64  # pixels, longest side: the smallest image that still shows something
#: Style of a table's cells: Jupyter would align them to the right.
CELL = "padding:2px 10px 2px 0;text-align:left"
#: A tall image leaves room for its caption on the screen.
_WITH_CAPTION = "max-height:max(75vh,400px)"
_BAR_FRAME = "height:0.9em;border:1px solid currentColor;box-sizing:border-box"
_BAR_FILL = "min-width:1px;height:100%;background:#0072B2"
_CODE_BOX = (
    "max-height:420px;overflow:auto;padding:8px;border:1px solid currentColor;margin:4px 0;"
    "white-space:pre-wrap;overflow-wrap:anywhere"
)


def escape(text: str) -> str:
    """Text as HTML on one line, without control characters, halves of characters and markup."""
    return _escape_markup(one_line(text))


def jpeg_data_uri(image: Image.Image, max_bytes: int = 200_000) -> str:
    """A JPEG as a data URI, see ``jpeg``."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(image, max_bytes)).decode("ascii")


def jpeg(image: Image.Image, max_bytes: int) -> bytes:
    """A JPEG of at most ``max_bytes``: of lower quality, then smaller, until it fits.

    Its longest side stays at 64 pixels at least, whatever its bytes.
    """
    check_whole("max_bytes", max_bytes, "bytes")
    data = finest = _jpeg(image, _FINEST)
    for quality, least in _COARSER.items():
        if len(data) > max_bytes and (least * len(finest) <= max_bytes or quality == _COARSEST):
            data = _jpeg(image, quality)
    while len(data) > max_bytes and max(image.size) > _SMALLEST_SIDE:
        # Bytes go with the area, or a little slower; 0.9 makes sure of progress.
        side = max(image.size) * min(0.9, 0.95 * (max_bytes / len(data)) ** 0.5)
        size = scaled(image.size, max(_SMALLEST_SIDE, int(side)))
        image = image.resize(size, Image.Resampling.BILINEAR)
        data = _jpeg(image, _COARSEST)
    return data


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def image_tag(data_uri: str, alt: str, style: str = "") -> str:
    """An image as wide as it is, or as its place; ``alt`` describes it for those who cannot see."""
    size = f"max-width:100%;width:auto;height:auto;{style}"
    return f'<img alt="{escape(alt)}" src="{data_uri}" style="{size}">'


def card(
    image: Image.Image,
    *,
    alt: str,
    caption: Sequence[str],
    notes: Sequence[str] = (),
    below: str = "",
    max_bytes: int = 200_000,
) -> str:
    """An image with its description, caption and notes; ``below`` is HTML, all else is text."""
    return f"""\
<div class="rfhosted">
<figure style="margin:0">
{image_tag(jpeg_data_uri(image, max_bytes), alt, _WITH_CAPTION)}
<figcaption style="padding:4px 0">{caption_lines(caption, notes)}</figcaption>
</figure>
{below}
</div>"""


def caption_lines(caption: Sequence[str], notes: Sequence[str] = ()) -> str:
    """A caption whose first part is strong, and notes on lines of their own."""
    result, *rest = map(escape, caption)
    first = " · ".join((f"<strong>{result}</strong>", *rest))
    return "<br>".join((first, *(f"<em>{escape(note)}</em>" for note in notes)))


def bars(entries: Sequence[tuple[str, float | None, str]], caption: str) -> str:
    """Shares as bars with their numbers beside them: a table that needs no colour to be read.

    An entry is a name, its share in [0, 1] or None where there is no bar, and its number as text.
    """
    body = "\n".join(
        f'<tr><th scope="row" style="{CELL};font-weight:normal">{escape(name)}</th>'
        f'<td style="width:50%;padding:2px 10px 2px 0">{_bar(share)}</td>'
        f'<td style="{CELL};white-space:nowrap">{escape(number)}</td></tr>'
        for name, share, number in entries
    )
    return f"""\
<table style="width:100%;max-width:640px">
<caption style="text-align:left">{escape(caption)}</caption>
<tbody>{body}</tbody>
</table>"""


def _bar(share: float | None) -> str:
    if share is None:
        return ""
    width = f"{100 * min(max(share, 0.0), 1.0):.1f}%"
    return f'<div style="{_BAR_FRAME}"><div style="width:{width};{_BAR_FILL}"></div></div>'


def block(text: str, label: str) -> str:
    """Text with its lines, such as code, in a labelled box that the keyboard can scroll."""
    code, name = _escape_markup(printable_lines(text)), escape(label)
    return f'<pre tabindex="0" role="region" aria-label="{name}" style="{_CODE_BOX}">{code}</pre>'


def scrolling(markup: str, label: str) -> str:
    """HTML in a labelled box: what is wider than its place scrolls, by the keyboard too."""
    name = escape(label)
    return f"""\
<div tabindex="0" role="region" aria-label="{name}" style="overflow-x:auto">
{markup}
</div>"""
