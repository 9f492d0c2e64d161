"""Numbers as text: one way in every room."""

from __future__ import annotations

import pytest

from rfhosted.display.units import counted, kilobytes, milliseconds, percent


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0611, "61 ms"),
        (0, "0 ms"),
        (0.00001, "0 ms"),
        (0.0004, "0.4 ms"),
        (0.00994, "9.9 ms"),
        (0.00996, "10 ms"),
        (12.3456, "12,346 ms"),
        (None, "not reported"),
    ],
)
def test_milliseconds(seconds, text):
    assert milliseconds(seconds) == text


def test_a_table_can_leave_the_unit_to_its_header():
    assert milliseconds(0.25, unit="") == "250"
    assert milliseconds(None, unit="", missing="-") == kilobytes(None, missing="-") == "-"


@pytest.mark.parametrize(
    ("nbytes", "text"), [(1234, "1.2 kB"), (98_700, "99 kB"), (5_000_000, "5,000 kB"), (0, "0 kB")]
)
def test_kilobytes(nbytes, text):
    assert kilobytes(nbytes) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0.0, "0%"), (0.004, "<1%"), (0.006, "1%"), (0.126, "13%"), (1.0, "100%"), (None, "-")],
)
def test_a_small_share_is_not_shown_as_nothing(fraction, text):
    assert percent(fraction, missing="-") == text


def test_counted():
    assert [counted(n, "row") for n in (0, 1, 2, 1000)] == [
        "0 rows",
        "1 row",
        "2 rows",
        "1,000 rows",
    ]
    assert counted(2, "class", "classes") == "2 classes"
