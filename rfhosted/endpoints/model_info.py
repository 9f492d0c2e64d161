"""What the platform knows of a model: its input size. Asked once, optional, never in the way."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

from rfhosted import hosted
from rfhosted.errors import HostedError
from rfhosted.transport.request import Request

if TYPE_CHECKING:
    from rfhosted.hosted import Region
    from rfhosted.keys import ApiKey
    from rfhosted.transport.request import SupportsSend

_PATIENCE = 3.0  # seconds for one question: a picture waits for it


class Sizes:
    """Input sizes of the models of one workspace, remembered, also where nothing is known."""

    def __init__(self) -> None:
        self._known: dict[str, int | None] = {}
        self._lock = threading.Lock()

    def ask(
        self, transport: SupportsSend, key: ApiKey | None, region: Region, model_id: str
    ) -> int | None:
        """Longest side of the model's input in pixels; None where the platform does not tell."""
        with self._lock:
            if model_id not in self._known:
                self._known[model_id] = _asked(transport, key, region, model_id)
            return self._known[model_id]


def _asked(
    transport: SupportsSend, key: ApiKey | None, region: Region, model_id: str
) -> int | None:
    workspace, _, slug = model_id.partition("/")
    try:
        if slug.isdigit():  # project/version: the key tells the workspace
            path = f"{_get(transport, key, region, '')['workspace']}/{workspace}/{slug}"
        elif trained := re.fullmatch(
            r"(.+?)-(\d+)-.+", slug
        ):  # {project}-{version}-{architecture}-t1
            path = f"{workspace}/{trained[1]}/{trained[2]}"
        else:
            return None
        resize = _get(transport, key, region, path)["version"]["preprocessing"]["resize"]
        return max(int(resize["width"]), int(resize["height"])) or None
    except (HostedError, KeyError, TypeError, ValueError):
        return None  # unknown, unreachable, of another shape: the default size serves


def _get(transport: SupportsSend, key: ApiKey | None, region: Region, path: str) -> Any:
    request = Request(f"{hosted.PLATFORM_HOSTS[region]}/{path}", method="GET")
    return json.loads(transport.send(request, key, timeout=_PATIENCE, retries=0).body)
