"""HTTP: pooled, timed, tried again where that helps. The key goes on at the last moment.

Nothing that leaves this module, an error, a log line or a traceback, holds the key.
"""

from __future__ import annotations

import html
import itertools
import json
import os
import random
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.util.retry import Retry

from rfhosted.errors import (
    HostedError,
    ImageError,
    UnexpectedAnswerError,
    error_for,
    message_in,
)
from rfhosted.outputs import limits
from rfhosted.outputs.text import one_line
from rfhosted.transport.connection import Adapter, Stop, Try
from rfhosted.transport.failures import TROUBLE, Failure, explain
from rfhosted.transport.request import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rfhosted.keys import ApiKey
    from rfhosted.transport.request import Request

#: Statuses worth another try. 502 is a hiccup once, and a broken model after.
_RETRIED = frozenset({429, 502, 503, 504})
#: Seconds; a server that wants a longer pause is reported to the user instead of waited for.
_LONGEST_PAUSE = 30.0
_FIRST_BACKOFF, _LONGEST_BACKOFF, _JITTER = 0.5, 8.0, 0.3  # seconds
#: All tries and pauses together, in timeouts.
_BUDGET_IN_TIMEOUTS = 2
_LONGEST_TRY = 86_400.0  # seconds; sockets overflow at more
_CHUNK = 1 << 16
#: What the HTTP libraries decompress in pieces, so that a bomb does not explode.
_ENCODINGS = {"", "identity", "gzip", "x-gzip", "deflate"}
_HEADERS = {**requests.utils.default_headers(), "Accept-Encoding": "gzip, deflate"}


class _Auth(requests.auth.AuthBase):
    """Puts the key on a request at the last moment."""

    def __init__(self, key: ApiKey | None, *, in_header: bool) -> None:
        self._key, self._in_header = key, in_header

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key and self._in_header:
            prepared.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        elif self._key:
            prepared.prepare_url(prepared.url, {"api_key": self._key.reveal()})
        return prepared


