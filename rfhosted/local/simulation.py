"""Simulated responses: given latencies of network, queue and model, without running any model.

Every response says so, in its header and in its body.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from rfhosted import hosted
from rfhosted.hosted import ApiVersion
from rfhosted.local.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The header of every simulated response.
HEADER = "x-rfhosted-simulated"
EVERY_MODEL = "*"


@dataclass(frozen=True, slots=True)
class Times:
    """The latency of one model on one API version.

    Attributes:
        exec: Median Exec latency in seconds: the model's own work.
        overhead: Median seconds of what comes before it: network, routing, other users' load.
        spread: Sigma of the lognormal distributions around both; 0 makes all latencies equal.
    """

    exec: float = 0.02
    overhead: float = 0.0
    spread: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """The network link to the server. Opening a connection stays as fast as on loopback.

    Attributes:
        up: Upload, bytes per second.
        down: Download, bytes per second.
        round_trip: Round-trip time in seconds.
    """

    up: float = math.inf
    down: float = math.inf
    round_trip: float = 0.0


@dataclass(frozen=True, slots=True)
class Simulation:
    """What the embedded server simulates.

    Attributes:
        times: Model id of two segments, or EVERY_MODEL -> API version -> times.
        workers: How many requests run at the same time; the others wait in a queue.
        line: The network link to the server; None for loopback alone.
        load: Seconds of a cold start, which a model's first request waits for; 0 for none.
        error_rate: Share of the requests that fail, in [0, 1].
        error_status: HTTP status of those that fail.
        stall: (seconds after the first request, seconds long): a time without any response.
        label: A name for captions.
        seed: Seed of everything random.
    """

    times: Mapping[str, Mapping[ApiVersion, Times]] = field(
        default_factory=lambda: {EVERY_MODEL: dict.fromkeys(ApiVersion, Times())}
    )
    workers: int = 8
    line: Line | None = None
    load: float = 0.0
    error_rate: float = 0.0
    error_status: int = 503
    stall: tuple[float, float] | None = None
    label: str = "times by choice"
    seed: int = 0


def like_published(model: str | None = None, *, spread: float = 0.15, **options: Any) -> Simulation:
    """A simulation with the median latencies that Roboflow's documentation publishes.

    The difference between E2E and Exec is overhead; the documentation does not say how much of it
    was network.

    Args:
        model: A public model name whose latency all models get; None gives each its own.
        spread: Sigma of the lognormal distributions; a guess, the documentation has none.
        options: Other fields of ``Simulation``.

    Raises:
        ValueError: The documentation has no latency of that model.
    """
    if model is not None and model not in hosted.PUBLISHED_LATENCIES:
        names = ", ".join(hosted.PUBLISHED_LATENCIES)
        raise ValueError(f"No latency is published for {model!r}, only for {names}.")
    times = {}
    for name in hosted.PUBLISHED_LATENCIES if model is None else [model]:
        key = hosted.aliases()[name] if model is None else EVERY_MODEL
        times[key] = {version: _fitted(name, version, spread) for version in ApiVersion}
    label = "times as published" + (f" for {model}" if model else "")
    return Simulation(times=times, label=label, **options)


def _fitted(model: str, version: ApiVersion, spread: float) -> Times:
    published = hosted.published_latency(model, version)
    assert published is not None  # noqa: S101  # the names come from the same table
    e2e, exec_time = published
    return Times(exec=exec_time, overhead=e2e - exec_time, spread=spread)


class Simulator:
    """Responds as a simulation says; lives in the server's event loop."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._random = random.Random(simulation.seed)  # noqa: S311 - no secret is made of it
        self._workers = asyncio.Semaphore(simulation.workers)
        self._first: float | None = None
        self._loaded: set[str] = set()

    async def respond(
        self, state: dict[str, Any], model_id: str, version: ApiVersion, size: tuple[int, int]
    ) -> JSONResponse:
        """An object detection response without detections, after its simulated latency.

        Args:
            state: The request's; model id, label and a cold start are written into it.
            model_id: The model of the request.
            version: The API version of the request.
            size: (width, height) of the image.

        Raises:
            RefusedError: An unknown model, or a simulated error.
        """
        simulation, now = self._simulation, time.perf_counter()
        state["simulated"] = simulation.label  # of errors too
        self._first = now if self._first is None else self._first
        times = self._times(model_id, version)
        state["model_id"] = model_id
        # Drawn before any wait, so that a seed gives the same draws every time.
        work, overhead = (self._draw(of, times.spread) for of in (times.exec, times.overhead))
        fails = self._random.random() < simulation.error_rate
        await asyncio.sleep(overhead)
        if simulation.stall:
            begin, length = self._first + simulation.stall[0], simulation.stall[1]
            if time.perf_counter() >= begin:
                await asyncio.sleep(begin + length - time.perf_counter())
        async with self._workers:
            if simulation.load and model_id not in self._loaded:
                self._loaded.add(model_id)
                await asyncio.sleep(simulation.load)
                state["cold"] = simulation.load
            if fails:
                raise RefusedError(simulation.error_status, "A simulated error.")
            await asyncio.sleep(work)
        body = {
            "inference_id": str(uuid.uuid4()),
            "time": work,
            "image": {"width": size[0], "height": size[1]},
            "predictions": [],
            "simulated": simulation.label,
        }
        return JSONResponse(body)

    def _times(self, model_id: str, version: ApiVersion) -> Times:
        models = self._simulation.times
        # An id that a header cannot carry belongs to no model.
        if model_id.isprintable() and model_id.isascii():
            times = (models.get(model_id) or models.get(EVERY_MODEL) or {}).get(version)
            if times is not None:
                return times
        raise RefusedError(404, "The simulation has no latency of this model.")

    def _draw(self, median: float, spread: float) -> float:
        return median * math.exp(self._random.gauss(0.0, spread)) if spread else median
