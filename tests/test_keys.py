"""Where a key is found, what is understood as one, and how it is kept out of texts."""

from __future__ import annotations

import base64
import copy
import html
import json
import logging
import os
import sys
import threading
import urllib.parse

import pytest

from rfhosted import AuthenticationError, Client
from rfhosted.keys import ApiKey, _colab_key, find_key

KEY = "CANARYab12/CD34+ef=7"
NAME = "ROBOFLOW_API_KEY"


@pytest.mark.parametrize(
    "typed",
    [
        "k3y-abc", " k3y-abc\n", '"k3y-abc"', "'k3y-abc'", "“k3y-abc”", '"k3y-abc",', "k3y-abc;",
        "\ufeffk3y-abc", "k3y-abc\u200b", "\xa0k3y-abc", "Bearer k3y-abc", "api_key=k3y-abc",
        "ROBOFLOW_API_KEY='k3y-abc'", "export ROBOFLOW_API_KEY=k3y-abc", '"api_key": "k3y-abc"',
        "?api_key=k3y-abc", b" k3y-abc", bytearray(b"k3y-abc\n"),
    ],
)  # fmt: skip
def test_what_is_copied_along_with_a_key_is_dropped(typed) -> None:
    assert ApiKey(typed).reveal() == "k3y-abc"


@pytest.mark.parametrize("key", [KEY, "rf_abc", "a.b-c_d~e", "x", "50%off"])
def test_a_key_is_taken_as_it_is(key) -> None:
    assert ApiKey(key).reveal() == key


@pytest.mark.parametrize("blank", [None, "", " \n", b"\t", "\ufeff", "''"])
def test_nothing_is_no_key(blank) -> None:
    assert not ApiKey(blank)
    assert find_key(blank) is None
    assert not Client(blank).has_key


@pytest.mark.parametrize(
    "wrong",
    [
        f"{KEY} x",
        f"{KEY}\nx",
        f"{KEY}é",
        f'{KEY}"x',
        f"{KEY}\\n",
        "<key>",
        "•" * 20,
        b"\xff",
        "k" * 501,
    ],
)
def test_what_is_no_key_is_refused_unseen(wrong) -> None:
    with pytest.raises(AuthenticationError, match="no key has") as caught:
        ApiKey(wrong)
    assert str(wrong) not in str(caught.value)
    with pytest.raises(AuthenticationError):
        Client(wrong)


@pytest.mark.parametrize("wrong", [12, 1.5, True, ["k3y"], object(), os.environ])
def test_what_is_no_text_is_a_type_error(wrong) -> None:
    with pytest.raises(TypeError, match=type(wrong).__name__):
        Client(wrong)


class Secret:
    """As pydantic's SecretStr."""

    def __init__(self, value) -> None:
        self._value = value

    def get_secret_value(self):
        return self._value

    def __repr__(self) -> str:
        return "Secret('****')"


@pytest.mark.parametrize("value", [KEY, KEY.encode()], ids=type)
def test_wrapped_secrets_are_unwrapped(value) -> None:
    client = Client(Secret(value))
    assert client._key.reveal() == KEY
    assert KEY not in repr(vars(client))


def test_the_wrapper() -> None:
    key = ApiKey(KEY)
    assert KEY not in f"{key} {key!r} {key.__reduce__.__doc__} {dir(key)}"
    assert copy.deepcopy(key) is key
    assert key == ApiKey(KEY) == ApiKey(key) != ApiKey("other")
    assert len({key, ApiKey(KEY)}) == 1


def test_the_order_of_places(monkeypatch, tmp_path) -> None:
    assert find_key() is None
    (tmp_path / ".env").write_text(f"{NAME}=fromdotenv\n")
    assert find_key().reveal() == "fromdotenv"
    monkeypatch.setenv(NAME, "fromenvironment")
    assert find_key().reveal() == "fromenvironment"
    assert Client("fromargument")._key.reveal() == "fromargument"
    assert Client("  ")._key.reveal() == "fromenvironment"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"{NAME}=k3y", "k3y"),
        (f"A=1\n  export {NAME} = 'k3y' # mine\nB=2", "k3y"),
        (f"{NAME}=\nOTHER_TOKEN=not-ours", None),
        (f"{NAME}\nOTHER_TOKEN=not-ours", None),
        (f"{NAME}=\n\n\nnot-ours", None),
        (f"# {NAME}=k3y", None),
        (f"MY_{NAME}=k3y", None),
        (f"{NAME}=old\n{NAME}=k3y", "k3y"),
        (f'NOTE="two\n{NAME}=not-ours\nlines"\n{NAME}=k3y', "k3y"),
        (f"{NAME}=${{OTHER}}\nOTHER=x", None),
        ("", None),
    ],
)
def test_a_dotenv_file(tmp_path, text, key) -> None:
    (tmp_path / ".env").write_text(text)
    found = find_key()
    assert (found and found.reveal()) == key


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + f"{NAME}=k3y\r\n".encode(),
        f"{NAME}=k3y\r\n".encode("utf-16"),
        f"{NAME}=k3y\r\n".encode("utf-16-le"),
        f"{NAME}=k3y\r\n".encode("utf-16-be"),
        f"{NAME}=k3y\r\n".encode("utf-32"),
        f"# für Büro\n{NAME}=k3y\n".encode("latin-1"),
        f"{NAME}=k3y\r".encode(),
    ],
)
def test_a_dotenv_file_in_any_encoding(tmp_path, data) -> None:
    (tmp_path / ".env").write_bytes(data)
    assert find_key().reveal() == "k3y"