class Transport:
    """Sends requests over connections that stay open, from any number of threads and processes."""

    def __init__(self) -> None:
        self._adapters: dict[int, Adapter] = {}
        self._environment = requests.Session()  # reads proxies and certificates from there

    def __repr__(self) -> str:
        return "Transport()"

    def __reduce__(self) -> tuple[Any, ...]:
        return Transport, ()  # each process has its own connections

    def send(
        self,
        request: Request,
        key: ApiKey | None,
        *,
        timeout: float,
        retries: int,
        stop: Stop | None = None,
    ) -> Reply:
        """Send, and try again where that helps; the successful response.

        Args:
            request: What to send; the key is put on it here.
            key: None sends none.
            timeout: Seconds for one try, all of it. All tries and pauses take twice that at most.
            retries: How many further tries at most.
            stop: Ends it from another thread.

        Raises:
            HostedError: As ``errors.STATUSES`` has it for the last status.
            UnreachableError: No response, one that was cut off, or stopped.
            UnexpectedAnswerError: A response larger than any real one.
        """
        stop = stop or Stop()
        hide = key.redact if key else str
        give_up = time.monotonic() + timeout * _BUDGET_IN_TIMEOUTS
        call = requests.Request(
            request.method,
            request.url,
            params=request.params,
            data=request.body or None,
            headers=_HEADERS | ({"Content-Type": request.content_type} if request.body else {}),
            auth=_Auth(key, in_header=request.key_in_header),
        )
        failed: list[str] = []
        for left in range(retries, -1, -1):
            seconds = min(timeout, give_up - time.monotonic())
            outcome = self._try(call, seconds, stop, hide, limits.LARGEST_RESPONSE)
            if isinstance(outcome, Reply) and outcome.status == 200:
                return replace(outcome, retries=tuple(failed))
            failed.append(outcome.reason if isinstance(outcome, Failure) else str(outcome.status))
            pause = _pause(outcome, failed, request.retried)
            if not left or pause is None or time.monotonic() + pause >= give_up or stop():
                break
            stop.wait(pause)
            if stop():
                break
        raise _error(outcome, urlsplit(request.url).netloc, hide, tries=len(failed))

    def download(self, url: str, *, timeout: float) -> bytes:
        """The bytes behind the URL of an image. No key is sent there.

        Args:
            url: An http or https URL; it may hold a user and a password.
            timeout: Seconds, for all of it.

        Raises:
            ImageError: Unreachable, slow, too large, or a response that is not a success.
        """
        try:
            call, host = _image_request(url), urlsplit(url).netloc.rpartition("@")[2]
        except ValueError:
            host = ""
        if not host:
            raise ImageError(
                "The URL of the image is invalid", advice="Check it for typing errors."
            )
        # Of the URL only the host is shown: the rest may hold a secret.
        failed = f"The image at {host} could not be fetched"
        outcome = self._try(call, timeout, Stop(), str, limits.LARGEST_DOWNLOAD, follow=True)
        if isinstance(outcome, Failure):
            advice = outcome.advice or "Check the URL and the network."
            raise ImageError(f"{failed}: {outcome.reason}", advice=advice)
        if outcome.status != 200:
            raise ImageError(
                f"{failed}: HTTP {outcome.status}",
                advice="Check the URL; a protected image needs https://user:password@host/path.",
            )
        return outcome.body

    def _try(
        self,
        call: requests.Request,
        seconds: float,
        stop: Stop,
        hide: Callable[[str], str],
        largest: int,
        *,
        follow: bool = False,
    ) -> Reply | Failure:
        """Everything that one timeout is for; ``follow`` redirects, for images only."""
        seconds = min(seconds, _LONGEST_TRY)
        with Try(seconds, stop, hide) as attempt:
            outcome = self._exchange(call, attempt, largest)
            for _ in range(limits.MOST_REDIRECTS if follow else 0):
                if isinstance(outcome, Failure) or not 300 <= outcome.status < 400:
                    break
                if "location" not in outcome.headers:
                    break
                try:
                    call = _image_request(urljoin(call.url, outcome.headers["location"]), call)
                except ValueError:
                    return Failure("it leads to an invalid URL")
                outcome = self._exchange(call, attempt, largest)
        if isinstance(outcome, Reply):
            return outcome
        if stop():
            return Failure("it was stopped")
        if attempt.expired:
            return Failure(f"no complete response within {seconds:.3g} s")
        return outcome

    def _exchange(self, call: requests.Request, attempt: Try, largest: int) -> Reply | Failure:
        """One request and its response. Whatever is raised leaves its frames behind.

        Those of the HTTP libraries hold the URL and the headers with the key, and tracebacks show
        the variables of frames: also that of Ctrl-C.
        """
        try:
            return self._round_trip(call, attempt, largest)
        except TROUBLE as error:
            return explain(error, responded=attempt.responded)
        except BaseException as error:  # noqa: BLE001 - raised below
            raised = error.with_traceback(None)
        raised.__context__ = raised.__cause__ = None
        raise raised

    def _round_trip(self, call: requests.Request, attempt: Try, largest: int) -> Reply | Failure:
        attempt.responded = False
        seconds = attempt.left()
        with self._adapter().send(
            call.prepare(),
            # A little longer than the deadline, which then is what ends the wait.
            timeout=(seconds, seconds + 1),
            stream=True,
            **self._settings(call.url),
        ) as response:
            status = response.status_code
            most = largest if status == 200 else limits.LARGEST_ERROR_PAGE
            body = b"" if 300 <= status < 400 else b"".join(_pieces(response.raw, attempt, most))
            ended = time.perf_counter()
            if len(body) > most and status == 200:
                reason = f"more than {most:,} bytes arrived"
                return Failure(reason, kind=UnexpectedAnswerError)
            headers = {name.lower(): value for name, value in response.headers.items()}
        if attempt.hide is not str:  # which hides nothing
            shown = "\n".join(itertools.chain(*headers.items()))
            if attempt.hide(shown) != shown:
                headers = {attempt.hide(name): attempt.hide(headers[name]) for name in headers}
            body = attempt.hide(body.decode("latin-1")).encode("latin-1")
        e2e, split = attempt.clock.e2e(ended), attempt.clock.split(ended)
        return Reply(status, headers, body, e2e, split)

    def _adapter(self) -> Adapter:
        """The connections of this process: those of its parent are in use there."""
        process = os.getpid()
        if process not in self._adapters:
            self._adapters.setdefault(process, Adapter())
        return self._adapters[process]

    def _settings(self, url: str) -> dict[str, Any]:
        """Proxies and certificates of the environment."""
        parts = urlsplit(url)
        # No proxy knows what this computer calls itself.
        loopback = parts.hostname in ("127.0.0.1", "localhost", "::1")
        if loopback and parts.scheme == "http":
            return {"proxies": {}}
        found = self._environment.merge_environment_settings(url, {}, None, None, None)
        proxies = {} if loopback else found["proxies"]
        return {"proxies": proxies, "verify": found["verify"], "cert": found["cert"]}


