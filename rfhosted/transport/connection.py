"""Connections that know the try they serve: its deadline, who may stop it, its times."""

from __future__ import annotations

import contextlib
import errno
import functools
import http.client
import ipaddress
import logging
import queue
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from requests.adapters import HTTPAdapter

from rfhosted.transport.deadline import clear_deadline, set_deadline
from rfhosted.transport.stopwatch import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

_current = threading.local()
_MOST_INTERIM = 20  # responses of status 1xx before the real one


class Stop:
    """Ends requests from another thread: their sockets are shut, and they are not tried again.

    One ``Stop`` may be given to any number of requests at once.
    """

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._attempts: set[Try] = set()

    def __call__(self) -> bool:
        """Whether it was requested."""
        return self._requested.is_set()

    def set(self) -> None:
        """Stop the requests that are under way, and all later ones."""
        self._requested.set()
        for attempt in self._attempts.copy():
            attempt.wake()

    def wait(self, seconds: float) -> None:
        """Pause for so long, or until the stop."""
        self._requested.wait(seconds)

    def watch(self, attempt: Try) -> None:
        """Know that this try is under way."""
        self._attempts.add(attempt)

    def forget(self, attempt: Try) -> None:
        """Know that it is over."""
        self._attempts.discard(attempt)


class Try:
    """One try, and one deadline for all of it: whatever it waits for then is ended.

    Args:
        seconds: Until the deadline.
        stop: May end it before.
        hide: Takes the key out of a text.
    """

    def __init__(self, seconds: float, stop: Stop, hide: Callable[[str], str]) -> None:
        self.expired = self.responded = False
        self.hide = hide
        self.clock = Clock()
        self._stop = stop
        self._seconds = seconds
        self._due = time.monotonic() + seconds
        self._wake: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        _current.attempt = self
        self._stop.watch(self)
        set_deadline(self, self._seconds, self._expire)
        return self

    def __exit__(self, *error: object) -> None:
        self._wake = lambda: None  # the socket may serve another try now
        clear_deadline(self)
        self._stop.forget(self)
        _current.attempt = None

    def _expire(self) -> None:
        self.expired = True
        self.wake()

    def left(self) -> float:
        """Seconds until the deadline, more than 0."""
        return max(0.001, self._due - time.monotonic())

    def wake(self) -> None:
        """End the wait of the thread that makes the try."""
        with contextlib.suppress(OSError, TypeError):  # closed in the meantime: nothing waits
            self._wake()

    def waits_for(self, wake: Callable[[], object]) -> None:
        """Know how to end what is waited for next; also raise when there is nothing to wait for.

        Raises:
            ConnectionAbortedError: The deadline is over, or a stop was requested.
        """
        self._wake = wake
        self.check()

    def check(self) -> None:
        """Raise ConnectionAbortedError after the deadline or a stop."""
        if self.expired or self._stop():
            raise ConnectionAbortedError

    def waits_on(self, sock: Any) -> None:
        """As ``waits_for``: shutting this socket ends the wait."""
        raw = getattr(sock, "socket", sock)  # inside of urllib3's TLS within TLS
        # Of the plain socket: that of SSLSocket also drops what the reading thread still uses.
        self.waits_for(functools.partial(socket.socket.shutdown, raw, socket.SHUT_RDWR))

    def look_up(self, host: str, port: int) -> list[tuple[Any, ...]]:
        """The addresses of a host, as ``socket.getaddrinfo`` has them; it cannot be interrupted."""
        with contextlib.suppress(ValueError):
            literal = ipaddress.ip_address(host)
            family = socket.AF_INET6 if literal.version == 6 else socket.AF_INET
            return [(family, socket.SOCK_STREAM, 0, "", (host, port))]
        found: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def run() -> None:
            try:
                found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                found.put(error)

        threading.Thread(target=run, name="rfhosted.lookup", daemon=True).start()
        self.waits_for(lambda: found.put(TimeoutError()))
        result = found.get()
        if isinstance(result, Exception):
            raise result
        return list(result)


class _HideKey(logging.Filter):
    """urllib3 logs URLs, whose query may hold the key, and headers that it cannot read."""

    def filter(self, record: logging.LogRecord) -> bool:
        if attempt := getattr(_current, "attempt", None):
            record.msg, record.args = attempt.hide(record.getMessage()), ()
            record.exc_info = None
        return True


