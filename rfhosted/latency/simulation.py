"""A client whose server pretends its times: for lessons offline, and to check the measuring."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from rfhosted.client import Client
from rfhosted.hosted import ApiVersion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfhosted.endpoints.routing import Route
    from rfhosted.local import Simulation
    from rfhosted.transport.connection import Stop
    from rfhosted.transport.request import Request
    from rfhosted.transport.session import Reply


class Simulated(Client):
    """Asks one embedded server as both versions; a key has no business there."""

    def _send(self, request: Request, route: Route, stop: Stop | None = None) -> Reply:
        if route.version is ApiVersion.V1:
            path = request.url.removeprefix(route.host)
            request = replace(request, url=f"{route.host}/v1{path}")
        return self._transport.send(
            request, None, timeout=self.timeout, retries=self.retries, stop=stop
        )

    def __repr__(self) -> str:
        return f"Client({self.api_version}: simulated times on this machine)"


@contextlib.contextmanager
def simulated(simulation: Simulation | None = None) -> Iterator[Client]:
    """A client of a simulator, as long as the context lasts; everything that it answers says so.

    Args:
        simulation: Which times; None for those that the documentation publishes, model by model.

    Yields:
        The client, for ``rfhosted.benchmark(..., client=client)`` or to predict with.
    """
    from rfhosted import local  # it needs the extra

    with local.serve(simulate=simulation or local.like_published()) as server:
        yield Simulated(base_url=server.url)
