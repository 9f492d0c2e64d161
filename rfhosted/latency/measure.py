"""Measure: a plan of requests, sent one by one or when they are due, each timed, none retried."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import itertools
import math
import numbers
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rfhosted.batch.runner import one_or_several, run
from rfhosted.default import default_client
from rfhosted.endpoints.call import Call
from rfhosted.errors import UnsupportedError
from rfhosted.hosted import ApiVersion, Task
from rfhosted.images.sources import is_url
from rfhosted.latency.records import Measurement, Settings
from rfhosted.latency.report import Benchmark
from rfhosted.latency.simulation import Simulated
from rfhosted.transport.connection import Stop

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rfhosted.client import Client
    from rfhosted.hosted import TaskName, VersionName
    from rfhosted.images.sources import ImageLike
    from rfhosted.images.upload import ImageSize

#: Requests in flight at most; more would open and close connections all the time.
MOST_AT_ONCE = 32


def benchmark(
    models: str | Iterable[str],
    images: ImageLike | Sequence[ImageLike],
    *,
    api_versions: ApiVersion | VersionName | Iterable[ApiVersion | VersionName] = ("v2", "v1"),
    image_sizes: ImageSize | Iterable[ImageSize] = (None,),
    requests: int = 20,
    concurrency: int = 1,
    rate: float | None = None,
    warmup: int = 2,
    client: Client | None = None,
    yes: bool = False,
    task: Task | TaskName | None = None,
    seed: int | None = None,
) -> Benchmark:
    """Measure the latency of models, API versions and image sizes, and where the time goes.

    Every combination is a cell. The requests of all cells are mixed in random order, so that drift
    favours none. Nothing is retried, and a failed request is counted, not timed. Ctrl-C (or the
    stop button) cuts off the requests in flight and keeps what was measured.

    Args:
        models: One or several: "project/3" or public names ("yolov8n-640").
        images: One, or a list or tuple of several: paths, URLs, bytes, PIL images, RGB arrays or
            what else ``predict`` takes; the requests of a cell take turns.
        api_versions: "v2", "v1" or both.
        image_sizes: One or several: the longest side sent, in pixels; "original"; or None for the
            model's input size.
        requests: Measured requests of each cell.
        concurrency: Closed loop: number of clients, each of which waits for its response before it
            sends the next request; 1 to 32.
        rate: Open loop: requests a second, sent when they are due, whatever is unanswered; E2E then
            counts from when they were due. At most 32 are in flight: a request that waits for a
            place is late, and that is counted too.
        warmup: Requests of each cell before it is measured; they are billed as well.
        client: Sends the requests; None for the client of ``rfhosted.predict``.
        yes: Whether billable requests are confirmed in advance; else a prompt lists them.
        task: "object-detection", "classification", "instance-segmentation",
            "semantic-segmentation" or "keypoint-detection"; own models on v1 need it.
        seed: Seed of the random order; None for a new order each time.

    Raises:
        HostedError: A cell cannot be requested, or the billable requests were not confirmed;
            nothing was sent.
        ValueError, TypeError: An argument makes no sense; nothing was sent.

    Example:
        >>> rfhosted.benchmark(["yolov8n-640"], ["dog.jpg"], requests=20)
    """
    requests, warmup = _whole("requests", requests, 1), _whole("warmup", warmup, 0)
    concurrency, rate = _loop(concurrency, rate)
    client = (client or default_client()).replace(retries=0)
    versions = map(ApiVersion, one_or_several(api_versions))
    combined = itertools.product(one_or_several(models), versions, one_or_several(image_sizes))
    calls = [Call(model, task, *rest) for model, *rest in combined]  # type: ignore[arg-type]  # Call checks
    images = list(images) if isinstance(images, (list, tuple)) else [images]
    if not calls or not images:
        raise ValueError("There is nothing to measure: name a model, a version, a size, an image.")
    # A model may be typed as an address with an API key in it: its id is what is kept.
    calls = list(dict.fromkeys(replace(call, model=client.route(call).name) for call in calls))
    images = [_read_once(client, image) for image in images]
    settings = replace(
        _settings(client, calls, images),
        requests=requests,
        concurrency=concurrency,
        rate=rate,
        warmup=warmup,
    )
    if not yes:
        _confirm(settings)
    order = random.Random(None if seed is None else int(seed))  # noqa: S311 - no secret
    plans = [
        (_plan(calls, images, warmup, order, warmup=True), None),
        (_plan(calls, images, requests, order, warmup=False), rate),
    ]
    samples, complete = _drive(client, plans, MOST_AT_ONCE if rate else concurrency)
    return Benchmark(tuple(samples), settings, partial=not complete)


@dataclass(frozen=True, slots=True)
class _Planned:
    """One request of the plan; ``due`` is a ``time.perf_counter()``, 0 in a closed loop."""

    call: Call
    image: ImageLike
    warmup: bool
    due: float = 0.0


def _drive(
    client: Client, plans: Sequence[tuple[list[_Planned], float | None]], workers: int
) -> tuple[list[Measurement], bool]:
    """Send each plan, at its rate where it has one; the measurements, and whether that is all."""
    from tqdm.auto import tqdm

    class Bar(tqdm):  # type: ignore[misc]  # tqdm is untyped
        monitor_interval = 0  # else a thread of tqdm's outlives the run

    samples: list[Measurement] = []
    complete, stop, total = False, Stop(), sum(len(plan) for plan, _ in plans)
    measure = functools.partial(_measure, client, stop, time.perf_counter())
    with (
        contextlib.suppress(KeyboardInterrupt),  # also a second one, while the threads end
        Bar(total=total, desc="Measuring", unit="request", leave=False) as bar,
        ThreadPoolExecutor(workers) as pool,
    ):
        for plan, rate in plans:
            first = time.perf_counter()
            timed = plan
            if rate:
                timed = [replace(one, due=first + i / rate) for i, one in enumerate(plan)]
            done = run(
                measure,
                timed,
                executor=pool,
                at_once=2 * workers,
                due=lambda planned: planned.due,
                on_done=lambda _: bar.update(),
                stop=stop,
            )
            samples += [outcome.result for outcome in done.outcomes if outcome.result]
            if done.stopped or done.problem:
                break
        else:
            complete = True
    return samples, complete


def _measure(client: Client, stop: Stop, start: float, planned: _Planned) -> Measurement:
    """Send one request; a failure is measured too, unless the run was stopped."""
    began = time.perf_counter()
    cell = replace(planned.call, task=None)
    found: dict[str, Any] = {}
    try:
        prepared = client.prepare(planned.image, planned.call)
        found["bytes_up"] = prepared.upload.nbytes
        prediction = client.send(prepared, stop=stop)
        found |= {
            "timing": prediction.timing,
            "bytes_down": prediction.received,
            "simulated": prediction.simulated,
        }
    except Exception as error:
        if stop():
            raise
        status = getattr(error, "status", None)
        found["error"] = f"{type(error).__name__} {status or ''}".rstrip()
    return Measurement(
        cell,
        began - start,
        time.perf_counter() - began,
        warmup=planned.warmup,
        late=began - planned.due if planned.due else 0.0,
        **found,
    )


def _plan(
    calls: Sequence[Call],
    images: Sequence[ImageLike],
    number: int,
    order: random.Random,
    *,
    warmup: bool,
) -> list[_Planned]:
    turns = itertools.islice(itertools.cycle(images), number)
    plan = [_Planned(call, image, warmup) for image in turns for call in calls]
    order.shuffle(plan)
    return plan


def _settings(client: Client, calls: Sequence[Call], images: Sequence[ImageLike]) -> Settings:
    """What a reader of the result needs to know; raises for what cannot be requested."""
    for image in images:
        client.prepare(image, calls[0], ask_platform=False)
    for call in calls[1:]:
        client.prepare(images[0], call, ask_platform=False)
    routes = {call: client.route(call) for call in calls}
    return Settings(
        day=dt.datetime.now(dt.UTC).date().isoformat(),
        hosts=tuple(sorted({route.host_name for route in routes.values()})),
        stand_ins={
            str(call.model): route.model for call, route in routes.items() if route.stand_in
        },
        billable_cells=sum(route.is_billable for route in routes.values()),
        simulated=isinstance(client.transport, Simulated),
    )


def _read_once(client: Client, image: ImageLike) -> ImageLike:
    """An image that every request decodes anew; URLs and open files are read only once."""
    if is_url(image) or hasattr(image, "read"):
        return client.open(image).data
    return image


def _whole(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} is a whole number, not {value!r}.")
    if value < least:
        raise ValueError(f"{name} is {least} or more, not {value}.")
    return int(value)


def _loop(concurrency: int, rate: float | None) -> tuple[int, float | None]:
    """The two arguments, checked: numpy's numbers become Python's."""
    if _whole("concurrency", concurrency, 1) > MOST_AT_ONCE:
        raise ValueError(f"concurrency is a number from 1 to {MOST_AT_ONCE}, not {concurrency}.")
    if rate is None:
        return int(concurrency), None
    if isinstance(rate, bool) or not isinstance(rate, numbers.Real):
        raise TypeError(f"rate is a number of requests a second, not {rate!r}.")
    if not 0 < rate < math.inf or concurrency != 1:
        raise ValueError(
            "rate is more than 0 requests a second, and goes without concurrency: a request is sent"
            " when it is due, not when a client is free."
        )
    return 1, float(rate)


def _confirm(settings: Settings) -> None:
    """Have the user confirm what is billed.

    Raises:
        UnsupportedError: It was not confirmed, or there is no user at the prompt.
    """
    cells, warmup = settings.billable_cells, settings.warmup
    if not cells:
        return
    total = cells * (settings.requests + warmup)
    requests = f"{total} billable requests to {', '.join(settings.hosts)}"
    warm_ups = f"{cells * warmup} of them to warm up"
    try:
        said = input(f"This sends {requests}, {warm_ups}. Continue? [y/N] ")
    except (EOFError, OSError, NotImplementedError):  # a notebook that is run without a user
        said = ""
    if said.strip().lower() not in ("y", "yes"):
        raise UnsupportedError(
            f"Benchmark cancelled: {requests} were not confirmed",
            advice="Enter y, or pass yes=True (--yes on the command line).",
        )
