"""Runs a function in a process of its own that is timed and weighed, and ended if it must be."""

from __future__ import annotations

import functools
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MB = 2**20
_MOST_MEMORY = 4096 * MB  # bytes: a fault must not take the computer along
#: ru_maxrss is in kB, but on macOS in bytes.
_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Weighed:
    """What a function returned, and what it took; ``value`` is None if it had to be ended."""

    value: Any
    seconds: float
    megabytes: float  # more than before it began, at most


@functools.cache
def _context() -> Any:
    # A server process that has imported everything, and forks for each function.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["rfhosted.explorer", "rfhosted.local", "support.client_run"])
    return context


def weighed(function: Callable[..., Any], *args: Any, seconds: float = 60.0) -> Weighed:
    """Call a function of a module in another process.

    Args:
        function: Its value and its arguments can be pickled.
        args: Its arguments.
        seconds: After these it is ended.
    """
    receiver, sender = _context().Pipe(duplex=False)
    process = _context().Process(target=_run, args=(sender, function, args), daemon=True)
    process.start()
    sender.close()
    try:
        found = receiver.recv() if receiver.poll(seconds) else None
    except EOFError:
        found = None
    process.kill()
    process.join()
    return found or Weighed(None, seconds, 0.0)


def _run(sender: Any, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    before, began = _peak(), time.monotonic()
    value = function(*args)
    seconds = time.monotonic() - began
    sender.send(Weighed(value, seconds, (_peak() - before) / MB))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
