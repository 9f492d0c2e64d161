"""A TCP server that sends any bytes whatever, at any pace, and hangs up in any way."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

#: Steps of a response that are no bytes and no pauses.
CLOSE, RESET, STALL = "close", "reset", "stall"


@dataclass(frozen=True)
class Drip:
    """Bytes one by one."""

    data: bytes
    pause: float = 0.05  # seconds between two


@dataclass(frozen=True)
class Endless:
    """The same bytes again and again, as fast as they are taken."""

    data: bytes


Step = bytes | float | str | Drip | Endless
#: (number of the request, its head) -> the steps of its response
Behaviour = Callable[[int, str], Iterable[Step]]


def response(
    status: int | str,
    body: bytes = b"",
    headers: Iterable[tuple[str, str]] = (),
    *,
    length: int | str | None = None,
    kind: str = "application/json",
) -> bytes:
    """An HTTP/1.1 response; ``length`` is what it claims, "" claims nothing."""
    length = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}"]
    lines += [f"Content-Length: {length}"] * (length != "")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A response of status 200 in chunks."""
    head = response(200, headers=[("Transfer-Encoding", "chunked")], length="")
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + end


class RawServer:
    """Serves until the end of its ``with``; ``heads`` are those of the requests so far."""

    def __init__(self, behave: Behaviour, *, certificate: str | None = None) -> None:
        self.heads: list[str] = []
        self._behave = behave
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        # Closing alone does not wake the thread that accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open.copy():
            connection.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        connection = plain
        try:
            if self._tls:
                connection = self._tls.wrap_socket(plain, server_side=True)
                self._open.add(connection)
            received = b""
            while (parts := self._request(connection, received)) is not None:
                head, received = parts
                with self._lock:
                    number = len(self.heads)
                    self.heads.append(head)
                for step in self._behave(number, head):
                    self._take(connection, step)
        except OSError:
            pass  # the client hung up: a part of the tests
        finally:
            connection.close()
            self._open -= {connection, plain}

    def _request(self, connection: socket.socket, received: bytes) -> tuple[str, bytes] | None:
        """Head of the next request and what came after its body; None at the end."""
        while b"\r\n\r\n" not in received:
            if not (data := connection.recv(1 << 16)):
                return None
            received += data
        head, _, rest = received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
        while len(rest) < int(length or 0):
            if not (data := connection.recv(1 << 16)):
                return None
            rest += data
        return head.decode("latin-1"), rest[int(length or 0) :]

    def _take(self, connection: socket.socket, step: Step) -> None:
        if isinstance(step, bytes):
            connection.sendall(step)
        elif isinstance(step, float):
            self._over.wait(step)
        elif isinstance(step, Drip):
            for byte in step.data:
                connection.sendall(bytes([byte]))
                self._over.wait(step.pause)
        elif isinstance(step, Endless):
            while not self._over.is_set():
                connection.sendall(step.data)
        elif step == STALL:
            self._over.wait()
        else:
            if step == RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise ConnectionError
