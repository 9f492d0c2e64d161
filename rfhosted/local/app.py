"""The wire: routes, statuses, headers and bodies, as roboflow/inference 1.8.3 answers them.

The root behaves as V2, ``/v1`` as v1. What is said here and how was recorded from that server.
"""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rfhosted.hosted import REQUEST_LIMITS, ApiVersion
from rfhosted.local import payload
from rfhosted.local.models import MODELS, Model
from rfhosted.local.parameters import (
    InvalidMaskModeError,
    InvalidParametersError,
    Parameters,
    read_parameters,
)
from rfhosted.local.render import render

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    import numpy as np
    import numpy.typing as npt
    from starlette.types import ASGIApp, Receive, Scope, Send

_NO_KEY = "Unauthorized api_key"
_WRONG_KEY = f"{_NO_KEY}. This key is not authorized for serverless inference."
_NO_KEY_IN_ROUTE = (
    "Unauthorized access to roboflow API - check API key and make sure the key is valid for"
    " workspace you use. Visit https://docs.roboflow.com/api-reference/authentication"
    "#retrieve-an-api-key to learn how to retrieve one."
)
_NO_MODEL = (
    "Requested Roboflow resource not found. Make sure that workspace, project or model you referred"
    " in request exists."
)
_IMAGE_TYPES = {
    "numpy": "NumPy image type is not supported in this configuration of `inference`.",
    "file": "Loading images from local filesystem is disabled.",
}
_OPEN_PATHS = {"/", "/healthz", "/model/registry"}
_EXPOSED = (
    *("X-Processing-Time", "X-Model-Cold-Start", "X-Model-Cold-Start-Count", "X-Model-Load-Time"),
    *("X-Model-Load-Details", "X-Model-Id", "execution_id"),
)
#: How far past the limit a body is read. The recorded server has no limit of its own, and says of
#: 21 MiB of junk that it is no picture; the 413 comes from the infrastructure around it.
_READ_ON = 8_000_000
_ENGINE = "rfhosted-local"


class _RefusedError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str, field: str = "message") -> None:
        super().__init__(message)
        self.status, self.body = status, {field: message}


def build_app(
    key: str | None = None, *, fetch: Callable[[str], bytes] = payload.fetch
) -> Starlette:
    """The server as an ASGI application.

    Args:
        key: Key that every request must bring; None takes any or none.
        fetch: Gets the picture behind ``image=`` addresses.
    """
    service = _Service(key, fetch)
    cors = Middleware(
        CORSMiddleware,
        allow_origin_regex=".*",
        allow_methods=["*"],
        allow_headers=["*"],
        allow_credentials=True,
        expose_headers=_EXPOSED,
    )
    routes = [
        Route(f"{root}{path}", endpoint, methods=methods)
        for root in ("/v1", "")
        for path, endpoint, methods in (
            ("/healthz", _healthz, ["GET"]),
            ("/model/registry", service.registry, ["GET"]),
            ("/{dataset}/{version}", service.infer, ["GET", "POST"]),
        )
    ]
    app = Starlette(
        routes=[*routes, Route("/{path:path}", _nothing, methods=["GET", "HEAD"])],
        middleware=[Middleware(_Headers), cors, Middleware(_Auth, key=key)],
        exception_handlers={405: _plain, 404: _plain},
    )
    app.router.redirect_slashes = False
    return app


