"""Measure: a plan of requests, sent one by one or when they are due, each timed, none repeated."""

from __future__ import annotations

import datetime as dt
import ipaddress
import itertools
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from rfhosted.client import Client, default_client
from rfhosted.endpoints.call import LOCAL, Call
from rfhosted.errors import HostedError, UnsupportedError
from rfhosted.hosted import ApiVersion
from rfhosted.images.sources import is_url
from rfhosted.latency.records import Cell, Measurement
from rfhosted.latency.report import Benchmark
from rfhosted.latency.simulation import Simulated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from rfhosted.hosted import Task
    from rfhosted.images.sources import ImageLike
    from rfhosted.images.upload import ImageSize

#: Requests that may be under way at once; more would open and close connections all the time.
MOST_AT_ONCE = 32
#: Seconds between two looks at how far a run is.
_LOOK = 0.05


@dataclass(frozen=True, slots=True)
class _Asking:
    """One request of the plan."""

    cell: Cell
    image: ImageLike
    warmup: bool


def benchmark(
    models: str | Sequence[str],
    images: ImageLike | Sequence[ImageLike],
    *,
    api_versions: ApiVersion | str | Sequence[ApiVersion | str] = ("v2", "v1"),
    image_sizes: Sequence[ImageSize] = (None,),
    requests: int = 20,
    concurrency: int = 1,
    rate: float | None = None,
    warmup: int = 2,
    client: Client | None = None,
    yes: bool = False,
    task: Task | str | None = None,
    seed: int | None = None,
) -> Benchmark:
    """Measure the latency of models, versions and picture sizes, and where the time goes.

    Every combination is a cell; the requests of all cells are mixed in random order, so that drift
    favours none. Nothing is retried. Ctrl-C (or the stop button) keeps what was measured so far.

    Args:
        models: One or several, as ``Client.predict`` takes them.
        images: One or several, likewise; a cell's requests take turns with them.
        api_versions: "v2", "v1" or both.
        image_sizes: As ``image_size`` of ``Client.predict``.
        requests: How many each cell measures, warm-ups not counted.
        concurrency: Closed loop: so many clients, each waiting for its answer before it asks again.
        rate: Open loop: so many requests a second, sent when they are due whatever is unanswered;
            E2E then counts from when they were due. At most 32 are under way at once; who waits for
            a place is late, and that is counted too.
        warmup: Requests of each cell before it is measured; they are billed as well.
        client: Who asks; None for the client of ``rfhosted.predict``.
        yes: Whether billable requests need no question.
        task: As ``Client.predict`` takes it; own models on v1 need it.
        seed: Of the random order; None for another one every time.

    Raises:
        HostedError: A cell cannot be asked, or the billable requests were not agreed to; nothing
            was sent. What fails later is counted instead.
        ValueError: An argument makes no sense.
    """
    _check(requests, concurrency, rate, warmup)
    asker = (client or default_client()).replace(retries=0)
    versions = [api_versions] if isinstance(api_versions, str) else api_versions
    models = [models] if isinstance(models, str) else list(models)
    images = list(images) if isinstance(images, (list, tuple)) else [images]
    cells = [
        Cell(model, str(ApiVersion(version)), size)
        for model, version, size in itertools.product(models, versions, image_sizes)
    ]
    if not cells or not images:
        raise ValueError("There is nothing to measure: name a model, a version, a size, an image.")
    images = [_read_once(asker, image) for image in images]
    settings = _settings(asker, cells, images, task)
    if not yes:
        _agree(settings["billable_cells"] * (requests + warmup), settings, warmup)
    order = random.Random(seed)  # noqa: S311 - no secret is made of it
    plans = [
        _plan(cells, images, warmup, order, warmup=True),
        _plan(cells, images, requests, order, warmup=False),
    ]
    with _Run(asker, task, sum(map(len, plans))) as run:
        complete = run.drive(plans[0], concurrency, None) and run.drive(plans[1], concurrency, rate)
    settings |= {"requests": requests, "concurrency": concurrency, "rate": rate, "warmup": warmup}
    return Benchmark(tuple(run.samples), settings, partial=not complete)


