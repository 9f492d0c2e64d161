"""Errors: text from outside is printable, and an error survives a process boundary."""

from __future__ import annotations

import pickle

import pytest

from rfhosted import errors


def test_a_servers_message_can_be_printed() -> None:
    error = errors.error_for(500, "\x1b]0;title\x07 \udc80 " + "x" * 10_000)
    assert str(error).encode().isascii() is False  # the ellipsis
    assert str(error).isprintable()
    assert len(error.server_message) == 300


@pytest.mark.parametrize("status", [*errors.STATUSES, 202, 302, 418, 599, 999])
def test_every_error_survives_a_pickle(status) -> None:
    error = errors.error_for(status, "no credits")
    loaded = pickle.loads(pickle.dumps(error))
    assert type(loaded) is type(error)
    assert vars(loaded) == vars(error)
    assert str(loaded) == str(error)
