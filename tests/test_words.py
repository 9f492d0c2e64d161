"""The prose has none of the words in retired_words.toml; ``python tests/words.py`` lists them by room."""

from __future__ import annotations

import pytest

from words import INSTEAD, LIST, RETIRED, ROOT, offenders


def test_the_prose_has_no_retired_words():
    assert [f"{name}:{line}: {word} in {text}" for name, line, word, text in offenders()] == []


@pytest.mark.parametrize("word", INSTEAD)
def test_each_retired_word_is_found_in_a_sentence(word):
    wrapped = f"The {word.replace(' ', chr(10), 1)}, {word.upper()}."
    assert len(RETIRED.findall(wrapped)) == 2


@pytest.mark.parametrize("text", ["UnexpectedAnswerError", "key_points", "task", "configures"])
def test_names_and_longer_words_are_not_found(text):
    assert RETIRED.findall(text) == []


def test_each_exception_is_needed_and_has_a_reason():
    for item in LIST.get("exception", []):
        assert item["text"] in (ROOT / item["file"]).read_text("utf-8")
        assert RETIRED.search(item["text"])
        assert item["reason"]
