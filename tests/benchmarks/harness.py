"""The latency harness beside ``inference benchmark api-speed``: one local server, one run.

``python tests/benchmarks/harness.py PATH/TO/inference``, the command of the package inference-cli in an
environment of its own. The server pretends an Exec of nothing, so that the harness is what is measured:
the highest rate that it drives at 1, 8 and 32 clients; its own time per request, which is what it
reports as latency less what the server says to have taken; and the seconds of processor that its
process spends on each request (two runs of different length, so that starting does not count).
Ratios are rfhosted's over the other's: of rates more is better, of times less.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rfhosted import Benchmark
from rfhosted.images.samples import sample

CLIENTS = (1, 8, 32)
SHORT, LONG = 64, 2624  # requests of a run; in fewer, the seconds of starting drown what they cost
ROUNDS = 3
SERVER = """
import sys
from rfhosted.hosted import ApiVersion
from rfhosted.local import Simulation, Times, serve
nothing = {"*": dict.fromkeys(ApiVersion, Times(exec=0))}
with serve(simulate=Simulation(times=nothing, workers=64)) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


def processor_seconds(command: list[str]) -> tuple[float, str]:
    """What a command spends on the processor, and what it prints."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    spent = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return spent, done.stdout


def ours(url: str, photo: Path, clients: int, requests: int) -> tuple[float, float, float]:
    """Seconds of processor, answers each second, and its own seconds in each latency."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "told.json")
        spent, _ = processor_seconds(
            [
                *(sys.executable, "-m", "rfhosted.latency", "coco/3", "--url", url),
                *("--image", str(photo), "--versions", "v2", "--warmup", "5"),
                *("--requests", str(requests), "--concurrency", str(clients)),
                *("--save", str(told)),
            ]
        )
        result = Benchmark.load(told)
    (row,) = result.rows()
    if row["errors"]:
        raise SystemExit(f"rfhosted: {row['error_kinds']}")
    served = statistics.fmean(s.timing.server for s in result.samples if s.counts)
    return spent, row["rate"], row["e2e_mean"] - served


def theirs(
    tool: str, url: str, photo: Path, clients: int, requests: int
) -> tuple[float, float, float]:
    """The same of the other harness; it counts requests by client."""
    with tempfile.TemporaryDirectory() as folder:
        pictures, told = Path(folder, "pictures"), Path(folder, "told.json")
        pictures.mkdir()
        shutil.copy(photo, pictures)
        spent, _ = processor_seconds(
            [
                *(tool, "benchmark", "api-speed", "-m", "coco/3", "-h", url, "-a", "none"),
                *("-d", str(pictures), "-L", "-y", "-wr", "5", "-o", str(told)),
                *("-br", str(requests // clients), "-c", str(clients)),
            ]
        )
        results = json.loads(told.read_text())["benchmark_results"]
    if results["error_rate"]:
        raise SystemExit(f"inference: {results['error_status_codes']}")
    own = results["average_inference_latency_ms"] / 1000 - results["avg_remote_execution_time"]
    return spent, results["requests_per_second"], own


def measured(ask, *where) -> tuple[float, float, float]:
    """Seconds of processor per request, the rate, and its own seconds in each latency."""
    short, _, _ = ask(*where, SHORT)
    long, rate, own = ask(*where, LONG)
    return (long - short) / (LONG - SHORT), rate, own


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inference", help="the command of inference-cli")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    photo = sample("astronaut")
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        url = server.stdout.readline().strip()
        for clients in CLIENTS:
            pairs = [
                (
                    measured(ours, url, photo, clients),
                    measured(theirs, options.inference, url, photo, clients),
                )
                for _ in range(options.rounds)  # they take turns: drift favours none
            ]
            own, other = (
                [statistics.median(values) for values in zip(*side, strict=True)]
                for side in zip(*pairs, strict=True)
            )
            processor, rate, time = (a / b for a, b in zip(own, other, strict=True))
            print(
                f"{clients:2} clients: rate {rate:.2f} (aim 1: {'met' if rate >= 1 else 'MISSED'}),"
                f" own time {time:.2f} (aim 0.5: {'met' if time <= 0.5 else 'MISSED'}),"
                f" processor {processor:.2f}; here {own[1]:.0f} answers/s, {own[2] * 1000:.2f} ms and"
                f" {own[0] * 1000:.2f} ms of processor a request",
                flush=True,
            )
    finally:
        server.communicate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
