"""Where a request's time goes: its connection calls a clock on its way.

What a program hands to its socket is not sent yet: the system keeps megabytes of it in a buffer. So
the upload ends when the other side has acknowledged it, which the system knows.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from urllib3.util.wait import wait_for_read

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds between two looks at how much is not acknowledged yet.
_LOOK = 0.001
#: Seconds for which an upload is followed though there is something to read: that may be a TLS
#: session ticket, or the error of a server that reads no further.
_PATIENCE = 0.25
#: The other side may acknowledge the last one or two segments only with its response (40 ms).
_LAST_SEGMENTS = 2
_SO_NWRITE = 0x1024  # macOS: bytes in the send buffer


@dataclass(frozen=True, slots=True)
class Split:
    """A request's E2E time in its parts, seconds; None where the system does not report it.

    Attributes:
        connect: Name lookup, TCP and TLS; 0 where a connection was open already.
        upload: From the first byte to the acknowledgement of the last (except one or two segments
            of some 1.4 kB); at least a round trip, unless the request is as small as that.
        wait: From there to the response's headers.
        download: From the response's headers to its last byte.
    """

    connect: float
    upload: float | None
    wait: float | None
    download: float


class Clock:
    """Takes the times of one try; a connection calls it on its way."""

    def __init__(self) -> None:
        self._connect = 0.0
        self._began = self._sent = self._responded = 0.0
        self._delivered = False

    @contextlib.contextmanager
    def connecting(self) -> Iterator[None]:
        """Time the making of a connection, which may happen after ``sending``."""
        began = time.perf_counter()
        self._began = self._began or began
        yield
        self._connect += time.perf_counter() - began

    def sending(self) -> None:
        """The request is about to be written."""
        self._began = self._began or time.perf_counter()

    def sent(self, sock: socket.socket | None) -> None:
        """The request has been written: follow it until it is acknowledged."""
        self._delivered = sock is not None and _followed(sock)
        self._sent = time.perf_counter()

    def responded(self) -> None:
        """The response's headers have arrived."""
        self._responded = time.perf_counter()

    def split(self, ended: float) -> Split:
        """The parts of a try that ended with the response's last byte at ``ended``."""
        upload, wait = self._sent - self._began - self._connect, self._responded - self._sent
        if not self._delivered:
            return Split(self._connect, None, None, ended - self._responded)
        return Split(self._connect, upload, wait, ended - self._responded)

    def e2e(self, ended: float) -> float:
        """Seconds from connecting or sending to ``ended``."""
        return ended - self._began


def _followed(sock: socket.socket) -> bool:
    """Wait until all but the last segments are acknowledged; False where that is not known."""
    patience = _PATIENCE
    try:
        last = _LAST_SEGMENTS * sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        while _unacknowledged(sock) > last:
            if wait_for_read(sock, _LOOK):
                patience -= _LOOK
                time.sleep(_LOOK)
            if patience <= 0:
                return False
    except (OSError, AttributeError, ImportError):  # closed, or a system that does not report it
        return False
    return True


def _unacknowledged(sock: socket.socket) -> int:
    if sys.platform == "darwin":
        return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
    import fcntl
    import termios

    count = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", count)[0])
