"""The table that every result class is: as a DataFrame, in a terminal, in a notebook."""

from __future__ import annotations

import sys

import pytest

from rfhosted.display.tables import Table
from support.html_tree import EVIL, Tree


class Latencies(Table):
    def __init__(self, count=0, notes=()):
        self.count, self.notes = count, notes

    def rows(self):
        return [{"model": f"model {i}", "e2e": i / 10, "n": i} for i in range(self.count)]

    def _example_row(self):
        return {"model": "", "e2e": 0.0, "n": 0}

    def _title(self):
        return f"{self.count} latencies"

    def _notes(self):
        return self.notes

    def _readable(self):
        return [{"model": row["model"], "E2E ms": 1000 * row["e2e"]} for row in self.rows()]


def test_a_data_frame_has_the_rows():
    frame = Latencies(3).to_pandas()
    assert frame.to_dict("records") == Latencies(3).rows()


def test_a_data_frame_of_nothing_has_the_columns_and_their_types():
    some, none = Latencies(3).to_pandas(), Latencies(0).to_pandas()
    assert len(none) == 0
    assert list(none.dtypes.items()) == list(some.dtypes.items())
    assert none["e2e"].isna().sum() == 0
    assert none["e2e"].mean() != none["e2e"].mean()  # NaN


def test_without_pandas_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'rfhosted\[lab\]'"):
        Latencies(1).to_pandas()


def test_a_terminal_shows_the_title_the_rows_and_the_notes():
    assert repr(Latencies(2, ("First note.", "Second note."))).splitlines() == [
        "2 latencies",
        "model    E2E ms",
        "model 0  0.00",
        "model 1  100",
        "First note.",
        "Second note.",
    ]
    assert repr(Latencies(0)) == "0 latencies"


def test_a_terminal_counts_the_rows_that_it_does_not_show():
    lines = repr(Latencies(100)).splitlines()
    assert len(lines) == 63
    assert lines[-1] == "… and 40 more rows"


def test_a_notebook_shows_the_title_the_rows_and_the_notes():
    tree = Tree(Latencies(2, ("A note.",))._repr_html_())
    assert tree.text["caption"] == "2 latencies"
    assert tree.text["td"] == "model 00.00model 1100"
    assert tree.text["em"] == "A note."
    assert Tree(Latencies(0)._repr_html_()).text["p"] == "0 latencies"


def test_titles_and_notes_are_text_and_never_markup():
    class Evil(Latencies):
        def _title(self):
            return EVIL

    for evil in (Evil(0, (EVIL,)), Evil(1, (EVIL,))):
        assert not Tree(evil._repr_html_()).all("script")
        assert "\x1b" not in repr(evil)
        repr(evil).encode()
