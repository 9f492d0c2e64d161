"""Work beside the kernel's main thread, which stays free for clicks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from rfhosted.explorer.settings import EXPECTED
from rfhosted.transport.connection import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfhosted.explorer.settings import Event

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
        take: Stores the result of a job or its error, and returns what changed. Its third argument
            says whether the job was stopped. No other job can begin meanwhile.
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
        """Begin a job; False where one runs already.

        Args:
            job: The job.
            begin: Called before it, if it begins.
            later: Called when the running job ends, if this one does not begin.
        """
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
        except Exception as error:
            problem = error
            if not isinstance(error, EXPECTED):
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