def test_a_dotenv_that_cannot_be_read_is_none(tmp_path, monkeypatch) -> None:
    (tmp_path / ".env").mkdir()  # as a virtual environment may be named
    assert find_key() is None
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert find_key() is None


def test_a_dotenv_that_is_broken_shows_no_secret(tmp_path, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / ".env").write_text(f"{NAME}='{KEY}\nOTHER 'x\n")
    assert find_key() is None
    assert KEY not in caplog.text


@pytest.fixture
def colab(monkeypatch):
    """Colab's secrets; the list of what was looked up."""
    looked_up = []

    def get(name):
        looked_up.append(name)
        return "fromcolab"

    module = type(sys)("google.colab")
    module.userdata = type("userdata", (), {"get": staticmethod(get)})
    monkeypatch.setitem(sys.modules, "google", type(sys)("google"))
    monkeypatch.setitem(sys.modules, "google.colab", module)
    _colab_key.cache_clear()
    yield looked_up
    _colab_key.cache_clear()


def test_colab_is_read_once_and_in_the_main_thread_only(colab) -> None:
    found = []
    thread = threading.Thread(target=lambda: found.append(find_key()))
    thread.start()
    thread.join()
    assert found == [None]
    assert [find_key().reveal() for _ in range(2)] == ["fromcolab"] * 2
    assert colab == [NAME]


def escaped(text: str, pattern: str) -> str:
    return "".join(pattern.format(ord(c)) for c in text)


SPELLINGS = {
    "plain": KEY,
    "url": urllib.parse.quote(KEY, safe=""),
    "url, small letters": urllib.parse.quote(KEY, safe="").lower().replace(KEY[:10].lower(), KEY[:10])
    .replace("cd34", "CD34"),
    "url, every character": escaped(KEY, "%{:02X}"),
    "url, twice": urllib.parse.quote(urllib.parse.quote(KEY, safe=""), safe=""),
    "json": json.dumps(KEY),
    "json of php": KEY.replace("/", r"\/"),
    "json, every character": escaped(KEY, r"\u{:04x}"),
    "json in json": json.dumps(json.dumps(escaped(KEY, r"\u{:04X}"))),
    "python": escaped(KEY, r"\x{:02x}"),
    "html": html.escape(KEY),
    "html, named": KEY.replace("/", "&sol;").replace("+", "&plus;").replace("=", "&equals;"),
    "html, every character": escaped(KEY, "&#{};"),
    "html, hexadecimal": escaped(KEY, "&#x{:X};"),
    "html, twice": html.escape(escaped(KEY, "&#{};")),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 of a login": base64.b64encode(f"user:{KEY}".encode()).decode(),
    "base64 for urls": base64.urlsafe_b64encode(f"us:{KEY}?".encode()).decode(),
    "base64 in a url": urllib.parse.quote(base64.b64encode(f"a{KEY}".encode()), safe=""),
    "hexadecimal": KEY.encode().hex(),
    "utf-16": KEY.encode("utf-16").decode("latin-1"),
}  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_key_is_redacted_in_every_spelling(spelling) -> None:
    key = ApiKey(KEY)
    text = f"before {spelling} between {spelling} after"
    redacted = key.redact(text)
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    assert redacted.count("***") == 2
    # All but what the characters beside the key have a part in.
    assert len(redacted) <= len("before *** between *** after") + 2 * 12


def test_other_texts_stay(images) -> None:
    text = json.dumps({"class": "größe & höhe", "rle": "0`a\\1O", "id": 1.5}) + "100%"
    assert ApiKey(KEY).redact(text) == text
    assert ApiKey("dog").redact("a dog") == "a dog"  # too short to be a secret
    assert ApiKey().redact("a dog") == "a dog"


@pytest.mark.parametrize("piece", ["%25", "\\", "&amp;", "&#0", "\\u00", KEY[:-1] + "&", "C%"])
def test_redacting_takes_linear_time(piece) -> None:
    """A quadratic pattern would take hours."""
    text = piece * (2_000_000 // len(piece)) + "%"
    assert ApiKey(KEY).redact(text) == text
