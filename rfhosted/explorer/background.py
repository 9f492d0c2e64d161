"""Work beside the kernel's main thread, which stays free for clicks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeAlias

from rfhosted.explorer.settings import EXPECTED
from rfhosted.transport.connection import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    #: Runs a job, on another thread or at once.
    Spawn: TypeAlias = Callable[[Callable[[], None]], None]
    #: What a job made, by name; what it made before it failed stays in it.
    Made: TypeAlias = dict[str, Any]
    Work: TypeAlias = Callable[[Stop, Made], None]
    #: Takes what was made, what went wrong, and whether the job was stopped meanwhile; names what
    #: that changed.
    Take: TypeAlias = Callable[[Made, Exception | None, bool], tuple[str, ...]]


def on_a_thread(job: Callable[[], None]) -> None:
    """Run a job on a thread of its own."""
    threading.Thread(target=job, name="rfhosted-explorer", daemon=True).start()


class Jobs:
    """One job at a time; one that is asked for while another runs is not begun.

    Args:
        spawn: Runs a job.
        take: Takes what a job made, while no other can begin.
        tell: Called with each name of what changed, when others can.
    """

    def __init__(self, spawn: Spawn, take: Take, tell: Callable[..., None]) -> None:
        self._spawn, self._take, self._tell = spawn, take, tell
        self._idle = threading.Condition(threading.RLock())
        self._running: Stop | None = None
        self._later: Callable[[], None] | None = None
        self._telling = 0  # what is told may begin the next job: only then is this one over

    @property
    def busy(self) -> bool:
        """Whether a job runs that was not stopped."""
        return self._running is not None

    def start(
        self, work: Work, *, begin: Callable[[], None], later: Callable[[], None] | None = None
    ) -> bool:
        """Begin a job; False where one runs.

        Args:
            work: The job.
            begin: Called before it, where it begins.
            later: Called when what runs is over, where the job does not begin.
        """
        with self._idle:
            if self._running:
                self._later = later or self._later
                return False
            stop = self._running = Stop()
            begin()
        self._spawn(lambda: self._do(stop, work))
        return True

    def stop(self) -> bool:
        """Let go of the job that runs, at once; False where none does."""
        with self._idle:
            stop, self._running, self._later = self._running, None, None
            self._idle.notify_all()
        if stop:
            stop.set()
        return stop is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs; False where ``timeout`` seconds were not enough."""
        with self._idle:
            return self._idle.wait_for(lambda: not (self._running or self._telling), timeout)

    def _do(self, stop: Stop, work: Work) -> None:
        made: Made = {}
        problem: Exception | None = None
        try:
            work(stop, made)
        except Exception as error:
            problem = error
            if not isinstance(error, EXPECTED):
                raise  # shown as well, and hidden from nobody
        finally:
            self._end(stop, made, problem)

    def _end(self, stop: Stop, made: Made, problem: Exception | None) -> None:
        later = None
        with self._idle:
            stopped = self._running is not stop
            changed = self._take(made, problem, stopped)
            if not stopped:
                self._running, later, self._later = None, self._later, None
            self._telling += 1
        try:
            self._tell(*changed)
            if later:
                later()
        finally:
            with self._idle:
                self._telling -= 1
                self._idle.notify_all()


class Newest:
    """A job that is asked for often: while it runs, all further askings are one.

    Args:
        spawn: Runs it.
        job: What to do.
    """

    def __init__(self, spawn: Spawn, job: Callable[[], None]) -> None:
        self._spawn, self._job = spawn, job
        self._idle = threading.Condition()
        self._asked = self._running = False

    def ask(self) -> None:
        """Have it done, with what is then."""
        with self._idle:
            self._asked = True
            if self._running:
                return
            self._running = True
        self._spawn(self._work)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is done; False where ``timeout`` seconds were not enough."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._running, timeout)

    def _work(self) -> None:
        while True:
            with self._idle:
                self._running, self._asked = self._asked, False
                if not self._running:
                    self._idle.notify_all()
                    return
            try:
                self._job()
            except BaseException:
                with self._idle:
                    self._running = False
                    self._idle.notify_all()
                raise
