"""Results as tables: a DataFrame, text for a terminal, HTML for a notebook."""

from __future__ import annotations

from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, TypeAlias

from rfhosted.display import html
from rfhosted.display.units import counted
from rfhosted.outputs.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from rfhosted.display.plots import Plot

Row: TypeAlias = dict[str, Any]

#: Characters of one cell; what is longer is cut.
_LONGEST_CELL = 200
#: Rows that a notebook shows; the rest is counted.
_MOST_ROWS = 1_000


class Table:
    """A result with rows, shown as its title, its rows, its notes and its plots.

    A class that is a table defines ``rows`` and ``_title``, and overrides the other hooks (the
    methods with an underscore) where the defaults do not fit.
    """

    #: Rows that a terminal shows; the rest is counted.
    _terminal_rows = 60

    def rows(self) -> list[Row]:
        """One dict a row, all with the same keys; numbers in seconds, bytes and fractions."""
        raise NotImplementedError

    def _title(self) -> str:
        """The result in one line."""
        raise NotImplementedError

    def _notes(self) -> Sequence[str]:
        """What a reader should know about the result."""
        return ()

    def _example_row(self) -> Row:
        """A row of the right types: it gives a DataFrame without rows its columns."""
        return {}

    def _flat(self, row: Row) -> Row:
        """The row as columns of a DataFrame."""
        return row

    def _readable(self) -> list[Row]:
        """The rows as people read them, in milliseconds and kB."""
        return self.rows()

    def _plots(self) -> Sequence[Plot]:
        """The plots that a notebook shows below the table."""
        return ()

    def to_pandas(self) -> pd.DataFrame:
        """``rows()`` as a DataFrame; one without rows has the same columns and types.

        Keypoints are columns of their own: ``nose_x``, ``nose_y``, ``nose_confidence``; NaN where
        an object has none of that name.

        Raises:
            ImportError: pandas is not installed; it comes with ``rfhosted[lab]``.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_pandas needs pandas, which is not installed: pip install 'rfhosted[lab]'"
            ) from error
        example = self._flat(self._example_row())
        rows = [self._flat(row) for row in self.rows()]
        frame = pd.DataFrame(rows) if rows else pd.DataFrame([example]).head(0).copy()
        # None is NaN in a column of numbers, also where there is nothing else.
        return frame.astype({n: float for n, value in example.items() if isinstance(value, float)})

    def __repr__(self) -> str:
        rows = self._readable()
        table = [text_table(rows[: self._terminal_rows])] if rows else []
        lines = [_more(len(rows), self._terminal_rows), *self._notes()]
        return "\n".join(
            [one_line(self._title()), *table, *(one_line(line) for line in lines if line)]
        )

    def _repr_html_(self) -> str:
        title, rows = self._title(), self._readable()
        table = html_table(rows[:_MOST_ROWS], title) or f"<p>{html.escape(title)}</p>"
        lines = [_more(len(rows), _MOST_ROWS), *self._notes()]
        notes = "<br>".join(f"<em>{html.escape(line)}</em>" for line in lines if line)
        plots = "\n".join(plot._repr_html_() for plot in self._plots())
        return f"""\
<div class="rfhosted">
{table}
{notes and f"<p>{notes}</p>"}
{plots}
</div>"""


def html_table(
    rows: Sequence[Mapping[str, Any]], caption: str = "", attributes: Sequence[str] = ()
) -> str:
    """Rows with the same keys as an HTML table, with the first rows' attributes; "" for no rows."""
    if not rows:
        return ""
    title = f'<caption style="text-align:left">{html.escape(caption)}</caption>' if caption else ""
    head = "".join(f'<th scope="col" style="{html.CELL}">{html.escape(n)}</th>' for n in rows[0])
    body = "\n".join(
        f"<tr{more}>{''.join(map(_html_cell, row.values()))}</tr>"
        for row, more in zip(rows, chain(attributes, repeat("")), strict=False)
    )
    return f"""\
<table>
{title}
<thead><tr>{head}</tr></thead>
<tbody>{body}</tbody>
</table>"""


def unfolding_table(
    rows: Sequence[Mapping[str, Any]], caption: str, most: int, *, opened: bool = False
) -> str:
    """An HTML table of the first rows that a click unfolds; the line to click counts them all."""
    if not rows or not most:
        return ""
    title = f"Table of {counted(len(rows), 'row')}"
    if len(rows) > most:
        title = f"Table of the first {most:,} of {counted(len(rows), 'row')}"
    return f"""\
<details{" open" if opened else ""}><summary>{title}</summary>
{html_table(rows[:most], caption)}
</details>"""


def text_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the same keys as lines of text, for a terminal; "" for no rows."""
    if not rows:
        return ""
    cells = [list(map(_cell, rows[0])), *(list(map(_cell, row.values())) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def _html_cell(value: Any) -> str:
    return f'<td style="{html.CELL}">{html.escape(_cell(value))}</td>'


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
    if isinstance(value, dict):  # keypoints by name: their places are in rows()
        value = ", ".join(islice(value, _LONGEST_CELL))
    return one_line(str(value), _LONGEST_CELL)


def _more(count: int, shown: int) -> str:
    return f"… and {counted(count - shown, 'more row')}" if count > shown else ""
