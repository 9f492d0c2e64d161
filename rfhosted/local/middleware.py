"""What happens to every request: who sends it is checked, its time is reported in headers."""

from __future__ import annotations

import hmac
import ipaddress
import time
import uuid
from typing import TYPE_CHECKING, Any

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse

from rfhosted.local.simulation import HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from starlette.types import ASGIApp, Receive, Scope, Send

_NO_KEY = "Unauthorized api_key"
_WRONG_KEY = f"{_NO_KEY}. This key is not authorized for serverless inference."
#: Names of the loopback interface, as a Host header has them without the port. The bare bracket is
#: what older versions of Starlette make of an IPv6 address.
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]", "[")


def middleware(key: str | None, host: str) -> list[Middleware]:
    """What wraps the routes, outermost first.

    Args:
        key: Key that every request must have; None accepts any or none.
        host: Address of the server. On loopback, requests for any other host name are refused: a
            web page could send them through a DNS name of its own that leads to 127.0.0.1.
    """
    hosts = [*_LOOPBACK, host] if is_loopback(host) else ["*"]
    # A closure, not the key itself: Starlette's middleware would show the key in its repr.
    expected = None if key is None else key.encode()

    def opens(sent: str | None) -> bool:
        if expected is None:
            return True
        return sent is not None and hmac.compare_digest(sent.encode(), expected)

    return [
        Middleware(_Headers),
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
        Middleware(_Access, opens=opens),
    ]


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from the same computer only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_v1(path: str) -> bool:
    """Whether a path belongs to v1."""
    return path == "/v1" or path.startswith("/v1/")


class _Headers:
    """Adds the headers that the real server sends with every response; measures the request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        state = scope.setdefault("state", {})

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                cold = state.get("cold")
                headers = {
                    "x-request-id": uuid.uuid4().hex,
                    "x-inference-engine": "rfhosted-local",
                    "x-model-cold-start": "false" if cold is None else "true",
                }
                if "model_id" in state:
                    headers["x-model-id"] = state["model_id"]
                if "simulated" in state:
                    headers[HEADER] = state["simulated"]
                if cold is not None:
                    headers["x-model-load-time"] = str(cold)
                if not is_v1(scope["path"]):  # v1 does not report its time
                    headers["x-processing-time"] = str(time.perf_counter() - began)
                message["headers"] += [(k.encode(), v.encode()) for k, v in headers.items()]
            await send(message)

        await self.app(scope, receive, send_with_headers)


class _Access:
    """Refuses web pages and requests without the key, before anything of their body is read."""

    def __init__(self, app: ASGIApp, opens: Callable[[str | None], bool]) -> None:
        self.app, self._opens = app, opens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        sent = key_of(request)
        is_open = scope["path"].removeprefix("/v1") == "/healthz"
        if "origin" in request.headers:  # browsers send it, and only they do
            refusal = JSONResponse({"message": "Web pages may not use this server."}, 403)
        elif is_open or self._opens(sent):
            await self.app(scope, receive, send)
            return
        else:
            message = _NO_KEY if sent is None else _WRONG_KEY
            refusal = JSONResponse({"status": 401, "message": message}, 401)
        await refusal(scope, receive, send)


def key_of(request: Request) -> str | None:
    """The key of a request: the query's before the header's."""
    if "api_key" in request.query_params:
        return request.query_params["api_key"]
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None
