"""Responses that are no success, as exceptions; the statuses and words are the real server's."""

from __future__ import annotations

from typing import Any, ClassVar


class RefusedError(Exception):
    """A response that is no success.

    Attributes:
        status: The HTTP status.
        body: The JSON body.
        headers: Headers of the response besides the usual ones.
    """

    headers: ClassVar[dict[str, str] | None] = None

    def __init__(self, status: int, message: Any, field: str = "message") -> None:
        super().__init__(message)
        self.status, self.body = status, {field: message}


class BadImageError(RefusedError):
    """An image that is missing, cannot be decoded or is too large to decode."""

    def __init__(self, cause: str) -> None:
        super().__init__(400, f"Could not load input image. Cause: {cause}")


class BusyError(RefusedError):
    """The request waited too long, or the server is being stopped."""

    headers: ClassVar[dict[str, str] | None] = {"retry-after": "1", "connection": "close"}

    def __init__(self) -> None:
        super().__init__(503, "Model is temporarily not ready - retry request.")


class TooSlowError(RefusedError):
    """A body that does not arrive in time."""

    headers: ClassVar[dict[str, str] | None] = {"connection": "close"}

    def __init__(self) -> None:
        super().__init__(408, "The request body did not arrive in time.")


class TooLongError(RefusedError):
    """A body over the limit, in the words of v1's gateway; the rest of it is not read."""

    headers: ClassVar[dict[str, str] | None] = {"connection": "close"}

    def __init__(self) -> None:
        super().__init__(413, "Request Too Long")
