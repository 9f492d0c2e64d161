"""``python -m rfhosted.local``: serve until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading

from rfhosted.hosted import PUBLISHED_LATENCIES
from rfhosted.local import like_published, serve
from rfhosted.local.middleware import is_loopback


def main() -> int:
    """Parse the command line and serve; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rfhosted.local", description=main.__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (%(default)s)")
    parser.add_argument("--port", type=int, default=9001, help="0 takes a free one (%(default)s)")
    parser.add_argument("--key", help="key that requests must have (default: any or none)")
    parser.add_argument(
        "--simulate",
        choices=["published", *PUBLISHED_LATENCIES],
        help="simulate the published latencies of each model, or those of one for all",
    )
    options = parser.parse_args()
    host = options.host or "0.0.0.0"  # noqa: S104  # an empty address means every address
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    with contextlib.ExitStack() as stack:
        name = options.simulate
        simulate = like_published(None if name == "published" else name) if name else None
        try:
            server = stack.enter_context(serve(host, options.port, options.key, simulate=simulate))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            print(f"Cannot listen at {host}:{options.port}: {why}", file=sys.stderr)
            return 1
        print(server.url, flush=True)
        if not (options.key or is_loopback(host)):
            print(
                f"Every computer that reaches {host} can use this server: it has no --key.",
                file=sys.stderr,
            )
        while not stop.wait(1):  # without a limit Windows would wait through Ctrl-C
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
