"""What happens to every request: the key is checked, and the answer is told when and by what."""

from __future__ import annotations

import hmac
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from rfhosted.hosted import REQUEST_LIMITS, ApiVersion
from rfhosted.local.errors import RefusedError
from rfhosted.local.request_image import read_body
from rfhosted.local.simulation import HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from starlette.types import ASGIApp, Receive, Scope, Send

_NO_KEY = "Unauthorized api_key"
_WRONG_KEY = f"{_NO_KEY}. This key is not authorized for serverless inference."
_OPEN_PATHS = {"", "/", "/healthz", "/model/registry"}
_ENGINE = "rfhosted-local"
_EXPOSED = (
    *("X-Processing-Time", "X-Model-Cold-Start", "X-Model-Cold-Start-Count", "X-Model-Load-Time"),
    *("X-Model-Load-Details", "X-Model-Id", "execution_id"),
)


def middleware(key: str | None) -> list[Middleware]:
    """What wraps the routes, outermost first.

    Args:
        key: Key that every request must bring; None takes any or none.
    """
    # A closure, not the key itself: Starlette's middleware would tell the key in its repr.
    expected = None if key is None else key.encode()
    check = Middleware(
        _KeyCheck,
        opens=lambda brought: expected is None or hmac.compare_digest(brought.encode(), expected),
        needed=expected is not None,
    )
    cors = Middleware(
        CORSMiddleware,
        allow_origin_regex=".*",
        allow_methods=["*"],
        allow_headers=["*"],
        allow_credentials=True,
        expose_headers=_EXPOSED,
    )
    return [Middleware(_Headers), check, cors]


def is_v1(path: str) -> bool:
    """Whether a path is answered as v1 answers."""
    return path == "/v1" or path.startswith("/v1/")


class _Headers:
    """What every answer carries, and the clock of the whole request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        state = scope.setdefault("state", {})

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                cold, model_id = state.get("cold"), state.get("model_id")
                told = {
                    "x-request-id": uuid.uuid4().hex,
                    "x-inference-engine": _ENGINE,
                    "x-model-cold-start": "false" if cold is None else "true",
                    "x-model-cold-start-count": "0" if cold is None else "1",
                }
                if model_id:
                    told["x-model-id"] = model_id
                if "simulated" in state:
                    told[HEADER] = state["simulated"]
                if cold is not None:
                    told["x-model-load-time"] = str(cold)
                    told["x-model-load-details"] = json.dumps([{"m": model_id, "t": cold}])
                preflight = scope["method"] == "OPTIONS" and message["status"] == 200
                if not preflight and not is_v1(scope["path"]):  # v1 does not time itself
                    told["x-processing-time"] = str(time.perf_counter() - began)
                    told["execution_id"] = f"{time.time_ns()}_{uuid.uuid4().hex[:4]}"
                message["headers"] += [(k.encode(), v.encode()) for k, v in told.items()]
            await send(message)

        await self.app(scope, receive, send_with_headers)


class _KeyCheck:
    """Refuses requests without the key, before anything is routed."""

    def __init__(self, app: ASGIApp, opens: Callable[[str], bool], *, needed: bool) -> None:
        self.app, self._opens, self._needed = app, opens, needed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["path"].removeprefix("/v1") in _OPEN_PATHS
        if not self._needed or is_open or scope["method"] not in ("GET", "POST"):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        brought = _brought(request)
        if brought is None and request.headers.get("content-type") == "application/json":
            # The real server's check takes a key in a JSON body, its image route does not.
            scope["state"]["key_in_body"] = True
            brought = await _key_in_body(request)
        if brought is not None and self._opens(brought):
            await self.app(scope, receive, send)
            return
        said = _NO_KEY if brought is None else _WRONG_KEY
        await JSONResponse({"status": 401, "message": said}, 401)(scope, receive, send)


def _brought(request: Request) -> str | None:
    """The key of a request: the query's before the header's."""
    if "api_key" in request.query_params:
        return request.query_params["api_key"]
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None


async def _key_in_body(request: Request) -> str | None:
    try:
        body = json.loads(await read_body(request, REQUEST_LIMITS[ApiVersion.V1]))
    except (ValueError, ClientDisconnect, RefusedError):
        return None
    key = body.get("api_key") if isinstance(body, dict) else None
    return key if isinstance(key, str) else None
