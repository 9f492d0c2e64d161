"""Simulated answers: given times of network, queueing and Exec, no network of neurons at all.

Every answer says so, in its header and in its body.
"""

from __future__ import annotations

import asyncio
import io
import math
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image
from starlette.responses import JSONResponse

from rfhosted import hosted
from rfhosted.hosted import ApiVersion
from rfhosted.local.errors import BadImageError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Says in a header, on every answer, that it is simulated.
HEADER = "x-rfhosted-simulated"
EVERY_MODEL = "*"


@dataclass(frozen=True, slots=True)
class Times:
    """What one model takes on one version.

    Attributes:
        exec: Median seconds of the model's own work.
        overhead: Median seconds of what comes before it: network, routing, other people's load.
        spread: Sigma of the lognormal distributions around both; 0 makes every answer equal.
    """

    exec: float = 0.02
    overhead: float = 0.0
    spread: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """The way to the server. The making of a connection stays as fast as this machine's.

    Attributes:
        up: Bytes a second to the server.
        down: Bytes a second back.
        round_trip: Seconds there and back.
    """

    up: float = math.inf
    down: float = math.inf
    round_trip: float = 0.0


@dataclass(frozen=True, slots=True)
class Simulation:
    """What the embedded server is to pretend.

    Attributes:
        times: Model id of two segments, or EVERY_MODEL -> version -> times.
        workers: How many requests are worked on at once; the others queue.
        line: The way to the server; None for none but this machine's own.
        load: Seconds that a model's first request waits for its loading; 0 for no cold start.
        error_rate: Share of the requests that are refused, in [0, 1].
        error_status: With which HTTP status.
        stall: (seconds after the first request, seconds long): a time in which nothing is answered.
        label: In words, for captions.
        seed: Of everything random.
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
    """A simulation whose medians are those of the documentation.

    What E2E has besides Exec is overhead; what of it was network, the documentation does not say.

    Args:
        model: A public name, which every model then behaves as; None for each as itself.
        spread: Sigma of the lognormal distributions; a guess, the documentation gives none.
        options: Other fields of ``Simulation``.

    Raises:
        ValueError: The documentation gives no latency of that model.
    """
    if model is not None and model not in hosted.PUBLISHED_LATENCIES:
        names = ", ".join(hosted.PUBLISHED_LATENCIES)
        raise ValueError(f"No latency of {model!r} is published; there are {names}.")
    times = {}
    for name in hosted.PUBLISHED_LATENCIES if model is None else [model]:
        key = hosted.aliases()[name] if model is None else EVERY_MODEL
        times[key] = {version: _fitted(name, version, spread) for version in ApiVersion}
    label = "times as published" + (f" for {model}" if model else "")
    return Simulation(times=times, label=label, **options)


def _fitted(model: str, version: ApiVersion, spread: float) -> Times:
    found = hosted.published_latency(model, version)
    assert found is not None  # noqa: S101  # the names come from the same table
    return Times(exec=found[1], overhead=found[0] - found[1], spread=spread)


class Simulator:
    """Answers as a simulation has it; lives in the server's event loop."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._random = random.Random(simulation.seed)  # noqa: S311 - no secret is made of it
        self._workers = asyncio.Semaphore(simulation.workers)
        self._first: float | None = None
        self._loaded: set[str] = set()

    async def answer(
        self, state: dict[str, Any], image: bytes, version: ApiVersion
    ) -> JSONResponse:
        """An object-detection answer that found nothing, in its own time.

        Args:
            state: The request's, with the model id; a cold start and the label are written into it.
            image: The picture's file, of which the size alone is read.
            version: v1 or V2.

        Raises:
            RefusedError: No picture, an unknown model, or an error by choice.
        """
        wanted, now = self._simulation, time.perf_counter()
        state["simulated"] = wanted.label  # of refusals too
        self._first = now if self._first is None else self._first
        models = wanted.times
        times = (models.get(state["model_id"]) or models.get(EVERY_MODEL) or {}).get(version)
        if times is None:
            raise RefusedError(404, "The simulation knows no times of that model.")
        size = _size(image)
        # Drawn before anything is waited for, so that a seed gives the same draws every time.
        work, overhead = (self._draw(of, times.spread) for of in (times.exec, times.overhead))
        refused = self._random.random() < wanted.error_rate
        await asyncio.sleep(overhead)
        if wanted.stall:
            begin, length = (self._first + wanted.stall[0], wanted.stall[1])
            if time.perf_counter() >= begin:
                await asyncio.sleep(begin + length - time.perf_counter())
        async with self._workers:
            if wanted.load and state["model_id"] not in self._loaded:
                self._loaded.add(state["model_id"])
                await asyncio.sleep(wanted.load)
                state["cold"] = wanted.load
            if refused:
                raise RefusedError(wanted.error_status, "Refused: an error of the simulation.")
            await asyncio.sleep(work)
        body = {
            "inference_id": str(uuid.uuid4()),
            "time": work,
            "image": {"width": size[0], "height": size[1]},
            "predictions": [],
            "simulated": wanted.label,
        }
        return JSONResponse(body)

    def _draw(self, median: float, spread: float) -> float:
        return median * math.exp(self._random.gauss(0.0, spread)) if spread else median


def _size(image: bytes) -> tuple[int, int]:
    """(width, height) out of the file's head, upright."""
    try:
        with Image.open(io.BytesIO(image)) as opened:
            turned = opened.getexif().get(0x0112, 1) >= 5
            return (opened.height, opened.width) if turned else opened.size
    except OSError:
        raise BadImageError("Malformed base64 input image.") from None
