"""A prediction as HTML that stands alone: picture with its description, caption, notes, table.

JupyterLab ignores descriptions in metadata, so the picture is an ``<img alt>`` in text/html.
"""

from __future__ import annotations

import base64
import io
from html import escape as _escape_markup
from typing import TYPE_CHECKING, Any

from PIL import Image

from rfhosted.images.upload import scaled
from rfhosted.outputs.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: JPEG qualities, and what part of the finest's bytes a coarser one takes at the least: what cannot
#: fit is not tried.
_FINEST, _COARSER, _COARSEST = 85, {75: 0.7, 60: 0.5, 45: 0.4, 30: 0.3}, 30
_SMALLEST_SIDE = 64  # pixels, longest side: what still shows something
_CELL = "padding:2px 10px 2px 0;text-align:left"


def jpeg_data_uri(image: Image.Image, max_bytes: int = 200_000) -> str:
    """A JPEG of at most ``max_bytes`` as a data URI: of lower quality, then smaller, until it fits.

    Its longest side stays at 64 pixels at least, whatever its bytes.
    """
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
    return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def card(
    image: Image.Image,
    *,
    alt: str,
    caption: Sequence[str],
    notes: Sequence[str] = (),
    rows: Sequence[Mapping[str, Any]] = (),
    max_bytes: int = 200_000,
) -> str:
    """The picture and what a reader needs beside it. Everything is escaped.

    Args:
        image: The drawn picture.
        alt: The picture in words, for those who do not see it.
        caption: Parts of the line below it; the first is the result.
        notes: Further lines.
        rows: A table that can be unfolded.
        max_bytes: Bytes of the picture as a JPEG, see ``jpeg_data_uri``.
    """
    result, *rest = (escape(part) for part in caption)
    lines = [f"<strong>{result}</strong>" + "".join(f" · {part}" for part in rest)]
    lines += [f"<em>{escape(note)}</em>" for note in notes]
    unfold = ""
    if rows:
        title = f"Table of {len(rows)} row{'s' * (len(rows) > 1)}"
        unfold = f"<details><summary>{title}</summary>{table(rows, caption[0])}</details>"
    # No colours of its own: the front end's theme, light or dark, stays readable.
    return (
        '<div class="rfhosted"><figure style="margin:0">'
        f'<img alt="{escape(alt)}" src="{jpeg_data_uri(image, max_bytes)}"'
        ' style="max-width:100%;height:auto">'
        f'<figcaption style="padding:4px 0">{"<br>".join(lines)}</figcaption></figure>'
        f"{unfold}</div>"
    )


def table(rows: Sequence[Mapping[str, Any]], caption: str = "") -> str:
    """Rows of equal keys as an HTML table, with a caption where one is told."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col" style="{_CELL}">{escape(str(name))}</th>' for name in rows[0])
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{_CELL}">{escape(_text(value))}</td>' for value in row.values())
        + "</tr>"
        for row in rows
    )
    title = f'<caption style="text-align:left">{escape(caption)}</caption>' if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def bars(entries: Sequence[tuple[str, float | None, str]], caption: str) -> str:
    """Shares as bars with their figures beside them: a table that needs no colour to be read.

    Args:
        entries: What it is, its share in [0, 1] or None where there is no bar, and its figure.
        caption: What the table tells.
    """
    body = "".join(
        f'<tr><th scope="row" style="{_CELL};font-weight:normal">{escape(what)}</th>'
        f'<td style="width:50%;padding:2px 10px 2px 0">{_bar(share)}</td>'
        f'<td style="{_CELL};white-space:nowrap">{escape(figure)}</td></tr>'
        for what, share, figure in entries
    )
    title = f'<caption style="text-align:left">{escape(caption)}</caption>'
    return f'<table style="width:100%;max-width:640px">{title}<tbody>{body}</tbody></table>'


def _bar(share: float | None) -> str:
    if share is None:
        return ""
    width = f"{100 * min(max(share, 0.0), 1.0):.1f}%"
    fill = f"width:{width};min-width:1px;height:100%;background:#0072B2"
    frame = "height:0.9em;border:1px solid currentColor;box-sizing:border-box"
    return f'<div style="{frame}"><div style="{fill}"></div></div>'


def block(text: str, label: str) -> str:
    """Text as it is, such as code, in a box of its own that the keyboard can scroll.

    Args:
        text: The text; its lines stay lines.
        label: What assistive technology calls the box.
    """
    exact = _escape_markup(text.encode("utf-8", "replace").decode())  # no halves of characters
    style = "max-height:420px;overflow:auto;padding:8px;border:1px solid currentColor;margin:4px 0"
    return (
        f'<pre tabindex="0" role="region" aria-label="{escape(label)}" style="{style};'
        f'white-space:pre-wrap;overflow-wrap:anywhere">{exact}</pre>'
    )


def scrolling(markup: str, label: str) -> str:
    """HTML in a box that is as wide as its place: what is wider scrolls, by the keyboard too.

    Args:
        markup: The HTML.
        label: What assistive technology calls the box.
    """
    box = f'<div tabindex="0" role="region" aria-label="{escape(label)}" style="overflow-x:auto">'
    return f"{box}{markup}</div>"


def text_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of equal keys as lines of text, for a terminal."""
    if not rows:
        return ""
    cells = [list(map(str, rows[0])), *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def escape(text: str) -> str:
    """Text as HTML, without what no page can hold: control characters, halves of characters."""
    return _escape_markup(one_line(text))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
    if isinstance(value, dict):
        return one_line(", ".join(value))
    return "-" if value is None else one_line(str(value))
