"""A client whose server simulates its times: for lessons offline, and to test the benchmark."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from rfhosted.client import Client
from rfhosted.hosted import ApiVersion
from rfhosted.transport.session import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfhosted.keys import ApiKey
    from rfhosted.local import Simulation
    from rfhosted.transport.connection import Stop
    from rfhosted.transport.request import Reply, Request


class Simulated:
    """A transport to the simulator: one embedded server for both API versions, and no key.

    Args:
        url: Address of the server; its root is V2, ``/v1`` is v1.
    """

    def __init__(self, url: str) -> None:
        self._url, self._http = url, Transport()

    def send(
        self,
        request: Request,
        key: ApiKey | None,
        *,
        timeout: float,
        retries: int,
        stop: Stop | None = None,
    ) -> Reply:
        """Send a request as ``rfhosted.transport`` does, to the root of its version."""
        del key  # a simulator has no use for one
        if request.api_version is ApiVersion.V1:
            path = request.url.removeprefix(self._url)
            request = replace(request, url=f"{self._url}/v1{path}")
        return self._http.send(request, None, timeout=timeout, retries=retries, stop=stop)

    def __repr__(self) -> str:
        return "simulated times"


@contextlib.contextmanager
def simulated(simulation: Simulation | None = None) -> Iterator[Client]:
    """A client of a simulator, as long as the context lasts; each of its responses says so.

    Args:
        simulation: The times; None for those that the documentation publishes, model by model.

    Yields:
        The client, for ``rfhosted.benchmark(..., client=client)`` or to predict with.
    """
    from rfhosted import local  # it needs the extra

    with local.serve(simulate=simulation or local.like_published()) as server:
        yield Client(base_url=server.url, transport=Simulated(server.url))
