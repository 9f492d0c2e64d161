"""One loop for many calls: whatever makes several calls, or one that can be stopped, uses it."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rfhosted.transport.connection import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Seconds between two looks at ``stop``.
_LOOK = 0.05
#: Seconds that calls in flight have to end once the run was stopped.
_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Result]):
    """What came of one call.

    Attributes:
        index: Place of the item in the input, from 0.
        item: What the function was called with.
        result: What the function returned; None where it raised.
        error: What the function raised; None where it returned.
    """

    index: int
    item: Item
    result: Result | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Run(Generic[Item, Result]):
    """What came of all calls.

    Attributes:
        outcomes: One for each call that ended, in input order. Calls that were cut off or never
            made are not in it.
        stopped: Whether ``stop`` or Ctrl-C ended the run before all calls had ended.
        interrupted: Whether it was Ctrl-C.
        problem: What else ended the run early: an error of ``items``, ``executor`` or ``on_done``.
            The caller raises it, or reports it beside the outcomes.
    """

    outcomes: list[Outcome[Item, Result]]
    stopped: bool
    interrupted: bool
    problem: Exception | None


def run(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    executor: Executor | None = None,
    at_once: int = 1,
    due: Callable[[Item], float] | None = None,
    on_done: Callable[[Outcome[Item, Result]], object] | None = None,
    stop: Stop | Callable[[], bool] | None = None,
) -> Run[Item, Result]:
    """Call a function once for each item; nothing that is finished is lost.

    An error of a call, ours or the server's, belongs to its item. The caller makes and closes the
    executor; ``function`` and the items reach it as they are, so that it may be a process pool.

    Args:
        function: What to call. Give its ``Client.send`` the same ``Stop`` as this function, and
            Ctrl-C and ``stop`` cut off its request at once.
        items: Read lazily, one ahead of the calls in flight; may be endless.
        executor: Where the calls run; None for this thread, one after the other.
        at_once: Calls in flight at most, queued ones included. Twice the workers of a pool keeps
            all of them busy.
        due: Open loop: the ``time.perf_counter()`` before which the call of an item does not
            begin, never earlier than that of the item before it.
        on_done: Called in this thread each time a call has ended, in the order in which they end:
            for a progress bar, or for a file to resume from.
        stop: Read before each call and every 50 ms; once it is true, no further call begins.

    Example:
        >>> stop = Stop()
        >>> with ThreadPoolExecutor(16) as pool:
        ...     done = run(lambda p: client.send(p, stop=stop), prepared, executor=pool,
        ...                at_once=32, stop=stop)
        >>> [outcome.result for outcome in done.outcomes if outcome.error is None]
    """
    loop: _Loop[Item, Result] = _Loop(on_done, stop if stop is not None else Stop())
    executor = executor or _CallingThread()
    problem, all_read = None, False
    try:
        try:
            for index, item in enumerate(items):
                if not loop.has_place(at_once, due(item) if due else 0.0):
                    break
                loop.pending[executor.submit(function, item)] = (index, item)
                loop.keep(0)
            else:
                all_read = True
        except Exception as error:  # noqa: BLE001 - handed to the caller beside what is done
            problem = error
        loop.finish()
    except KeyboardInterrupt:
        loop.interrupt()
        with contextlib.suppress(KeyboardInterrupt):  # a second one: wait no longer
            loop.finish()
    problem = problem or loop.problem
    stopped = problem is None and not (all_read and loop.complete)
    outcomes = [loop.outcomes[index] for index in sorted(loop.outcomes)]
    return Run(outcomes, stopped, stopped and loop.interrupted, problem)


def one_or_several(value: Any) -> list[Any]:
    """An argument that may be one value or any collection of them, as a list."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [value]
    return list(value)


class _Loop(Generic[Item, Result]):
    """The calls in flight, and what came of those that ended."""

    def __init__(
        self, on_done: Callable[[Outcome[Item, Result]], object] | None, stop: Callable[[], bool]
    ) -> None:
        self.pending: dict[Future[Result], tuple[int, Item]] = {}
        self.outcomes: dict[int, Outcome[Item, Result]] = {}
        self.problem: Exception | None = None  # of ``on_done``
        self.complete = True  # no call was cut off or cancelled
        self._on_done, self._stop = on_done, stop
        self.interrupted = False

    def stopped(self) -> bool:
        return self.interrupted or self._stop()

    def interrupt(self) -> None:
        self.interrupted = True
        if isinstance(self._stop, Stop):
            self._stop.set()  # cuts off what is in flight

    def has_place(self, at_once: int, due: float) -> bool:
        """Wait until the next call may begin; False where the run is over before."""
        while not (self.problem or self.stopped()):
            early = due - time.perf_counter()
            if early <= 0 and len(self.pending) < at_once:
                return True
            pause = min(_LOOK, early) if early > 0 else _LOOK
            if self.pending:
                self.keep(pause)
            else:
                time.sleep(pause)
        return False

    def keep(self, timeout: float) -> None:
        """Wait until a call ends, ``timeout`` seconds at most, and keep what came of it."""
        for future in wait(self.pending, timeout, FIRST_COMPLETED).done:
            index, item = self.pending[future]
            outcome = self._outcome(future, index, item)
            if outcome is not None:
                self.outcomes[index] = outcome
            self.complete = self.complete and outcome is not None
            del self.pending[future]
            if outcome and self._on_done:
                try:
                    self._on_done(outcome)
                except Exception as error:  # noqa: BLE001 - handed to the caller
                    self.problem, self._on_done = error, None

    def finish(self) -> None:
        """Wait for what is in flight; what is only queued is left out where the run is over."""
        while self.pending and not (self.problem or self.stopped()):
            self.keep(_LOOK)
        for future in self.pending:
            future.cancel()
        while self.pending and not self.stopped():
            self.keep(_LOOK)
        wait(self.pending, _GRACE)
        self.keep(0)
        self.complete = self.complete and not self.pending

    def _outcome(
        self, future: Future[Result], index: int, item: Item
    ) -> Outcome[Item, Result] | None:
        """None for a call that was cut off: its item has not failed."""
        if future.cancelled():
            return None
        error = future.exception()
        if error is None:
            return Outcome(index, item, future.result())
        if not isinstance(error, Exception):  # Ctrl-C reached a worker process
            self.interrupt()
        if not isinstance(error, Exception) or self.stopped():
            return None
        traceback.clear_frames(error.__traceback__)  # the variables there hold images
        return Outcome(index, item, error=error)


class _CallingThread(Executor):
    """Makes each call when it is submitted; Ctrl-C passes through."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the run keeps it
            future.set_exception(error)
        return future
