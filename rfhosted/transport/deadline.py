"""The deadlines of all tries that are under way, kept by one thread.

A thread for each would cost every request more than its own work: to start one takes milliseconds
under load.
"""

from __future__ import annotations

import math
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class _Watch:
    """The thread, and what it waits for; it starts with the first deadline."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[object, tuple[float, Callable[[], None]]] = {}
        self._wakes = math.inf
        self._started = False

    def add(self, token: object, seconds: float, expire: Callable[[], None]) -> None:
        due = time.monotonic() + seconds
        with self._changed:
            self._due[token] = due, expire
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="rfhosted.deadline", daemon=True).start()
            # A wake-up that is planned anyway is soon enough: most deadlines are never reached.
            if due < self._wakes:
                self._wakes = due
                self._changed.notify()

    def remove(self, token: object) -> None:
        with self._changed:
            self._due.pop(token, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                left = self._wakes - time.monotonic()
                if left > 0:
                    self._changed.wait(min(left, threading.TIMEOUT_MAX))
                now = time.monotonic()
                reached = [token for token, (due, _) in self._due.items() if due <= now]
                expired = [self._due.pop(token)[1] for token in reached]
                self._wakes = min((due for due, _ in self._due.values()), default=math.inf)
            for expire in expired:
                expire()


_watch = _Watch()


def set_deadline(token: object, seconds: float, expire: Callable[[], None]) -> None:
    """Call ``expire`` from another thread after so many seconds, unless it is cleared before.

    Args:
        token: Names the deadline.
        seconds: From now.
        expire: Returns at once and raises nothing: everyone's deadlines wait for it.
    """
    _watch.add(token, seconds, expire)


def clear_deadline(token: object) -> None:
    """Forget a deadline; none is fine.

    Args:
        token: Its name.
    """
    _watch.remove(token)


def _start_anew() -> None:
    global _watch  # noqa: PLW0603 - a forked child has neither the thread nor a lock to trust
    _watch = _Watch()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
