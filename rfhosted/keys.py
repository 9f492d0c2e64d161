"""The API key: where it is looked for, and a wrapper that never shows it."""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path
from typing import NoReturn

from rfhosted.errors import AuthenticationError

KEY_NAME = "ROBOFLOW_API_KEY"
_colab_lock = threading.Lock()


class ApiKey:
    """A key that shows itself nowhere: not in a repr, a traceback, a log or a pickle."""

    __slots__ = ("__secret",)

    def __init__(self, secret: str) -> None:
        # A key of odd characters would be quoted in full by the HTTP library's own complaint.
        readable = re.fullmatch(r"[!-~]+", secret)
        self.__secret = secret if readable else ""
        del secret
        if not readable:
            raise AuthenticationError(
                "The API key holds spaces or characters that no key has",
                advice="Copy it again from app.roboflow.com, Settings, API Keys.",
            )

    def reveal(self) -> str:
        """The key itself, for the request that is about to leave."""
        return self.__secret

    def redact(self, text: str) -> str:
        """The text with the key, should a server have repeated it, blotted out."""
        return text.replace(self.__secret, "***")

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


def find_key() -> ApiKey | None:
    """The key of this place: the environment's, else that of ``.env`` here, else Colab's."""
    for look in (_from_environment, _from_dotenv, _from_colab):
        if found := look().strip():
            return ApiKey(found)
    return None


def _from_environment() -> str:
    return os.environ.get(KEY_NAME, "")


def _from_dotenv() -> str:
    try:
        text = Path(".env").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    line = re.search(
        rf"^\s*(?:export\s+)?{KEY_NAME}\s*=\s*([\"']?)([^\"'\s#]+)\1", text, re.MULTILINE
    )
    return line[2] if line else ""


def _from_colab() -> str:
    # Colab answers in the main thread alone, may show a dialog and is not thread-safe.
    on_main = threading.current_thread() is threading.main_thread()
    if "google.colab" not in sys.modules or not on_main:
        return ""
    with _colab_lock:
        if "secret" not in _colab_answer:
            from google.colab import userdata

            try:
                _colab_answer["secret"] = ApiKey(userdata.get(KEY_NAME))
            except Exception:  # noqa: BLE001 - no secret, no access, a timeout: each means "none here"
                _colab_answer["secret"] = None
    answer = _colab_answer["secret"]
    return answer.reveal() if answer else ""


#: What Colab said, asked once: a second dialog would be in the way.
_colab_answer: dict[str, ApiKey | None] = {}
