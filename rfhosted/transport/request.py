"""The seam to the network: what is sent, what comes back, and who may do it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from urllib3.filepost import encode_multipart_formdata

from rfhosted.errors import UnexpectedAnswerError
from rfhosted.hosted import ApiVersion
from rfhosted.outputs import limits

if TYPE_CHECKING:
    from rfhosted.keys import ApiKey
    from rfhosted.transport.connection import Stop
    from rfhosted.transport.stopwatch import Split

# One fixed boundary makes equal images equal requests; no image holds these 128 random bits.
_BOUNDARY = "rfhosted-0b6ff0f0a7c94d0c8f6be5b1a3d9c27e"
PART_NAME = "file"  # the server accepts no other


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as a plain value; the key is not in it.

    ``retried`` names the statuses after which it may be sent again; None for the usual ones.
    """

    url: str
    params: dict[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    key_in_header: bool = False
    api_version: ApiVersion = ApiVersion.V2
    method: str = "POST"
    retried: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response; ``***`` stands where a server repeated the key.

    Attributes:
        status: HTTP status.
        headers: Names in lower case.
        body: The bytes, decompressed.
        e2e: Seconds from connecting or sending, in the last try, to the response's last byte.
        split: The parts of ``e2e``.
        retries: Why earlier tries failed, in words.
    """

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    e2e: float
    split: Split
    retries: tuple[str, ...] = ()

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            UnexpectedAnswerError: It is not JSON, or larger than any real response; the text is
                kept.
        """
        # Looked at before parsing, which may take thirty times the memory of the text.
        containers = self.body.count(b"[") + self.body.count(b"{")
        if max(containers, self.body.count(b",") // 2) > limits.MOST_JSON_CONTAINERS:
            problem = "The response has more values than any real one"
        else:
            try:
                value = json.loads(self.body)
            except RecursionError:
                problem = "The response is nested too deeply"
            except ValueError:
                problem = "The response is not JSON (from a proxy or a login page?)"
            else:
                if containers <= limits.DEEPEST_JSON or not _is_deep(value):
                    return value
                problem = "The response is nested too deeply"
        text = self.body[: limits.LARGEST_KEPT_TEXT].decode("utf-8", "replace")
        raise UnexpectedAnswerError(problem, status=self.status, raw=text)


def _is_deep(value: Any) -> bool:
    """Whether JSON is nested so deeply that showing or copying it could fail."""
    level = [value]
    for _ in range(limits.DEEPEST_JSON):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


class SupportsSend(Protocol):
    """The seam to the network: ``Client(transport=…)`` takes anything with this method."""

    def send(
        self,
        request: Request,
        key: ApiKey | None,
        *,
        timeout: float,
        retries: int,
        stop: Stop | None = None,
    ) -> Reply:
        """Send a request and return its response.

        Args:
            request: What to send; the key is not in it.
            key: Goes into the header or the query, as the request says.
            timeout: Seconds for one try.
            retries: Further tries at most.
            stop: Ends it from another thread.

        Raises:
            HostedError: There is no response, or one that reports an error.
        """


def seconds_of(reported: Any) -> float | None:
    """Seconds that a body or a header reports; None for what no time is: NaN, negative, years."""
    if isinstance(reported, bool):
        return None
    try:
        seconds = float(reported)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds <= limits.LONGEST_TIME else None


def multipart(image: bytes, file_format: str) -> tuple[bytes, str]:
    """Body and content type of a form with one file."""
    kind = file_format.lower()
    part = f"image.{kind}", image, f"image/{kind}"
    return encode_multipart_formdata({PART_NAME: part}, boundary=_BOUNDARY)


#: Bytes that the form adds to a file, at most.
FORM_BYTES = len(multipart(b"", "JPEG")[0])
