"""The table that every result class is: as a DataFrame, in a terminal, in a notebook."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfhosted import Task, compare
from rfhosted.display.tables import Table, html_table, text_table, unfolding_table
from rfhosted.outputs.values import KeyPoint
from support.html_tree import EVIL, Tree
from support.predictions import class_map, objects, ranking, thing


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


@pytest.mark.parametrize("count", [0, 3])
def test_a_data_frame_can_be_changed(count):
    frame = Latencies(count).to_pandas()
    frame["e2e_ms"] = 1000 * frame["e2e"]  # pandas warns where it is a part of another
    assert len(frame) == count


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


def test_a_notebook_counts_the_rows_that_it_does_not_show():
    tree = Tree(Latencies(1_500)._repr_html_())
    assert len(tree.all("tr")) == 1_001
    assert tree.text["em"] == "… and 500 more rows"


def test_a_table_has_headings():
    tree = Tree(html_table([{"class_name": "dog", "x1": 1.0}], "1 object"))
    assert tree.text["caption"] == "1 object"
    assert [th["scope"] for th in tree.all("th")] == ["col", "col"]
    assert tree.text["tbody"] == "dog1.00"
    assert not Tree(html_table([{"x": 1}])).all("caption")


def test_no_rows_are_no_table():
    assert html_table([]) == text_table([]) == unfolding_table([], "", 10) == ""
    assert unfolding_table([{"x": 1}], "", 0) == ""


def test_a_table_that_is_folded_says_how_much_is_in_it():
    rows = [{"x": i} for i in range(30)]
    assert Tree(unfolding_table(rows, "", 30)).text["summary"] == "Table of 30 rows"
    cut = Tree(unfolding_table(rows, "", 20))
    assert cut.text["summary"] == "Table of the first 20 of 30 rows"
    assert len(cut.all("tr")) == 21


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.126, "0.13"),
        (1234.56, "1235"),
        (None, "-"),
        (3, "3"),
        ("a\nb\x1b", "a b"),
        ({"nose": (1, 2), "tail": (3, 4)}, "nose, tail"),
        (-0.5, "-0.50"),
        ("a\u202eb", "ab"),
        ("n" * 1_000_000, "n" * 199 + "…"),
        (dict.fromkeys(map(str, range(10**5))), ", ".join(map(str, range(1000)))[:199] + "…"),
        (EVIL, "\"><script>alert(1)</script>&' [31m"),
    ],
)
def test_cells(value, text):
    assert Tree(html_table([{"x": value}])).text["td"] == text
    assert text_table([{"x": value}]).splitlines() == ["x", text]


NAMES = st.text(
    st.one_of(
        st.sampled_from("\x00\x1b\x07\x9b\x7f\n\u2028\u200b\u202e\u2066\ufeff\ud83d\U000e0041<&"),
        st.characters(),
    ),
    min_size=1,
)
UNPRINTABLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)


def shown_of(name):
    """All that is shown of predictions that hold a name."""
    same = dict.fromkeys(("model", "host"), name) | {"notes": (name,)}
    point = KeyPoint(5.0, 5.0, 0.9, 0, name)
    predictions = [
        objects(thing(name), **same),
        objects(thing(name, key_points=(point,)), task=Task.KEYPOINT_DETECTION, **same),
        ranking((name, 0.9), ("cat", 0.5), **same),
        ranking((name, 0.9), multi={name}, **same),
        class_map([[1, 0]], {0: "background", 1: name}, size=(20, 10), **same),
    ]
    others = [predictions[0].filter(confidence=1.0), ranking(("cat", 0.9), **same)]
    comparisons = [compare(p, p) for p in predictions]
    comparisons += [compare(predictions[0], others[0]), compare(predictions[2], others[1])]
    for result in (*predictions, *others, *comparisons):
        yield repr(result)
        yield result._repr_html_()
        yield result.summary()
    for prediction in predictions:
        yield " ".join(prediction.caption())


@given(NAMES)
@settings(max_examples=40, deadline=None)
def test_what_is_shown_is_printable(name):
    for text in shown_of(name):
        assert not UNPRINTABLE.search(text)
        text.encode()


def test_what_is_shown_of_endless_names_is_short():
    name = "n" * 300_000
    assert max(map(len, shown_of(name))) < 30_000


def test_a_terminal_sees_columns():
    rows = [{"class_name": "dog", "x1": 1.0}, {"class_name": "traffic light", "x1": 200.0}]
    assert text_table(rows) == "class_name     x1\ndog            1.00\ntraffic light  200"
