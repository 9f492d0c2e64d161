"""Results as tables: a DataFrame, text for a terminal, HTML for a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from rfhosted.display import html
from rfhosted.display.units import counted
from rfhosted.outputs.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from rfhosted.display.plots import Plot

Row: TypeAlias = dict[str, Any]


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

    def _readable(self) -> list[Row]:
        """The rows as people read them, in milliseconds and kB."""
        return self.rows()

    def _plots(self) -> Sequence[Plot]:
        """The plots that a notebook shows below the table."""
        return ()

    def to_pandas(self) -> pd.DataFrame:
        """``rows()`` as a DataFrame; one without rows still has its columns.

        Raises:
            ImportError: pandas is not installed; it comes with ``rfhosted[lab]``.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_pandas needs pandas, which is not installed: pip install 'rfhosted[lab]'"
            ) from error

        rows = self.rows()
        return pd.DataFrame(rows or [self._example_row()]).iloc[: len(rows)]

    def __repr__(self) -> str:
        rows = self._readable()
        lines = [one_line(self._title())]
        if rows:
            lines.append(html.text_table(rows[: self._terminal_rows]))
        more = len(rows) - self._terminal_rows
        if more > 0:
            lines.append(f"… and {counted(more, 'more row')}")
        return "\n".join([*lines, *map(one_line, self._notes())])

    def _repr_html_(self) -> str:
        title = self._title()
        table = html.table(self._readable(), title) or f"<p>{html.escape(title)}</p>"
        notes = "<br>".join(f"<em>{html.escape(note)}</em>" for note in self._notes())
        plots = "".join(plot._repr_html_() for plot in self._plots())
        return f'<div class="rfhosted">{table}{notes and f"<p>{notes}</p>"}{plots}</div>'
