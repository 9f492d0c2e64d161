"""The API key: where it is found, and a wrapper that never shows it."""

from __future__ import annotations

import base64
import functools
import html.entities
import io
import json
import os
import re
import sys
import threading
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from rfhosted.errors import AuthenticationError

KEY_NAME = "ROBOFLOW_API_KEY"
#: Blanks, quotes, commas, and characters that nobody sees.
_JUNK = r"""[\s"'`,;\xad\u200b-\u200f\u2018-\u201f\u2060\ufeff]*"""
#: A key with what people copy along with it: quotes, a comma, invisible characters, its name.
_TYPED = re.compile(
    rf"""{_JUNK}(?:[?&]?(?:export\s+)?\w*api_key["']?\s*[=:]|bearer\s)?{_JUNK}(.*?){_JUNK}""",
    re.IGNORECASE | re.DOTALL,
)
_VALID = re.compile(r"""(?:(?!["'`\\<>])[!-~]){1,500}""")
#: Characters; what is shorter stands in other words too, and is not a real key.
_SHORTEST_SECRET = 6
_ESCAPES = ("%", "&", "\\u", "\\x", "\\/")


class ApiKey:
    """A key that shows itself nowhere: not in a repr, a traceback, a log or a pickle.

    Args:
        secret: Text, bytes, an object with ``get_secret_value`` (pydantic's SecretStr) or another
            key. None and blank text make a key that is false: there is none.

    Raises:
        AuthenticationError: It holds characters that no key has.
        TypeError: It is something else.
    """

    __slots__ = ("__secret",)

    def __init__(self, secret: object = None) -> None:
        self.__secret, problem = _read(secret)
        del secret  # a traceback shows the variables of its frames
        if problem:
            raise problem

    def reveal(self) -> str:
        """The key itself, for the request that is about to leave."""
        return self.__secret

    def redact(self, text: str) -> str:
        """The text with ``***`` for the key, should a server have repeated it.

        Found as it is, escaped for URLs, JSON or HTML, in UTF-16, in base64 and in hexadecimal.
        """
        if len(self.__secret) < _SHORTEST_SECRET:
            return text
        for form in _other_forms(self.__secret):
            text = text.replace(form, "***")
        if self.__secret in text or any(mark in text for mark in _ESCAPES):
            text = _spelled(self.__secret).sub("***", text)
        return text

    def __bool__(self) -> bool:
        return bool(self.__secret)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ApiKey) and self.reveal() == other.reveal()

    def __hash__(self) -> int:
        return hash(self.__secret)

    def __repr__(self) -> str:
        return "ApiKey(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("An API key is never pickled; make a new Client where it is needed.")

    def __deepcopy__(self, memo: object) -> ApiKey:
        return self


def find_key(given: object = None) -> ApiKey | None:
    """The first key of: the one given, the environment, ``.env`` in this directory, Colab.

    Args:
        given: As ``ApiKey`` takes it.

    Raises:
        AuthenticationError, TypeError: As ``ApiKey``.
    """
    try:
        key = ApiKey(given)
    finally:
        del given
    for look in (_from_environment, _from_dotenv, _from_colab):
        key = key or ApiKey(look())
    return key or None


def _read(secret: object) -> tuple[str, Exception | None]:
    """The key in what was given, or what is wrong with it; raises nothing, to show nothing."""
    if isinstance(secret, ApiKey):
        return secret.reveal(), None
    if callable(unwrap := getattr(secret, "get_secret_value", None)):
        secret = unwrap()
    if isinstance(secret, (bytes, bytearray)):
        secret = secret.decode("utf-8", "replace")
    if not isinstance(secret, str | None):
        return "", TypeError(f"api_key must be a string, not {type(secret).__name__}.")
    typed = _TYPED.fullmatch((secret or "")[:1000])
    key = typed[1] if typed else ""
    if not key or _VALID.fullmatch(key):
        return key, None
    return "", AuthenticationError(
        "The API key holds spaces or characters that no key has",
        advice="Copy it again from app.roboflow.com, Settings, API Keys.",
    )


@functools.cache
def _other_forms(secret: str) -> frozenset[str]:
    """The key in UTF-16, in hexadecimal, and at each place of a base64 text."""
    raw = secret.encode()
    forms = {"\0".join(secret), raw.hex(), raw.hex().upper()}
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw).decode()
        # Without the characters that the neighbours of the key have a part in.
        core = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        forms |= {core, core.replace("+", "-").replace("/", "_"), quote(core, safe="")}
    return frozenset(forms)


@functools.cache
def _spelled(secret: str) -> re.Pattern[str]:
    """The key, whichever of its characters are escaped for a URL, HTML or JSON."""
    return re.compile("".join(map(_spelled_character, secret)))


def _spelled_character(character: str) -> str:
    itself = re.escape(character)
    code = "".join(f"[{digit}{digit.upper()}]" for digit in f"{ord(character):02x}")
    names = [name for name, text in html.entities.html5.items() if text == character]
    entity = "|".join([f"#0{{0,6}}{ord(character)};?", f"#[xX]0{{0,6}}{code};?", *names])
    # Escapes may be escaped again. All repeats have an end, and what fails fails at once.
    return (
        rf"(?:{itself}|%(?:{code}|(?:25){{1,4}}{code})|\\\\{{0,3}}(?:u00{code}|x{code}|{itself})"
        rf"|&(?:amp;){{0,4}}(?:{entity}))"
    )


def _from_environment() -> str | None:
    return os.environ.get(KEY_NAME)


def _from_dotenv() -> str | None:
    try:
        with Path(".env").open("rb") as file:
            data = file.read(1_000_000)
    except OSError:
        return None
    from dotenv import dotenv_values

    # Notepad writes a byte-order mark, PowerShell UTF-16; a comment may hold letters of Latin-1.
    text = data.decode(json.detect_encoding(data), "replace")
    return dotenv_values(stream=io.StringIO(text)).get(KEY_NAME)


def _from_colab() -> str | ApiKey | None:
    # Colab replies in the main thread only, and may show a dialog.
    on_main = threading.current_thread() is threading.main_thread()
    return _colab_key() if on_main and "google.colab" in sys.modules else None


@functools.cache  # a second dialog would be in the way
def _colab_key() -> ApiKey | None:
    from google.colab import userdata

    try:
        return ApiKey(userdata.get(KEY_NAME))
    except Exception:  # noqa: BLE001 - no secret, no access, a timeout: each means that there is no key
        return None
