"""The image route of both versions: routes, statuses and bodies as in roboflow/inference 1.8.3.

The root behaves as V2, ``/v1`` as v1. Both were recorded from the real server software.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ctypes
import functools
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rfhosted.hosted import REQUEST_LIMITS, ApiVersion
from rfhosted.local import onnx_models, prompted, request_image
from rfhosted.local.errors import BadImageError, BusyError, RefusedError
from rfhosted.local.middleware import is_v1, key_of, middleware
from rfhosted.local.parameters import Parameters, read_parameters
from rfhosted.local.postprocess import MODELS, Model
from rfhosted.local.render import render
from rfhosted.local.simulation import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from rfhosted.local.simulation import Simulation

_NO_MODEL = (
    "Requested Roboflow resource not found. Make sure that workspace, project or model you referred"
    " in request exists."
)
#: The real server's words where URLs are switched off. A server that downloads for others is a way
#: into the network that it runs in; the client downloads images itself.
_NO_URLS = "Providing images via URL is not supported in this configuration of `inference`."

#: Requests whose models run at the same time, and seconds that others wait for their turn. More at
#: a time would be no faster on two cores, and each needs up to 0.3 GB.
_AT_ONCE, _QUEUE_SECONDS = 2, 10.0
#: Bytes from which on a body counts as large, and how many of these are in memory at most.
_LARGE_BODY, _LARGE_BODIES = 500_000, 4
#: Seconds without a request after which freed memory goes back to the system.
_IDLE_SECONDS = 0.5


def build_app(
    key: str | None = None, host: str = "127.0.0.1", *, simulate: Simulation | None = None
) -> Starlette:
    """The server as an ASGI application.

    Args:
        key: Key that every request must have; None accepts any or none.
        host: Address at which it will listen.
        simulate: Latencies to simulate, instead of running the models.
    """
    service = Service(Simulator(simulate) if simulate else None)
    routes = [
        Route(f"{root}{path}", endpoint, methods=methods)
        for root in ("/v1", "")
        for path, endpoint, methods in (
            ("/healthz", _healthz, ["GET"]),
            *((path, service.prompted, ["POST"]) for path in (*prompted.ROUTES, *prompted.REFUSED)),
            ("/{dataset}/{version}", service.infer, ["POST"]),
        )
    ]
    app = Starlette(
        routes=routes,
        middleware=middleware(key, host),
        exception_handlers={HTTPException: _refuse, RefusedError: _refuse, 500: _fail},
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return app


class Service:
    """Runs the models for requests, a few at the same time; the others wait in a queue."""

    def __init__(self, simulator: Simulator | None) -> None:
        self._simulator = simulator
        self._loaded: set[str] = set()
        self._loading, self._decoding = threading.Lock(), threading.Lock()
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="rfhosted.local")
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._large_bodies = asyncio.Semaphore(_LARGE_BODIES)
        self._open: set[asyncio.Task[Any] | None] = set()
        self._idle: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        """Refuse the requests that have no response yet; called in the event loop."""
        for task in self._open:
            if task:
                task.cancel()

    def close(self) -> None:
        """Wait until no model runs any more."""
        self._pool.shutdown(cancel_futures=True)

    async def infer(self, request: Request) -> Response:
        """The image route."""
        return await self._watched(request, self._infer)

    async def prompted(self, request: Request) -> Response:
        """The routes of prompted models."""
        return await self._watched(request, self._prompted)

    async def _watched(
        self, request: Request, respond: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Respond, unless the server is stopped or the client is gone before."""
        task = asyncio.current_task()
        self._open.add(task)
        if self._idle:
            self._idle.cancel()
        try:
            return await respond(request)
        except ClientDisconnect:  # nobody reads this response, and nothing is logged
            return Response(status_code=400)
        except asyncio.CancelledError:  # by stop
            raise BusyError from None
        finally:
            self._open.discard(task)
            if not self._open:
                self._idle = asyncio.get_running_loop().call_later(_IDLE_SECONDS, _free_memory)

    async def _infer(self, request: Request) -> Response:
        state: dict[str, Any] = request.scope["state"]
        version = ApiVersion.V1 if is_v1(request.url.path) else ApiVersion.V2
        model_id = "{dataset}/{version}".format(**request.path_params)
        async with self._room_for_body(request):
            body = await request_image.read_body(request, REQUEST_LIMITS[version])
            parameters = read_parameters(request.query_params)
            if parameters.image is not None:
                raise BadImageError(_NO_URLS)
            if version is ApiVersion.V1:  # the older server knows polygons only
                parameters = parameters.model_copy(update={"response_mask_format": "polygon"})
            data = await request_image.read_image(request, body)
            del body
            if not self._simulator:
                if model_id not in MODELS:
                    raise RefusedError(404, _NO_MODEL)
                state["model_id"] = model_id
                work = functools.partial(self._respond, state, version, data, parameters)
                return await self._queue(request, work)
            size = request_image.image_size(data)
            del data
        return await self._simulator.respond(state, model_id, version, size)

    async def _prompted(self, request: Request) -> Response:
        is_legacy = is_v1(request.url.path)
        path = request.url.path.removeprefix("/v1") if is_legacy else request.url.path
        version = ApiVersion.V1 if is_legacy else ApiVersion.V2
        async with self._room_for_body(request):
            raw = await request_image.read_body(request, REQUEST_LIMITS[version])
            if key_of(request) == prompted.LEGACY_KEY:
                raise RefusedError(402, prompted.NO_CREDITS)
            if path in prompted.REFUSED:
                raise RefusedError(501, prompted.REFUSED[path])
            kind, _, on_v1 = prompted.ROUTES[path]
            if is_legacy and not on_v1:
                raise RefusedError(404, _NO_MODEL)
            body = prompted.read(kind, raw)
            del raw
            work = functools.partial(self._respond_to_prompts, path, body)
            return await self._queue(request, work)

    def _respond_to_prompts(self, path: str, body: Any) -> Response:
        with self._decoding:
            image = request_image.decode(prompted.image_bytes(body))
        return JSONResponse(prompted.respond(path, image, body))

    @contextlib.asynccontextmanager
    async def _room_for_body(self, request: Request) -> AsyncIterator[None]:
        """Only a few large bodies are in memory at the same time."""
        if int(request.headers.get("content-length", _LARGE_BODY)) < _LARGE_BODY:
            yield
            return
        await _turn(self._large_bodies)
        try:
            yield
        finally:
            self._large_bodies.release()

    async def _queue(self, request: Request, work: Callable[[], Response]) -> Response:
        """Respond when it is this request's turn; stop if the client does not wait any longer."""
        abandoned = threading.Event()
        response = asyncio.ensure_future(self._run(abandoned, work))
        disconnected = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait({response, disconnected}, return_when=asyncio.FIRST_COMPLETED)
            if not response.done():
                raise ClientDisconnect
            return response.result()
        finally:
            abandoned.set()
            for task in (response, disconnected):
                task.cancel()
            await asyncio.wait({response, disconnected})

    async def _run(self, abandoned: threading.Event, work: Callable[[], Response]) -> Response:
        await _turn(self._turns)
        # The turn ends with the thread, not with this task. The pool has no queue of its own, which
        # would keep the images of clients that are gone.
        end_turn = functools.partial(
            asyncio.get_running_loop().call_soon_threadsafe, self._turns.release
        )
        try:
            job = self._pool.submit(_begin, abandoned, work)
        except RuntimeError:  # the interpreter ends and starts no more threads
            end_turn()
            raise BusyError from None
        job.add_done_callback(lambda _: end_turn())
        return await asyncio.wrap_future(job)

    def _respond(
        self, state: dict[str, Any], version: ApiVersion, data: bytes, parameters: Parameters
    ) -> Response:
        model = MODELS[state["model_id"]]
        state["cold"] = self._load(state["model_id"], model)
        began = time.perf_counter()
        with self._decoding:  # one at a time: a large image takes 0.2 GB
            image = request_image.decode(data, upright=not parameters.disable_preproc_auto_orient)
        result = model.infer(image, parameters)
        response = {
            "inference_id": str(uuid.uuid4()),
            "time": time.perf_counter() - began,
            "resolved_model": {
                "model_id": state["model_id"],
                "model_package_id": "-".join(model.files),
                "backend": "onnx",
                "quantization": "fp32",
            },
            "image": {"width": image.size[0], "height": image.size[1]},
        } | result
        if isinstance(predictions := response["predictions"], list):  # a class map is not drawn
            if parameters.format in ("image", "image_and_json"):
                jpeg = render(image.rgb, response, parameters)
                response["visualization"] = base64.b64encode(jpeg).decode("ascii")
                if parameters.format == "image":
                    return Response(jpeg, media_type="image/jpeg")
            image.to_full_size(predictions)
        elif parameters.format == "image":
            return Response(b"", media_type="image/jpeg")
        return JSONResponse(_v1_shape(response) if version is ApiVersion.V1 else response)

    def _load(self, model_id: str, model: Model) -> float | None:
        """Seconds that loading took, or None where the model was loaded before."""
        with self._loading:
            if model_id in self._loaded:
                return None
            began = time.perf_counter()
            model.load()
            self._loaded.add(model_id)
            return time.perf_counter() - began


