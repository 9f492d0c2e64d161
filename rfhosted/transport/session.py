"""Send a request and bring back the reply: pooled, timed, tried again where that helps.

No other module but connection.py imports requests. The key is put on a request at the last moment,
and nothing that leaves this module, an error or a log line, holds it.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

import requests
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.util.retry import Retry

from rfhosted.errors import (
    HostedError,
    ImageError,
    UnexpectedAnswerError,
    UnreachableError,
    error_for,
    message_in,
)
from rfhosted.outputs.limits import LONGEST_TIME
from rfhosted.transport.connection import Adapter, Stop, Try

if TYPE_CHECKING:
    from rfhosted.keys import ApiKey
    from rfhosted.transport.request import Request
    from rfhosted.transport.stopwatch import Split

#: Statuses worth another try. 502 is a hiccup once, and a broken model after.
_RETRIED = frozenset({429, 502, 503, 504})
#: Seconds; a server that asks for a longer pause is told to the user instead of waited for.
_LONGEST_PAUSE = 30.0
#: All tries and pauses together, in timeouts.
_BUDGET_IN_TIMEOUTS = 2
_LARGEST_DOWNLOAD = 100_000_000  # bytes of a picture from a URL
_LARGEST_ANSWER = 500_000_000  # bytes; a runaway answer must not eat the memory
_CHUNK = 1 << 16


class _Auth(requests.auth.AuthBase):
    """Puts the key on a request at the last moment; also keeps requests from asking ~/.netrc."""

    def __init__(self, key: ApiKey | None, *, in_header: bool) -> None:
        self._key, self._in_header = key, in_header

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key and self._in_header:
            prepared.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        elif self._key:
            prepared.prepare_url(prepared.url, {"api_key": self._key.reveal()})
        return prepared


class _HideKey(logging.Filter):
    """urllib3 logs each URL at DEBUG, with the query that v1 takes the key in."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                re.sub(r"(api_key=)[^&\s]+", r"\1***", arg) if isinstance(arg, str) else arg
                for arg in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_HideKey())


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer.

    Attributes:
        status: HTTP status.
        headers: Names in lower case.
        body: The bytes, decompressed.
        e2e: Seconds from connecting or sending, in the last try, to its answer's last byte.
        split: The parts of ``e2e``.
        retries: Why earlier tries failed, in words.
    """

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)
    e2e: float
    split: Split
    retries: tuple[str, ...] = ()

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            UnexpectedAnswerError: It is none; the text is kept.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            text = self.body.decode("utf-8", "replace")
        raise UnexpectedAnswerError(
            "The answer is not JSON: perhaps a proxy or a login page answered",
            status=self.status,
            raw=text,
        )


def seconds_of(reported: Any) -> float | None:
    """Seconds that a body or a header reports; None for what no time is: NaN, negative, years."""
    if isinstance(reported, bool):
        return None
    try:
        seconds = float(reported)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds <= LONGEST_TIME else None


@dataclass(frozen=True, slots=True)
class _Failure:
    """No answer: what happened, and whether the request certainly led to none."""

    reason: str
    before_answer: bool = False


class _Policy(Retry):
    """urllib3's Retry, but for a first pause that is not zero."""

    def get_backoff_time(self) -> float:
        doubled = self.backoff_factor * 2 ** (len(self.history) - 1)
        jitter = random.random() * self.backoff_jitter  # noqa: S311 - no secret is made of it
        return float(min(self.backoff_max, doubled) + jitter)


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
        """Send a request and bring back its reply.

        Args:
            request: What to send; the key is not in it.
            key: Goes into the header or the query, as the request says.
            timeout: Seconds for one try.
            retries: Further tries at most.
            stop: Ends it from another thread.

        Raises:
            HostedError: There is no reply, or one that reports an error.
        """


