"""Work beside the kernel's main thread, which stays free for clicks: a worker, and its jobs."""

from __future__ import annotations

import threading
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from rfhosted.batch import runner
from rfhosted.comparison.size_sweep import sweep
from rfhosted.explorer import options, prompts
from rfhosted.explorer.settings import EXPECTED, Planned, Response, Swept
from rfhosted.transport.connection import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rfhosted.client import Client
    from rfhosted.endpoints.call import Call, Prepared
    from rfhosted.endpoints.prompted import PreparedPrompts
    from rfhosted.explorer.prompts import Prompt
    from rfhosted.explorer.settings import Event, Source
    from rfhosted.images.upload import ImageSize

    #: Runs a job, on another thread or at once.
    Spawn: TypeAlias = Callable[[Callable[[], None]], None]

T = TypeVar("T")


def on_a_thread(job: Callable[[], None]) -> None:
    """Run a job on a thread of its own."""
    threading.Thread(target=job, name="rfhosted-explorer", daemon=True).start()


class Worker(Generic[T]):
    """Runs one job at a time. Each job has a generation number; only the newest one counts.

    Args:
        spawn: Runs a job.
        take: Stores the result of a job or its error, and whether the job was stopped; returns what
            changed. No other job can begin meanwhile.
        notify: Called with what changed, when the next job can begin.
    """

    def __init__(
        self,
        spawn: Spawn,
        take: Callable[[T | None, Exception | None, bool], tuple[Event, ...]],
        notify: Callable[..., None],
    ) -> None:
        self._spawn, self._take, self._notify = spawn, take, notify
        self._idle = threading.Condition(threading.RLock())
        self._generation = 0
        self._stop: Stop | None = None  # of the job that runs
        self._later: Callable[[], None] | None = None
        self._notifying = 0  # observers may begin the next job, so the last one is not over yet

    @property
    def busy(self) -> bool:
        """Whether a job runs that was not stopped."""
        return self._stop is not None

    def start(
        self,
        job: Callable[[Stop], T],
        *,
        begin: Callable[[], None] = lambda: None,
        later: Callable[[], None] | None = None,
    ) -> bool:
        """Begin a job, after ``begin``. False while another runs: ``later`` is called after it."""
        with self._idle:
            if self._stop:
                self._later = later or self._later
                return False
            self._generation += 1
            generation, stop = self._generation, Stop()
            self._stop = stop
            begin()
        self._spawn(lambda: self._run(generation, stop, job))
        return True

    def stop(self) -> bool:
        """Stop the running job and forget it at once; False where none runs."""
        with self._idle:
            stop, self._stop, self._later = self._stop, None, None
            self._generation += 1
            self._idle.notify_all()
        if stop:
            stop.set()
        return stop is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs; False after ``timeout`` seconds."""
        with self._idle:
            return self._idle.wait_for(lambda: not (self._stop or self._notifying), timeout)

    def _run(self, generation: int, stop: Stop, job: Callable[[Stop], T]) -> None:
        result: T | None = None
        problem: Exception | None = None
        try:
            result = job(stop)
        except EXPECTED as error:
            problem = error.with_traceback(None)  # its frames may hold what the user typed
        except Exception as error:
            problem = error
            raise  # a bug is shown in the panel and raised as well
        finally:
            self._finish(generation, result, problem)

    def _finish(self, generation: int, result: T | None, problem: Exception | None) -> None:
        later = None
        with self._idle:
            stopped = generation != self._generation
            changed = self._take(result, problem, stopped)
            if not stopped:
                self._stop, later, self._later = None, self._later, None
            self._notifying += 1
        try:
            self._notify(*changed)
            if later:
                later()
        finally:
            with self._idle:
                self._notifying -= 1
                self._idle.notify_all()


def plan(
    client: Client, source: Source | None, call: Call, shown: float, prompt: Prompt | None = None
) -> Planned:
    """The request that would be sent; the platform is not contacted either."""
    if source is None:
        return Planned(None)
    try:
        if prompt:
            return Planned(prompts.prepare(client, source.image, prompt, call, shown))
        return Planned(prepare(client, source, call, shown, ask_platform=False))
    except EXPECTED as error:
        return Planned(error)


def prepare(
    client: Client, source: Source, call: Call, shown: float, *, ask_platform: bool = True
) -> Prepared:
    """The request, at a confidence that lets the ``shown`` threshold go lower without another."""
    call = replace(call, confidence=options.requested_confidence(call, shown))
    return client.prepare(source.image, call, ask_platform=ask_platform)


def send(
    client: Client,
    source: Source,
    calls: Sequence[Call],
    shown: float,
    prompt: Prompt | None = None,
    *,
    stop: Stop,
    on_done: Callable[[int], object],
) -> tuple[tuple[Response, ...], Exception | None]:
    """Send calls one after the other, until one fails: the responses, and the error.

    ``on_done`` is called with the number of responses so far.
    """
    failed: list[Exception] = []

    def send_one(call: Call) -> Response:
        prepared: Prepared | PreparedPrompts
        if prompt:
            prepared = prompts.prepare(client, source.image, prompt, call, shown)
            prediction = client.send_prompted(prepared, stop=stop)
        else:
            prepared = prepare(client, source, call, shown)
            prediction = client.send(prepared, stop=stop)
        return Response(source, call, client, prepared, prediction, prompt)

    def done(outcome: runner.Outcome[Call, Response]) -> None:
        if outcome.error:
            failed.append(outcome.error)
        else:
            on_done(outcome.index + 1)

    run = runner.run(send_one, calls, on_done=done, stop=lambda: stop() or bool(failed))
    error = run.problem or next(iter(failed), None)
    if error and not isinstance(error, EXPECTED):
        raise error
    return tuple(each.result for each in run.outcomes if each.result), error


def sweep_sizes(
    client: Client,
    source: Source,
    call: Call,
    image_sizes: tuple[ImageSize, ...],
    *,
    on_step: Callable[[int, int, str], object],
    stop: Stop,
) -> Swept:
    """Send the image at several sizes."""
    settings = {name: value for name, value in asdict(call).items() if name != "image_size"}
    options: dict[str, Any] = settings | {"client": client, "image_name": source.title}
    done = sweep(source.image, image_sizes=image_sizes, **options, on_step=on_step, stop=stop)
    return Swept(done, source, call, client)