for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_HideKey())


class _Response(http.client.HTTPResponse):
    """http.client's response, but for what would let the next response be taken for this one."""

    def begin(self) -> None:
        super().begin()
        interim = 0
        while 100 <= self.status < 200 and self.status != http.HTTPStatus.SWITCHING_PROTOCOLS:
            # http.client skips status 100 only.
            interim += 1
            if interim > _MOST_INTERIM:
                raise http.client.HTTPException("too many interim responses")
            self.headers = None  # type: ignore[assignment]  # begin anew
            super().begin()
        # Two lengths: someone on the way may have taken the other.
        two_lengths = self.chunked and self.headers.get("Content-Length")
        if interim or two_lengths or self.status in (101, 204, 205, 304):
            self.will_close = True

    def _read_next_chunk_size(self) -> int:
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]  # private
        if size < 0:  # would read without an end
            raise http.client.HTTPException("a chunk of negative size")
        return size


class _Watched:
    """Tells the current try what it waits for; a mixin for urllib3's connections."""

    debuglevel = 0  # http.client's own would print the request and its key
    response_class = _Response
    # Of urllib3's connection, which is the other half.
    sock: Any
    port: int
    socket_options: Any
    _dns_host: str

    def connect(self) -> None:
        attempt: Try = _current.attempt
        with attempt.clock.connecting(), contextlib.ExitStack() as self._after_connecting:
            super().connect()  # type: ignore[misc]  # of the other half
        attempt.waits_on(self.sock)

    def _new_conn(self) -> Any:
        attempt: Try = _current.attempt
        by_socks = hasattr(self, "_socks_options")  # PySocks connects
        sock = super()._new_conn() if by_socks else self._connected(attempt)  # type: ignore[misc]  # of the other half
        try:
            # TLS takes the socket over; a second handle can still end the handshake.
            attempt.waits_on(self._after_connecting.enter_context(sock.dup()))
        except OSError:  # stopped in between: nobody else knows the socket yet
            sock.close()
            raise
        return sock

    def _connected(self, attempt: Try) -> socket.socket:
        addresses = attempt.look_up(self._dns_host.strip("[]"), self.port)
        problem = OSError(errno.EADDRNOTAVAIL, "the host has no address")
        for i, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                # An address that does not respond leaves time for the others.
                sock.settimeout(attempt.left() / (len(addresses) - i))
                attempt.waits_on(sock)
                sock.connect(address)
            except OSError as error:
                sock.close()
                problem = error
                attempt.check()
            else:
                sock.settimeout(attempt.left())
                return sock
        raise problem

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        attempt: Try = _current.attempt
        if self.sock is not None:
            attempt.waits_on(self.sock)
        attempt.clock.sending()
        super().putrequest(*args, **kwargs)  # type: ignore[misc]  # of the other half

    def getresponse(self) -> Any:
        attempt: Try = _current.attempt
        # A connection that is to be closed forgets its socket before the response is read.
        attempt.waits_on(self.sock)
        attempt.clock.sent(self.sock)
        response = super().getresponse()  # type: ignore[misc]  # of the other half
        attempt.clock.responded()
        attempt.responded = True
        return response


class _Unbounded(queue.LifoQueue[Any]):
    """Keeps every idle connection: urllib3 warns of each that it has no room for."""

    def __init__(self, maxsize: int) -> None:
        del maxsize
        super().__init__()


@functools.cache
def _watched(pool: type[Any]) -> type[Any]:
    """A class of connection pools, made of watched connections."""
    connection = type("Connection", (_Watched, pool.ConnectionCls), {})
    return type("Pool", (pool,), {"ConnectionCls": connection, "QueueCls": _Unbounded})


class Adapter(HTTPAdapter):
    """requests' adapter, of watched connections, also through proxies."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: D102 - inherited
        super().init_poolmanager(*args, **kwargs)
        _watch(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102 - inherited
        manager = super().proxy_manager_for(*args, **kwargs)
        _watch(manager)
        return manager


def _watch(manager: Any) -> None:
    pools = manager.pool_classes_by_scheme.items()
    manager.pool_classes_by_scheme = {
        scheme: pool if pool.QueueCls is _Unbounded else _watched(pool) for scheme, pool in pools
    }
