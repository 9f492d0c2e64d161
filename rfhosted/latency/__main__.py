"""``python -m rfhosted.latency MODEL ... --image FILE``: a plain table, and JSON on request."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from typing import TYPE_CHECKING

from rfhosted.client import Client
from rfhosted.errors import HostedError
from rfhosted.images.samples import sample
from rfhosted.latency import benchmark, simulated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfhosted.images.upload import ImageSize


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status, 1 where nothing could be measured or saved.

    Args:
        arguments: The command line; None for that of this process.
    """
    options = _parser().parse_args(arguments)
    with contextlib.ExitStack() as stack:
        try:
            simulate = options.simulate
            client = stack.enter_context(simulated()) if simulate else Client(base_url=options.url)
            result = benchmark(
                options.models,
                options.image or [sample("cat")],
                api_versions=options.versions,
                image_sizes=options.sizes,
                requests=options.requests,
                concurrency=options.concurrency,
                rate=options.rate,
                warmup=options.warmup,
                client=client,
                yes=options.yes,
                task=options.task,
                seed=options.seed,
            )
        except (HostedError, ValueError) as error:
            print(error, file=sys.stderr)
            return 1
    print(json.dumps({"rows": result.rows(), "parts": result.parts()}) if options.json else result)
    if options.save:
        try:
            result.save(options.save)
        except OSError as error:
            print(error, file=sys.stderr)
            return 1
    return 0 if any(row["n"] for row in result.rows()) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rfhosted.latency", description=__doc__)
    parser.add_argument("models", nargs="+", help="model ids or public names")
    parser.add_argument("--image", action="append", help="path or URL; may be repeated")
    parser.add_argument("--versions", nargs="+", default=["v2", "v1"], help="v2, v1 (both)")
    parser.add_argument(
        "--sizes", nargs="+", type=_size, default=[None], help="longest sides to send, or original"
    )
    parser.add_argument("--requests", type=int, default=20, help="for each cell (%(default)s)")
    parser.add_argument("--warmup", type=int, default=2, help="for each cell (%(default)s)")
    parser.add_argument("--concurrency", type=int, default=1, help="clients (%(default)s)")
    parser.add_argument("--rate", type=float, help="requests a second, sent when they are due")
    parser.add_argument("--task", help="task of your own models, which v1 needs")
    parser.add_argument("--url", help="a server of your own")
    parser.add_argument("--simulate", action="store_true", help="simulate the published latencies")
    parser.add_argument("--seed", type=int, help="of the random order")
    parser.add_argument("--yes", action="store_true", help="confirm billable requests")
    parser.add_argument("--json", action="store_true", help="print JSON, in seconds and bytes")
    parser.add_argument("--save", help="write every request to this file")
    return parser


def _size(text: str) -> ImageSize:
    return "original" if text == "original" else int(text)


if __name__ == "__main__":
    sys.exit(main())