def _image_request(url: str, before: requests.Request | None = None) -> requests.Request:
    """A request for an image, with the login of its URL, or of the one that redirected to it."""
    parts = urlsplit(url)
    login = None
    if parts.username or parts.password:
        names = unquote(parts.username or ""), unquote(parts.password or "")
        login = requests.auth.HTTPBasicAuth(*(name.encode() for name in names))
    elif before:
        host = urlsplit(before.url).netloc.rpartition("@")[2]
        same = parts.netloc == host and parts.scheme in ("https", urlsplit(before.url).scheme)
        login = before.auth if same else None
    return requests.Request("GET", url, headers=_HEADERS, auth=login)


def _pieces(raw: Any, attempt: Try, most: int) -> Iterator[bytes]:
    """The body, decompressed, until it is longer than ``most`` bytes."""
    encoding = raw.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise ValueError("an encoding that was not requested")
    while most >= 0 and (piece := raw.read(_CHUNK, decode_content=True)):
        # Decompressing takes time, too.
        attempt.check()
        most -= len(piece)
        yield piece
    attempt.check()  # a socket that was shut looks like the end of a body


def _pause(
    outcome: Reply | Failure, failed: list[str], retried: frozenset[int] | None
) -> float | None:
    """Seconds to wait before another try; None for no other try."""
    if isinstance(outcome, Failure):
        wanted, again = None, outcome.again
    else:
        wanted = _retry_after(outcome)
        again = outcome.status in (retried or _RETRIED) and failed.count("502") <= 1
    if not again or (wanted or 0) > _LONGEST_PAUSE:
        return None
    doubled = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** (len(failed) - 1))
    return wanted or doubled + random.random() * _JITTER  # noqa: S311 - no secret is made of it


def _retry_after(reply: Reply) -> float | None:
    """Seconds that the server wants a pause of, a day at most; None where it wants none."""
    try:
        wanted = Retry().parse_retry_after(reply.headers["retry-after"])
    except (KeyError, Urllib3Error, ValueError, TypeError, OverflowError):
        return None
    return float(min(wanted, _LONGEST_TRY))


def _error(
    outcome: Reply | Failure, host: str, hide: Callable[[str], str], *, tries: int
) -> HostedError:
    times = f" ({tries} tries)" if tries > 1 else ""
    if isinstance(outcome, Failure):
        message = f"No response from {host}: {outcome.reason}{times}"
        return outcome.kind(message, advice=outcome.advice)
    error = error_for(outcome.status, hide(_server_message(outcome.body)))
    wanted = _retry_after(outcome) or 0
    if wanted > _LONGEST_PAUSE:
        error.advice = f"The server wants a pause of {wanted:.0f} s: try again then."
    elif times:
        error.message += times
    return error


def _server_message(body: bytes) -> str:
    """The server's own message, out of any of the bodies that its layers write."""
    text = body.decode("utf-8", "replace")
    try:
        return message_in(json.loads(text)) or ""
    except (ValueError, RecursionError):
        # The HTML of a load balancer. "<" ends what "<" began: the time stays linear.
        return one_line(html.unescape(one_line(re.sub(r"<[^<>]*>", " ", text))))
