"""The wire: routes, statuses and bodies, as roboflow/inference 1.8.3 answers them.

The root behaves as V2, ``/v1`` as v1. What is said here and how was recorded from that server.
"""

from __future__ import annotations

import base64
import threading
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rfhosted.hosted import REQUEST_LIMITS, ApiVersion
from rfhosted.local import fetch as remote
from rfhosted.local import request_image
from rfhosted.local.errors import BadImageError, RefusedError, TooLongError
from rfhosted.local.middleware import is_v1, middleware
from rfhosted.local.parameters import Parameters, read_parameters
from rfhosted.local.postprocess import MODELS, Model
from rfhosted.local.render import render
from rfhosted.local.simulation import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from rfhosted.local.simulation import Simulation

_NO_KEY_IN_ROUTE = (
    "Unauthorized access to roboflow API - check API key and make sure the key is valid for"
    " workspace you use. Visit https://docs.roboflow.com/api-reference/authentication"
    "#retrieve-an-api-key to learn how to retrieve one."
)
_NO_MODEL = (
    "Requested Roboflow resource not found. Make sure that workspace, project or model you referred"
    " in request exists."
)
_INTERNAL = "Internal error."
_IMAGE_TYPES = {
    "numpy": "NumPy image type is not supported in this configuration of `inference`.",
    "file": "Loading images from local filesystem is disabled.",
}
_GPU_FIELDS = (
    *("total_vram_bytes", "gpu_memory_used", "gpu_memory_total", "torch_cuda_allocated"),
    *("torch_cuda_reserved", "torch_cuda_allocator_cache", "non_torch_gpu_memory"),
)


def build_app(
    key: str | None = None,
    *,
    fetch: Callable[[str], bytes] = remote.fetch,
    simulate: Simulation | None = None,
) -> Starlette:
    """The server as an ASGI application.

    Args:
        key: Key that every request must bring; None takes any or none.
        fetch: Gets the picture behind ``image=`` addresses.
        simulate: Times to pretend, in place of asking the models.
    """
    service = _Service(fetch, Simulator(simulate) if simulate else None)
    routes = [
        Route(f"{root}{path}", endpoint, methods=methods)
        for root in ("/v1", "")
        for path, endpoint, methods in (
            ("/healthz", _healthz, ["GET"]),
            ("/model/registry", service.registry, ["GET"]),
            ("/{dataset}/{version}", service.infer, ["GET", "POST"]),
        )
    ]
    for route in routes:  # Starlette adds HEAD to GET, FastAPI does not
        (route.methods or set()).discard("HEAD")
    app = Starlette(
        routes=[*routes, Route("/{path:path}", _nothing, methods=["GET", "HEAD"])],
        middleware=middleware(key),
        exception_handlers={HTTPException: _refuse, 500: _fail},
    )
    app.router.redirect_slashes = False
    return app


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a request brought; ``file`` is a form's."""

    body: bytes
    file: bytes | None
    v1: bool
    too_long: bool