class _Run:
    """What has been measured so far, and the progress bar of it."""

    def __init__(self, client: Client, task: Task | str | None, total: int) -> None:
        from tqdm.auto import tqdm  # comes with supervision

        self.samples: list[Measurement] = []
        self._client, self._task = client, task
        self._began = time.perf_counter()
        self._bar = tqdm(total=total, desc="Measuring", unit="request", leave=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def drive(self, plan: list[_Asking], concurrency: int, rate: float | None) -> bool:
        """Send a plan; whether it was finished.

        Args:
            plan: In this order.
            concurrency: Clients of the closed loop.
            rate: Requests each second in the open loop; None for the closed one.
        """
        pool = ThreadPoolExecutor(MOST_AT_ONCE if rate else concurrency)
        sent: list[Future[None]] = []
        first = time.perf_counter()
        try:
            for i, asking in enumerate(plan):
                due = first + i / rate if rate else None
                if due:
                    time.sleep(max(0.0, due - time.perf_counter()))
                    self._show()
                sent.append(pool.submit(self._ask, asking, due))
            while not all(future.done() for future in sent):
                time.sleep(_LOOK)
                self._show()
        except KeyboardInterrupt:
            return False
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            self._show()
        for future in sent:
            future.result()  # a mistake of this library is not to be counted as a failed request
        return True

    def _ask(self, asking: _Asking, due: float | None) -> None:
        began = time.perf_counter()
        cell = asking.cell
        told: dict[str, Any] = {}
        try:
            prepared = self._client.prepare(asking.image, _call(cell, self._task))
            told["bytes_up"] = prepared.upload.nbytes
            answer = self._client.send(prepared)
            told |= {
                "timing": answer.timing,
                "bytes_down": answer.received,
                "simulated": answer.simulated,
            }
        except HostedError as error:
            told["error"] = " ".join(filter(None, (type(error).__name__, str(error.status or ""))))
        self.samples.append(
            Measurement(
                cell,
                began - self._began,
                time.perf_counter() - began,
                warmup=asking.warmup,
                late=began - due if due else 0.0,
                **told,
            )
        )

    def _show(self) -> None:
        self._bar.update(len(self.samples) - self._bar.n)


def _read_once(client: Client, image: ImageLike) -> ImageLike:
    """A picture that every request can decode anew: addresses and open files give theirs once."""
    if is_url(image) or hasattr(image, "read"):
        return client.open(image).data
    return image


def _check(requests: int, concurrency: int, rate: float | None, warmup: int) -> None:
    if requests < 1 or warmup < 0:
        raise ValueError("requests is 1 or more, warmup is 0 or more.")
    if not 1 <= concurrency <= MOST_AT_ONCE:
        raise ValueError(f"concurrency is a number from 1 to {MOST_AT_ONCE}, not {concurrency!r}.")
    if rate is not None and (rate <= 0 or concurrency != 1):
        raise ValueError(
            "rate is more than 0 requests a second, and needs no concurrency: it sends when a"
            " request is due, not when a client is free."
        )


def _plan(
    cells: Sequence[Cell],
    images: Sequence[ImageLike],
    number: int,
    order: random.Random,
    *,
    warmup: bool,
) -> list[_Asking]:
    turns = itertools.islice(itertools.cycle(images), number)
    plan = [_Asking(cell, image, warmup) for image in turns for cell in cells]
    order.shuffle(plan)
    return plan


def _settings(
    client: Client, cells: Sequence[Cell], images: Sequence[ImageLike], task: Task | str | None
) -> dict[str, Any]:
    """What a reader of the result needs to know; refuses what cannot be asked."""
    hosts, stand_ins, billable = set(), {}, 0
    for cell in cells:
        for image in images if cell is cells[0] else images[:1]:
            client.prepare(image, _call(cell, task), ask_platform=False)
        route = client.route(_call(cell, task))
        hosts.add(route.host if route.host == LOCAL else urlsplit(route.host).netloc)
        billable += not _is_here(route.host)
        if route.stand_in:
            stand_ins[cell.model] = route.model
    return {
        "day": dt.datetime.now(dt.UTC).date().isoformat(),
        "hosts": sorted(hosts),
        "stand_ins": stand_ins,
        "billable_cells": billable,
        "simulated": isinstance(client.transport, Simulated),
    }


def _call(cell: Cell, task: Task | str | None) -> Call:
    return Call(cell.model, task, cell.api_version, cell.image_size)  # type: ignore[arg-type]  # checked there


def _is_here(host: str) -> bool:
    name = urlsplit(host).hostname or ""
    if host == LOCAL or name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _agree(billable: int, settings: dict[str, Any], warmup: int) -> None:
    """Ask before anything costs.

    Raises:
        UnsupportedError: No, or nobody can be asked.
    """
    if not billable:
        return
    warm = f", {settings['billable_cells'] * warmup} of them to warm up"
    told = f"{billable} billable requests to {', '.join(settings['hosts'])}{warm}"
    try:
        said = input(f"This sends {told}. Go on? [y/N] ")
    except (EOFError, OSError, NotImplementedError):  # a notebook that runs alone cannot ask
        said = ""
    if said.strip().lower() not in ("y", "yes"):
        raise UnsupportedError(
            f"Nothing was sent: {told} were not agreed to",
            advice="Answer y, or pass yes=True (--yes on the command line).",
        )