def _begin(abandoned: threading.Event, work: Callable[[], Response]) -> Response:
    onnx_models.abandoned.set(abandoned)
    return work()


def _v1_shape(response: dict[str, Any]) -> dict[str, Any]:
    """A response in the shapes that the documentation of v1 shows."""
    del response["resolved_model"]
    predictions = response["predictions"]
    if isinstance(predictions, dict):
        flat = {name: predictions[name] for name in ("segmentation_mask", "class_map")}
        return flat | {"image": response["image"]}
    if "top" not in response:
        for item in predictions:
            for name in ("class_id", "detection_id", "mask_format"):
                item.pop(name, None)
            for point in item.get("keypoints", ()):
                point["class_name"] = point.pop("class")
    return response


def _free_memory() -> None:
    """Give freed memory back to the system, which glibc keeps by the hundred megabytes."""
    with contextlib.suppress(OSError, TypeError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


async def _turn(turns: asyncio.Semaphore) -> None:
    """Wait for a turn.

    Raises:
        BusyError: It does not come in time.
    """
    try:
        async with asyncio.timeout(_QUEUE_SECONDS):
            await turns.acquire()
    except TimeoutError:
        raise BusyError from None


async def _disconnected(request: Request) -> None:
    """Return when the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _healthz(request: Request) -> Response:
    del request
    return JSONResponse({"status": "healthy"})


async def _refuse(request: Request, error: Exception) -> Response:
    """An error response: our own, or Starlette's in the form that FastAPI gives it."""
    del request
    if isinstance(error, RefusedError):
        return JSONResponse(error.body, error.status, error.headers)
    assert isinstance(error, HTTPException)  # noqa: S101  # the two types that it is registered for
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


async def _fail(request: Request, error: Exception) -> Response:
    del request, error
    return JSONResponse({"message": "Internal error."}, 500)