class _Headers:
    """What every answer carries, and the clock of the whole request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        scope.setdefault("state", {})["cold"] = None

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                cold = scope["state"]["cold"]
                told = {
                    "x-request-id": uuid.uuid4().hex,
                    "x-inference-engine": _ENGINE,
                    "x-model-cold-start": "true" if cold else "false",
                    "x-model-cold-start-count": "1" if cold else "0",
                }
                if model_id := scope["state"].get("model_id"):
                    told["x-model-id"] = model_id
                if cold:
                    told["x-model-load-time"] = str(cold)
                    told["x-model-load-details"] = json.dumps([{"m": model_id, "t": cold}])
                if not _is_v1(scope["path"]):  # v1 does not time itself
                    told["x-processing-time"] = str(time.perf_counter() - began)
                    told["execution_id"] = f"{time.time_ns()}_{uuid.uuid4().hex[:4]}"
                message["headers"] += [(k.encode(), v.encode()) for k, v in told.items()]
            await send(message)

        await self.app(scope, receive, send_with_headers)


class _Auth:
    """Refuses requests without the key, before anything is routed."""

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self.app, self._key = app, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if self._key is None or scope["path"].removeprefix("/v1") in {"", *_OPEN_PATHS}:
            await self.app(scope, receive, send)
            return
        brought = _brought(request)
        if brought is None and request.headers.get("content-type") == "application/json":
            # The middleware of the real server looks for a key in a JSON body, its route does not.
            refused = _RefusedError(401, _NO_KEY_IN_ROUTE)
            if request.method == "POST" and scope["path"].strip("/").count("/") > 1:
                refused = _RefusedError(405, "Method Not Allowed", "detail")
            response = JSONResponse(refused.body, refused.status)
        elif brought is not None and hmac.compare_digest(brought.encode(), self._key.encode()):
            await self.app(scope, receive, send)
            return
        else:
            said = _NO_KEY if brought is None else _WRONG_KEY
            response = JSONResponse({"status": 401, "message": said}, 401)
        await response(scope, receive, send)


def _brought(request: Request) -> str | None:
    """The key of a request: the query's before the header's."""
    if "api_key" in request.query_params:
        return request.query_params["api_key"]
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None


class _Service:
    def __init__(self, key: str | None, fetch: Callable[[str], bytes]) -> None:
        self._key, self._fetch = key, fetch
        self._loaded: dict[str, float] = {}
        self._lock = threading.Lock()

    async def registry(self, request: Request) -> Response:
        """The models that have been loaded."""
        del request
        models = [
            {
                "model_id": model_id,
                "task_type": str(MODELS[model_id].task),
                "batch_size": None,
                "input_height": MODELS[model_id].side,
                "input_width": MODELS[model_id].side,
                "vram_bytes": None,
                "request_aliases": [],
                "request_paths": [f"/{model_id}"],
            }
            for model_id in self._loaded
        ]
        return JSONResponse({"models": models})

    async def infer(self, request: Request) -> Response:
        """The legacy image route."""
        try:
            return await self._infer(request)
        except InvalidParametersError as error:
            return JSONResponse({"detail": error.detail}, 422)
        except InvalidMaskModeError:
            return JSONResponse(
                {
                    "message": "Invalid mask decode argument sent. tradeoff_factor must be in"
                    " [0.0, 1.0], mask_decode_mode: must be one of ['accurate', 'fast', 'tradeoff']"
                },
                400,
            )
        except payload.BadPictureError as error:
            return JSONResponse({"message": str(error)}, 400)
        except _RefusedError as error:
            return JSONResponse(error.body, error.status)

    async def _infer(self, request: Request) -> Response:
        if request.method == "GET" and "image" not in request.query_params:
            raise _RefusedError(400, "Content-Type header not provided with request.")
        v1 = _is_v1(request.url.path)
        limit = REQUEST_LIMITS[ApiVersion.V1 if v1 else ApiVersion.V2]
        body = await _read(request, limit if v1 else limit + _READ_ON)
        picture = await _picture_bytes(request, body)
        parameters = read_parameters(request.query_params)
        if v1:  # the older engine knows polygons alone
            parameters = replace(parameters, response_mask_format="polygon")
        model_id = "{dataset}/{version}".format(**request.path_params)
        if model_id not in MODELS:
            raise _RefusedError(404, _NO_MODEL)
        request.scope["state"]["model_id"] = model_id
        answer, bgr = await run_in_threadpool(
            self._answer, request.scope["state"], model_id, picture, parameters, len(body) > limit
        )
        return _respond(answer, bgr, parameters, v1=v1)

    def _answer(
        self,
        state: dict[str, Any],
        model_id: str,
        picture: bytes | None,
        parameters: Parameters,
        too_large: bool,
    ) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:
        model = MODELS[model_id]
        state["cold"] = self._load(model_id, model)
        if parameters.image is None and parameters.image_type != "base64":
            raise _wrong_type(parameters.image_type)
        began = time.perf_counter()
        if parameters.image is not None:
            bgr = payload.decode(self._fetch(parameters.image))
        else:
            bgr = payload.decode(picture or b"")
        if too_large:
            raise _RefusedError(413, "Request Too Long")
        found = model.infer(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), parameters)  # type: ignore[arg-type]  # OpenCV's stubs know no dtypes
        answer = {
            "inference_id": str(uuid.uuid4()),
            "time": time.perf_counter() - began,
            "resolved_model": {
                "model_id": model_id,
                "model_package_id": model.package_id,
                "backend": "onnx",
                "quantization": "fp32",
            },
            "image": {"width": bgr.shape[1], "height": bgr.shape[0]},
        }
        return answer | found, bgr

    def _load(self, model_id: str, model: Model) -> float | None:
        """Seconds that loading took, or None where it was loaded."""
        with self._lock:
            if model_id in self._loaded:
                return None
            began = time.perf_counter()
            model.load()
            self._loaded[model_id] = time.perf_counter() - began
            return self._loaded[model_id]


async def _read(request: Request, most: int) -> bytes:
    """The body, not further than it may be long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise _RefusedError(413, "Request Too Long")
    return bytes(body)


