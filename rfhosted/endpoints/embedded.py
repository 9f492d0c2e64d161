"""The embedded server of this process, started when it is first needed."""

from __future__ import annotations

import atexit
import functools
import os
import threading

from rfhosted.errors import UnsupportedError

_starting = threading.Lock()


def address() -> str:
    """Its address.

    Raises:
        UnsupportedError: The packages that it needs are not installed.
    """
    with _starting:  # two first calls at once must not start two
        return _start(os.getpid())


@functools.cache
def _start(pid: int) -> str:
    """Address of this process's server; a forked child needs its own, hence ``pid``."""
    del pid
    try:
        from rfhosted import local
    except ImportError as error:
        missing = error.name
    else:
        server = local.serve()
        started = server.__enter__()
        atexit.register(server.__exit__, None, None, None)
        return started.url
    raise UnsupportedError(
        f"The models of this machine need the package {missing}, which is not installed",
        advice='Run pip install "rfhosted[local]", or pass an API key.',
    )