class Transport:
    """A pooled session. Safe to use from several threads."""

    def __init__(self) -> None:
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, Adapter(pool_maxsize=32))

    def __repr__(self) -> str:
        return "Transport()"

    def send(
        self,
        request: Request,
        key: ApiKey | None,
        *,
        timeout: float,
        retries: int,
        stop: Stop | None = None,
    ) -> Reply:
        """Send, and try again where that helps; the successful reply.

        Args:
            request: What to send; the key is put on it here.
            key: None sends none.
            timeout: Seconds for one try, all of it. All tries and pauses take twice that at most.
            retries: How many further tries at most.
            stop: Ends it from another thread.

        Raises:
            HostedError: What ``errors.STATUSES`` says of the last status.
            UnreachableError: No answer, one that was cut off, or stopped.
        """
        stop = stop or Stop()
        policy = _Policy(total=retries, backoff_factor=0.5, backoff_jitter=0.3, backoff_max=8)
        give_up = time.monotonic() + timeout * _BUDGET_IN_TIMEOUTS
        auth = _Auth(key, in_header=request.key_in_header)
        call = requests.Request(
            request.method,
            request.url,
            params=request.params,
            data=request.body or None,
            headers={"Content-Type": request.content_type} if request.body else {},
            auth=auth,
        )
        failed: list[str] = []
        while True:
            seconds = min(timeout, give_up - time.monotonic())
            outcome = self._try(call, seconds, largest=_LARGEST_ANSWER, stop=stop)
            if isinstance(outcome, Reply) and outcome.status == 200:
                return replace(outcome, retries=tuple(failed))
            failed.append(outcome.reason if isinstance(outcome, _Failure) else str(outcome.status))
            pause = _pause(policy, outcome, failed)
            if stop() or pause is None or time.monotonic() + pause >= give_up:
                break
            policy = policy.increment(request.method, error=Urllib3Error(failed[-1]))
            stop.wait(pause or policy.get_backoff_time())
            if stop():
                break
        raise _error(outcome, urlsplit(request.url).netloc, key, tries=len(failed))

    def download(self, url: str, *, timeout: float) -> bytes:
        """The bytes behind a picture's address. No key is sent there.

        Args:
            url: An http or https address.
            timeout: Seconds, for all of it.

        Raises:
            ImageError: Unreachable, slow, too large, or an answer that is no success.
        """
        try:
            parts = urlsplit(url)
            host = parts.netloc.rpartition("@")[2]  # all that is shown: the rest may hold a secret
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
        except ValueError:
            host = user = password = ""
        if not host:
            raise ImageError(
                "The URL of the image is invalid", advice="Check it for typing errors."
            )
        login = (
            requests.auth.HTTPBasicAuth(user.encode(), password.encode())
            if user or password
            else None
        )
        call = requests.Request("GET", url, auth=login or _Auth(None, in_header=False))
        outcome = self._try(call, timeout, largest=_LARGEST_DOWNLOAD, stop=Stop(), follow=True)
        if isinstance(outcome, _Failure):
            raise ImageError(
                f"The image at {host} could not be fetched: {outcome.reason}",
                advice="Check the address and the network.",
            )
        if outcome.status != 200:
            raise ImageError(
                f"The image at {host} could not be fetched: HTTP {outcome.status}",
                advice="Check the URL; a protected image needs https://user:password@host/path.",
            )
        return outcome.body

    def _try(
        self,
        call: requests.Request,
        seconds: float,
        *,
        largest: int,
        stop: Stop,
        follow: bool = False,
    ) -> Reply | _Failure:
        answered = False
        failure: _Failure | None = None
        with Try(seconds, stop) as attempt:
            try:
                prepared = self._session.prepare_request(call)
                with self._session.send(
                    prepared,
                    # A little longer than the deadline, which then is what ends the wait.
                    timeout=(seconds, seconds + 1),
                    stream=True,
                    allow_redirects=follow,
                    **self._settings(call.url),
                ) as response:
                    answered = True
                    body = bytearray()
                    for chunk in response.iter_content(_CHUNK):
                        body += chunk
                        if len(body) > largest:
                            return _Failure(f"it has more than {largest:,} bytes")
                    ended = time.perf_counter()
            except (requests.RequestException, Urllib3Error, OSError, ValueError) as error:
                failure = _explain(error, answered=answered)
        if stop():
            return _Failure("it was stopped")
        if attempt.expired:
            return _Failure(f"no complete answer within {seconds:.3g} s")
        if failure:
            return failure
        headers = {name.lower(): value for name, value in response.headers.items()}
        e2e, split = attempt.clock.e2e(ended), attempt.clock.split(ended)
        return Reply(response.status_code, headers, bytes(body), e2e, split)

    def _settings(self, url: str) -> dict[str, Any]:
        if urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1"):
            return {"proxies": {}}  # a proxy of the environment does not know this machine
        settings = self._session.merge_environment_settings(
            url, {}, stream=True, verify=None, cert=None
        )
        return {name: value for name, value in settings.items() if name != "stream"}


def _pause(policy: _Policy, outcome: Reply | _Failure, failed: list[str]) -> float | None:
    """Seconds to wait before another try, 0 for the policy's own; None for no other try."""
    if policy.total is not False and int(policy.total or 0) <= 0:
        return None
    if isinstance(outcome, _Failure):
        return 0.0 if outcome.before_answer else None
    if outcome.status not in _RETRIED or failed.count("502") > 1:
        return None
    try:
        asked = policy.parse_retry_after(outcome.headers["retry-after"])
    except (KeyError, Urllib3Error):
        return 0.0
    return asked if asked <= _LONGEST_PAUSE else None


def _explain(error: Exception, *, answered: bool) -> _Failure:
    """What happened, in words that hold no URL: the libraries' own hold the query and the key."""
    if answered:
        return _Failure("the answer was cut off")
    if isinstance(error, requests.exceptions.SSLError):
        return _Failure("the TLS connection failed; check the certificate, the clock or a proxy")
    if isinstance(error, requests.exceptions.ReadTimeout):
        return _Failure("no answer in time")
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return _Failure("no connection in time", before_answer=True)
    if isinstance(error, requests.exceptions.ConnectionError):
        return _Failure(_system_words(error) or "the connection was closed", before_answer=True)
    return _Failure(f"the address cannot be asked ({type(error).__name__})")


def _system_words(error: BaseException | None) -> str | None:
    """What the operating system said, from the innermost of a chain of errors."""
    words = None
    while error is not None:
        if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
            words = error.strerror or words
        error = error.__cause__ or error.__context__
    return words


def _error(outcome: Reply | _Failure, host: str, key: ApiKey | None, *, tries: int) -> HostedError:
    times = f" ({tries} tries)" if tries > 1 else ""
    if isinstance(outcome, _Failure):
        return UnreachableError(f"No answer from {host}: {outcome.reason}{times}")
    text = outcome.body.decode("utf-8", "replace")
    said = _server_message(key.redact(text) if key else text)
    error = error_for(outcome.status, said)
    pause = outcome.headers.get("retry-after", "")
    if pause.isdigit() and int(pause) > _LONGEST_PAUSE:
        error.advice = f"The server asks to wait {pause} s: try again then."
    elif times:
        error.message += times
    return error


def _server_message(text: str) -> str | None:
    """The server's own message, out of any of the bodies that its layers write."""
    try:
        return message_in(json.loads(text))
    except (ValueError, RecursionError):
        return re.sub(r"<[^>]*>|\s+", " ", text).strip() or None  # HTML of a load balancer
