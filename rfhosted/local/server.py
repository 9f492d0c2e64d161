"""Run the embedded server in a thread of this process."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from rfhosted.local.app import build_app
from rfhosted.local.slow_network import slowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.applications import Starlette

    from rfhosted.local.simulation import Simulation

#: Open connections at most; and seconds for a request's head, or for a peer that stopped reading.
_MOST_CONNECTIONS, _PEER_SECONDS = 256, 10.0
#: What stops each running server.
_running: set[Callable[[], None]] = set()


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A running server.

    Attributes:
        url: Its URL; the root behaves as V2, ``/v1`` as v1.
    """

    url: str


@contextlib.contextmanager
def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    key: str | None = None,
    *,
    simulate: Simulation | None = None,
) -> Iterator[LocalServer]:
    """Serve the local models as long as the context lasts.

    Args:
        host: Address to listen at. The default can be reached from the same computer only.
        port: Port; 0 takes a free one.
        key: Key that every request must have; None accepts any or none.
        simulate: Latencies to simulate, instead of running the models; every response then says
            so. With a ``line``, ``url`` is the other end of that link, on a free port.

    Yields:
        The server, ready.

    Raises:
        OSError: The port is taken, or the address does not belong to this computer.
        RuntimeError: The server did not start; its log says why.
    """
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(running(build_app(key, host, simulate=simulate), host, port))
        if simulate and simulate.line:
            url = stack.enter_context(slowed(simulate.line, url))
        yield LocalServer(url)


@contextlib.contextmanager
def running(app: Starlette, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Run an application in a thread, and yield its URL; the rest is as in ``serve``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        if os.name == "posix":  # elsewhere it would let two servers share one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # asyncio sets it only on sockets of an explicit protocol; without it a response's body
        # waits about 40 ms until the client has acknowledged the headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((host, port))
        listener.listen(128)
        config = uvicorn.Config(
            app,
            http=_Connection,
            log_config=None,  # logging in this process belongs to its user
            access_log=False,  # it would hold the query, and with it the key
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=20,  # more than any peer has
        )
        server = _Server(config)
        thread = threading.Thread(
            target=_run, args=(server, listener), name="rfhosted.local", daemon=True
        )
        thread.start()
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("The embedded server did not start; its log says why.")
            time.sleep(0.005)
        shown = f"[{host}]" if family is socket.AF_INET6 else host

        def stop() -> None:
            server.should_exit = True
            thread.join()

        _running.add(stop)
        try:
            yield f"http://{shown}:{listener.getsockname()[1]}"
        finally:
            stop()
            _running.discard(stop)


def _stop_all() -> None:
    for stop in [*_running]:
        stop()


# A model that runs when Python ends aborts the process: every server stops before, even one whose
# context nobody leaves. atexit is too late: Python first waits for the threads of pools.
getattr(threading, "_register_atexit", atexit.register)(_stop_all)


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    # Not asyncio.run, which notebooks replace by nest_asyncio's.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(server.serve(sockets=[listener]))
    finally:
        loop.close()


class _Server(uvicorn.Server):
    """Stops in order: requests without a response are refused, then running models end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        service = self.config.app.state.service  # type: ignore[union-attr]  # always a Starlette
        service.stop()
        await super().shutdown(sockets)
        service.close()


class _Connection(H11Protocol):
    """Closes connections that are too many, or whose peer neither sends a head nor reads."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        if len(self.connections) > _MOST_CONNECTIONS:
            transport.abort()
        self._watch(waiting=True)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch(waiting=self.cycle is None or self.cycle.response_complete)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch(waiting=True)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch(waiting=False)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._watch(waiting=False)

    def _watch(self, *, waiting: bool) -> None:
        if self._patience and not waiting:
            self._patience.cancel()
            self._patience = None
        elif waiting and not self._patience:
            self._patience = self.loop.call_later(_PEER_SECONDS, self.transport.abort)
