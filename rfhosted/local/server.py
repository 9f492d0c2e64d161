"""Run the embedded server in a thread of this process."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from rfhosted.local.app import build_app
from rfhosted.local.slow_network import slowed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

    from rfhosted.local.simulation import Simulation


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A running server.

    Attributes:
        url: Its address; the root behaves as V2, the same under ``/v1`` as v1.
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
    """Serve the models of this machine as long as the context lasts.

    Args:
        host: Address to listen at; the default is reached from this machine alone.
        port: Port; 0 takes a free one.
        key: Key that every request must bring; None takes any or none.
        simulate: Times to pretend, in place of asking the models; every answer then says so. With a
            ``line`` the server is reached through that, at a port that is free.

    Yields:
        The server, ready.

    Raises:
        OSError: The port is taken, or the address is not of this machine.
        RuntimeError: The server did not start; its log says why.
    """
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(running(build_app(key, simulate=simulate), host, port))
        if simulate and simulate.line:
            url = stack.enter_context(slowed(simulate.line, url))
        yield LocalServer(url)


@contextlib.contextmanager
def running(app: Starlette, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Run an application in a thread; its address. The rest is as ``serve`` has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        if os.name == "posix":  # elsewhere it would let two servers share one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # asyncio sets it only on sockets of an explicit protocol; without it an answer's body waits
        # some 40 ms for the client to acknowledge its head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((host, port))
        listener.listen(128)
        config = uvicorn.Config(
            app,
            log_config=None,  # the logging of this process is its user's
            access_log=False,  # it would hold the query, and with it the key
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="rfhosted.local", daemon=True
        )
        thread.start()
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("The embedded server did not start; its log says why.")
            time.sleep(0.005)
        shown = f"[{host}]" if family is socket.AF_INET6 else host
        try:
            yield f"http://{shown}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=5)
