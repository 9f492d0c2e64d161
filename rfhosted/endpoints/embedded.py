"""The embedded server of this process: started when it is first needed, with a key of its own."""

from __future__ import annotations

import atexit
import functools
import os
import secrets
import threading

from rfhosted.errors import UnsupportedError
from rfhosted.keys import ApiKey

_starting = threading.Lock()


def address() -> str:
    """Its URL: ``http://127.0.0.1:port``.

    Raises:
        UnsupportedError: The packages that it needs are not installed.
    """
    return _running()[0]


def key() -> ApiKey:
    """The key that it demands, so that no other program or web page may use it.

    Raises:
        UnsupportedError: The packages that it needs are not installed.
    """
    return _running()[1]


def _running() -> tuple[str, ApiKey]:
    with _starting:  # two first calls at once must not start two
        return _start(os.getpid())


@functools.cache
def _start(pid: int) -> tuple[str, ApiKey]:
    """URL and key of this process's server; a forked child needs its own, hence ``pid``."""
    del pid
    try:
        from rfhosted import local
    except ImportError as error:
        missing = error.name
    else:
        own_key = ApiKey(secrets.token_urlsafe(24))
        server = local.serve(key=own_key.reveal())
        started = server.__enter__()
        atexit.register(server.__exit__, None, None, None)
        return started.url, own_key
    raise UnsupportedError(
        f"The local models need the package {missing}, which is not installed",
        advice='Run pip install "rfhosted[local]", or pass an API key.',
    )
