"""Answers that are no success, as exceptions."""

from __future__ import annotations

from typing import Any, ClassVar


class RefusedError(Exception):
    """An answer that is no success.

    Attributes:
        status: The HTTP status.
        body: What the JSON body says.
        headers: What the headers say besides.
    """

    headers: ClassVar[dict[str, str] | None] = None

    def __init__(self, status: int, message: Any, field: str = "message") -> None:
        super().__init__(message)
        self.status, self.body = status, {field: message}


class BadImageError(RefusedError):
    """A picture that cannot be had or read."""

    def __init__(self, cause: str) -> None:
        super().__init__(400, f"Could not load input image. Cause: {cause}")


class TooLongError(RefusedError):
    """A body over the limit, in the words of v1's gateway; nothing more of it is read."""

    headers: ClassVar[dict[str, str] | None] = {"connection": "close"}

    def __init__(self) -> None:
        super().__init__(413, "Request Too Long")
