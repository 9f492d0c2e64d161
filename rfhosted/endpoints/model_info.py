"""What the platform knows of a model: its input size. Looked up once, and only if that is quick."""

from __future__ import annotations

import os
import re
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rfhosted import hosted
from rfhosted.errors import HostedError
from rfhosted.outputs.limits import LONGEST_SIDE
from rfhosted.transport.request import Request

if TYPE_CHECKING:
    from rfhosted.hosted import Region
    from rfhosted.keys import ApiKey
    from rfhosted.transport.request import SupportsSend

_PATIENCE = 3.0  # seconds for one request: an image waits for it


class Sizes:
    """Input sizes of the models of one workspace, remembered, also where nothing is known."""

    def __init__(self) -> None:
        self._known: dict[str, int | None] = {}
        self._locks: dict[int, threading.Lock] = {}

    def look_up(
        self, transport: SupportsSend, key: ApiKey | None, region: Region, model_id: str
    ) -> int | None:
        """Longest side of the model's input in pixels; None where the platform does not report it.

        Args:
            transport: Sends the requests.
            key: The platform tells the workspace of a project by it.
            region: Which platform.
            model_id: Model id of two segments.
        """
        # A forked process must not wait for a lock that a thread of its parent held.
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            if model_id not in self._known:
                self._known[model_id] = _reported(transport, key, region, model_id)
            return self._known[model_id]


def _reported(
    transport: SupportsSend, key: ApiKey | None, region: Region, model_id: str
) -> int | None:
    def get(*path: str) -> Any:
        url = f"{hosted.PLATFORM_HOSTS[region]}/{'/'.join(quote(part, safe='') for part in path)}"
        request = Request(url, method="GET")
        return transport.send(request, key, timeout=_PATIENCE, retries=0).json()

    project, _, slug = model_id.partition("/")
    try:
        if slug.isdigit():  # project/version
            version = get(get()["workspace"], project, slug)
        # In a workspace, a slug of project, version and architecture.
        elif trained := re.fullmatch(r"(.+?)-(\d+)-.+", slug):
            version = get(project, trained[1], trained[2])
        else:
            return None
        resize = version["version"]["preprocessing"]["resize"]
        size = max(int(resize["width"]), int(resize["height"]))
    except (HostedError, KeyError, TypeError, ValueError, OverflowError):
        return None  # unknown, unreachable, of another shape: the default size will do
    return size if 0 < size <= LONGEST_SIDE else None
