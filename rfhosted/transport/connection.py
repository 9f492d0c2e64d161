"""Connections that tell the current try where it is: its deadline, who may stop it, its times."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from rfhosted.transport.deadline import clear_deadline, set_deadline
from rfhosted.transport.stopwatch import Clock

_current = threading.local()


class Stop:
    """Ends requests from another thread: their sockets are shut, and they are not tried again.

    One ``Stop`` may be given to any number of requests at once.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._attempts: set[Try] = set()

    def __call__(self) -> bool:
        """Whether it was asked for."""
        return self._asked.is_set()

    def set(self) -> None:
        """Ask for it."""
        self._asked.set()
        for attempt in self._attempts.copy():
            attempt.shut()

    def wait(self, seconds: float) -> None:
        """Pause, for so long at most."""
        self._asked.wait(seconds)

    def watch(self, attempt: Try) -> None:
        """Know that this try is under way."""
        self._attempts.add(attempt)

    def forget(self, attempt: Try) -> None:
        """Know that it is over."""
        self._attempts.discard(attempt)


class Try:
    """One try and the deadline for all of it, when its socket is shut wherever it waits."""

    def __init__(self, seconds: float, stop: Stop) -> None:
        self.expired = False
        self.stop = stop
        self.connection: HTTPConnection | None = None
        self.socket: socket.socket | None = None
        self.clock = Clock()
        self._seconds = seconds

    def __enter__(self) -> Self:
        _current.attempt = self
        self.stop.watch(self)
        set_deadline(self, self._seconds, self._expire)
        return self

    def __exit__(self, *error: object) -> None:
        clear_deadline(self)
        self.stop.forget(self)
        _current.attempt = None

    def _expire(self) -> None:
        self.expired = True
        self.shut()

    def shut(self) -> None:
        """Wake whoever waits on the socket."""
        sock = self.socket or getattr(self.connection, "sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):  # closed in the meantime: nothing waits on it
                sock.shutdown(socket.SHUT_RDWR)


class _Watched:
    """Tells the current try of its connection and its times; a mixin for urllib3's connections."""

    def connect(self) -> None:
        with self._attempt().clock.connecting():
            super().connect()  # type: ignore[misc]  # the mixin's other half is urllib3's connection

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        self._attempt().clock.sending()
        super().putrequest(*args, **kwargs)  # type: ignore[misc]  # as above

    def getresponse(self) -> Any:
        attempt = self._attempt()
        attempt.clock.sent(attempt.socket)
        response = super().getresponse()  # type: ignore[misc]  # as above
        attempt.clock.answered()
        return response

    def _attempt(self) -> Try:
        attempt: Try = _current.attempt
        attempt.connection = self  # type: ignore[assignment]  # as above
        # A connection that is to be closed forgets its socket before the answer is read.
        attempt.socket = getattr(self, "sock", None)
        if attempt.stop():  # asked for while there was no socket to shut
            raise ConnectionAbortedError
        return attempt


class _WatchedHTTP(_Watched, HTTPConnection):
    pass


class _WatchedHTTPS(_Watched, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class Adapter(HTTPAdapter):
    """requests' adapter, of connections that are watched."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: D102 - inherited
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
