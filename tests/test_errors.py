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


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "no credits"}, "no credits"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"error": {"message": "no access", "type": "AccessException"}}, "no access"),
        ({"Message": "Forbidden\x1b[0m"}, "Forbidden [0m"),
        ({"detail": [{"loc": ["query", "stroke"], "msg": "not a number"}]}, "query.stroke: not a number"),
        ({"detail": [{"loc": None, "msg": "wrong"}, {"loc": 5}, {}, 3, "text"]}, "wrong; 5; text"),
        ({"message": None}, None),
        ({"message": {"message": ["a"]}}, "a"),
        ({"message": ""}, None),
        ("no credits", "no credits"),
        ([], None),
        (None, None),
    ],
)  # fmt: skip
def test_the_message_in_the_json_of_an_error(body, message) -> None:
    assert errors.message_in(body) == message