async def _picture_bytes(request: Request, body: bytes) -> bytes | None:
    """The encoded picture of the body; None where the query names its address."""
    if request.query_params.get("image") is not None:
        return None
    kind = request.headers.get("content-type")
    if kind is None:
        raise _RefusedError(400, "Content-Type header not provided with request.")
    if not kind.startswith("multipart/form-data"):
        if request.query_params.get("image_type", "base64") != "base64":
            return None
        return payload.from_base64(body)

    async def replay() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    # Without "app" in its scope Starlette raises the parser's own error, whose words are wanted.
    scope = {name: value for name, value in request.scope.items() if name != "app"}
    try:
        form = await Request(scope, replay).form()
    except MultiPartException as error:
        raise _RefusedError(400, error.message, "detail") from None
    part = form.get("file")
    if isinstance(part, UploadFile):
        return await part.read()
    if part is not None:  # a field without a file name
        raise _RefusedError(400, "Invalid Content-Type header provided with request.")
    raise payload.BadPictureError("Expected image to be send in part named 'file'.")


def _wrong_type(image_type: str) -> Exception:
    if image_type == "url":
        return _RefusedError(500, "Internal error.")
    return payload.BadPictureError(
        _IMAGE_TYPES.get(image_type, "Image declaration contains not recognised image type.")
    )


def _respond(
    answer: dict[str, Any], bgr: npt.NDArray[np.uint8], parameters: Parameters, *, v1: bool
) -> Response:
    drawn = b""
    if parameters.format in ("image", "image_and_json") and isinstance(answer["predictions"], list):
        drawn = render(bgr, answer, labels=parameters.labels, stroke=parameters.stroke)
    if parameters.format == "image":  # empty for class maps, as on the real server
        return Response(drawn, media_type="image/jpeg")
    if drawn:
        answer["visualization"] = base64.b64encode(drawn).decode("ascii")
    return JSONResponse(_older(answer) if v1 else answer)


def _older(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer in the shapes that the documentation of v1 shows."""
    del answer["resolved_model"]
    found = answer["predictions"]
    if isinstance(found, dict):
        flat = {name: found[name] for name in ("segmentation_mask", "class_map")}
        return flat | {"image": answer["image"]}
    if "top" not in answer:
        for item in found:
            del item["class_id"], item["detection_id"]
            for point in item.get("keypoints", ()):
                point["class_name"] = point.pop("class")
    return answer


async def _healthz(request: Request) -> Response:
    del request
    return JSONResponse({"status": "healthy"})


async def _nothing(request: Request) -> Response:
    del request
    return JSONResponse({"detail": "Not Found"}, 404)


async def _plain(request: Request, error: Exception) -> Response:
    """Starlette's own refusals, in FastAPI's words."""
    del request
    status = getattr(error, "status_code", 500)
    headers = getattr(error, "headers", None)
    words = {404: "Not Found", 405: "Method Not Allowed"}
    return JSONResponse({"detail": words[status]}, status, headers)


def _is_v1(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")
