"""Text from outside: on one line, composed, harmless to a terminal, never of megabytes."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfhosted.outputs.text import one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb", "a b"),
        (" a\t\x00\x1b[0m ", "a [0m"),
        ("a\x9b31m", "a 31m"),
        ("cafe\u0301", "café"),
        ("a\ud800", "a"),
        ("\u2028", ""),
        ("\u202edog\u202c \u2066cat\u2069\u200f", "dog cat"),
        ("d\u200bo\u00adg\ufeff", "dog"),
        ("क्\u200dष", "क्\u200dष"),
        ("👩\u200d🚒", "👩\u200d🚒"),
    ],
)
def test_what_a_terminal_obeys_is_gone(text, line):
    assert one_line(text) == line


def test_a_long_text_is_cut():
    assert one_line("n" * 1_000_000) == "n" * 999 + "…"
    assert one_line("abcdef", 4) == "abc…"
    assert one_line(" " * 5_000 + "n") == "…"


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_is_printable(text):
    line = one_line(text)
    line.encode()
    assert "".join(line.splitlines()) == line
    assert not {unicodedata.category(c) for c in line} & {"Cc", "Cs", "Zl", "Zp"}
    assert one_line(line) == line