class _Service:
    def __init__(self, fetch: Callable[[str], bytes], simulator: Simulator | None) -> None:
        self._fetch, self._simulator = fetch, simulator
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
        return JSONResponse({"models": models} | dict.fromkeys(_GPU_FIELDS))

    async def infer(self, request: Request) -> Response:
        """The legacy image route."""
        try:
            return await self._infer(request)
        except RefusedError as error:
            return JSONResponse(error.body, error.status, error.headers)
        except ClientDisconnect:  # nobody hears this, and no traceback tells of it
            return Response(status_code=400)

    async def _infer(self, request: Request) -> Response:
        state: dict[str, Any] = request.scope["state"]
        if "key_in_body" in state:
            raise RefusedError(401, _NO_KEY_IN_ROUTE)
        v1 = is_v1(request.url.path)
        limit = REQUEST_LIMITS[ApiVersion.V1 if v1 else ApiVersion.V2]
        # The recorded server has no limit and says of 21 MiB of junk that it is no picture; the 413
        # comes from the infrastructure around it. Both hold where junk is refused as junk before a
        # picture is refused as too long: on the root a body is kept a way past the limit.
        body = await request_image.read_body(
            request, limit if v1 else limit + request_image.READ_ON
        )
        by_address = "image" in request.query_params
        file = None if by_address else await request_image.form_file(request, body)
        parameters = read_parameters(request.query_params)
        if v1:  # the older engine knows polygons alone
            parameters = replace(parameters, response_mask_format="polygon")
        model_id = "{dataset}/{version}".format(**request.path_params)
        if self._simulator:
            state["model_id"] = model_id
            image = request_image.from_base64(body) if file is None else file
            version = ApiVersion.V1 if v1 else ApiVersion.V2
            return await self._simulator.answer(state, image, version)
        if model_id not in MODELS:
            raise RefusedError(404, _NO_MODEL)
        state["model_id"] = model_id
        sent = _Sent(body, file, v1=v1, too_long=len(body) > limit)
        return await run_in_threadpool(self._answer, state, sent, parameters)

    def _answer(self, state: dict[str, Any], sent: _Sent, parameters: Parameters) -> Response:
        model = MODELS[state["model_id"]]
        state["cold"] = self._load(state["model_id"], model)
        began = time.perf_counter()
        bgr = self._pixels(sent, parameters)
        if sent.too_long:
            raise TooLongError
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        found = model.infer(rgb, parameters)  # type: ignore[arg-type]  # OpenCV's stubs know no dtypes
        answer = {
            "inference_id": str(uuid.uuid4()),
            "time": time.perf_counter() - began,
            "resolved_model": {
                "model_id": state["model_id"],
                "model_package_id": model.package_id,
                "backend": "onnx",
                "quantization": "fp32",
            },
            "image": {"width": bgr.shape[1], "height": bgr.shape[0]},
        } | found
        drawn = b""
        drawable = isinstance(answer["predictions"], list)  # class maps are not, as there
        if drawable and parameters.format in ("image", "image_and_json"):
            drawn = render(bgr, answer, labels=parameters.labels, stroke=parameters.stroke)
        if parameters.format == "image":
            return Response(drawn, media_type="image/jpeg")
        if drawn:
            answer["visualization"] = base64.b64encode(drawn).decode("ascii")
        return JSONResponse(_older(answer) if sent.v1 else answer)

    def _load(self, model_id: str, model: Model) -> float | None:
        """Seconds that loading took, or None where it was loaded."""
        with self._lock:
            if model_id in self._loaded:
                return None
            began = time.perf_counter()
            model.load()
            self._loaded[model_id] = time.perf_counter() - began
            return self._loaded[model_id]

    def _pixels(self, sent: _Sent, parameters: Parameters) -> npt.NDArray[np.uint8]:
        cause = "Malformed base64 input image."  # said of files, too
        if parameters.image is not None:
            data, cause = self._fetch(parameters.image), "Data is not image."
        elif parameters.image_type == "url":
            raise RefusedError(500, _INTERNAL)
        elif parameters.image_type != "base64":
            unknown = "Image declaration contains not recognised image type."
            raise BadImageError(_IMAGE_TYPES.get(parameters.image_type, unknown))
        else:
            data = request_image.from_base64(sent.body) if sent.file is None else sent.file
        bgr = request_image.decode(data, upright=not parameters.disable_preproc_auto_orient)
        if bgr is None:
            raise BadImageError(cause)
        return bgr


def _older(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer in the shapes that the documentation of v1 shows."""
    del answer["resolved_model"]
    found = answer["predictions"]
    if isinstance(found, dict):
        flat = {name: found[name] for name in ("segmentation_mask", "class_map")}
        return flat | {"image": answer["image"]}
    if "top" not in answer:
        for item in found:
            for name in ("class_id", "detection_id", "mask_format"):
                item.pop(name, None)
            for point in item.get("keypoints", ()):
                point["class_name"] = point.pop("class")
    return answer


async def _healthz(request: Request) -> Response:
    del request
    return JSONResponse({"status": "healthy"})


async def _nothing(request: Request) -> Response:
    del request
    return JSONResponse({"detail": "Not Found"}, 404)


async def _refuse(request: Request, error: Exception) -> Response:
    """Starlette's own refusals, as FastAPI says them before its static files."""
    del request
    assert isinstance(error, HTTPException)  # noqa: S101  # Starlette's types know no narrower
    allow = {"allow": "GET, HEAD"} if error.status_code == 405 else None
    return JSONResponse({"detail": error.detail}, error.status_code, allow)


async def _fail(request: Request, error: Exception) -> Response:
    del request, error
    return JSONResponse({"message": _INTERNAL}, 500)
