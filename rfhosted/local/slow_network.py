"""A slow network link to a fast server: both directions have a rate and a delay."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfhosted.local.simulation import Line

#: Bytes, so few that what is not yet sent stays with the sender, as on a real link.
_BUFFER = 8192
_SEGMENT = 1448  # bytes, as on Ethernet; those of loopback are larger than an image
_PIECE = 2048


@contextlib.contextmanager
def slowed(line: Line, server: str) -> Iterator[str]:
    """A second URL of a server, behind a slow link.

    Args:
        line: The link.
        server: ``http://host:port``.

    Yields:
        The URL.
    """
    target = urlsplit(server)
    family = socket.AF_INET6 if ":" in (target.hostname or "") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        if line.up < float("inf"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            with contextlib.suppress(OSError, AttributeError):  # without it the steps are coarser
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT)
        listener.bind((target.hostname, 0))
        listener.listen(128)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(
            target=loop.run_forever, name="rfhosted.local.slow_network", daemon=True
        )
        thread.start()
        relay = _Relay(line, target.hostname or "", target.port or 80)
        serving = asyncio.start_server(relay.connected, sock=listener.dup(), limit=_PIECE)
        opened = asyncio.run_coroutine_threadsafe(serving, loop).result()
        host = f"[{target.hostname}]" if family is socket.AF_INET6 else target.hostname
        try:
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            loop.call_soon_threadsafe(opened.close)
            asyncio.run_coroutine_threadsafe(relay.close(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout=5)
            loop.close()


class _Relay:
    def __init__(self, line: Line, host: str, port: int) -> None:
        self._line, self._host, self._port = line, host, port
        self._ending = asyncio.Event()
        self._open: set[asyncio.Task[None] | None] = set()

    async def connected(self, requests: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Carry both directions of one connection until either ends."""
        me = asyncio.current_task()
        self._open.add(me)
        responses, forth = await asyncio.open_connection(self._host, self._port)
        directions = [
            asyncio.ensure_future(direction)
            for direction in (
                self._carry(requests, forth, self._line.up),
                self._carry(responses, back, self._line.down),
                self._ending.wait(),
            )
        ]
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        for direction in directions:
            direction.cancel()
        await asyncio.gather(*directions, return_exceptions=True)
        for end in (forth, back):
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()
        self._open.discard(me)

    async def close(self) -> None:
        """Close the open connections."""
        self._ending.set()
        await asyncio.gather(*filter(None, self._open), return_exceptions=True)

    async def _carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, rate: float
    ) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        arriving = asyncio.ensure_future(_arrive(under_way, target))
        piece = int(max(64, min(_PIECE, rate / 50)))  # about 20 ms of a link this slow
        turn, data = 0.0, b"-"
        try:
            while data:
                data = await source.read(piece)
                turn = max(turn, time.perf_counter()) + len(data) / rate
                under_way.put_nowait((turn + self._line.round_trip / 2, data))
                await asyncio.sleep(turn - time.perf_counter())
            await arriving
        finally:
            arriving.cancel()


async def _arrive(
    under_way: asyncio.Queue[tuple[float, bytes]], target: asyncio.StreamWriter
) -> None:
    """Write what is under way when it is due, until the empty bytes of the end."""
    data = b"-"
    while data:
        due, data = await under_way.get()
        await asyncio.sleep(due - time.perf_counter())
        target.write(data)
        await target.drain()
