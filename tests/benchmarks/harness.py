"""rfhosted.benchmark beside ``inference benchmark api-speed``, one local server, one run.

``python tests/benchmarks/harness.py INFERENCE``, where rfhosted is installed; INFERENCE is the command of the
package inference-cli, which may live in another environment. The server answers at once (simulated times of
0 s), so that what is left is the harness. It prints, at 1, 8 and 32 clients, the requests a second that each
drives and the processor time that each takes for one, as ratios of rfhosted's to the other's. Ours is given
the pixels, as theirs has them (both encode a JPEG for every request), and the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import rfhosted

CLIENTS = (1, 8, 32)
#: Requests of the short and of the long run, all clients together: start and end cancel out.
SHORT, LONG = 320, 1600
SERVER = """
import time
from rfhosted.hosted import ApiVersion
from rfhosted.local import Simulation, Times, serve
with serve(simulate=Simulation({"*": dict.fromkeys(ApiVersion, Times(exec=0.0))}, workers=64)) as server:
    print(server.url, flush=True)
    time.sleep(3600)
"""
OURS = """
import sys, cv2, rfhosted
url, clients, requests, given = sys.argv[1:]
cat = str(rfhosted.sample("cat"))
image = cat if given == "file" else cv2.cvtColor(cv2.imread(cat), cv2.COLOR_BGR2RGB)
found = rfhosted.benchmark(
    "local/object-detection", [image], api_versions=["v2"], image_sizes=["original"],
    requests=int(requests), concurrency=int(clients), warmup=10, client=rfhosted.Client(base_url=url),
)
[row] = found.rows()
assert row["n"] == int(requests), row
begins = [s.began for s in found.samples if not s.warmup]
ends = [s.began + s.busy for s in found.samples if not s.warmup]
print(row["n"] / (max(ends) - min(begins)))
"""


def ours(url: str, clients: int, requests: int, given: str) -> float:
    command = [sys.executable, "-c", OURS, url, str(clients), str(requests), given]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(told)


def theirs(url: str, clients: int, requests: int, inference: str, photos: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        command = [
            *(inference, "benchmark", "api-speed", "-m", "local/object-detection", "-d", str(photos)),
            *("-h", url, "-br", str(requests // clients), "-c", str(clients), "-L", "-y"),
            *("-a", "none", "-o", str(told)),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"HOME": folder})
        found = json.loads(told.read_text())["benchmark_results"]
    assert found["error_rate"] == 0, found
    assert found["inferences_made"] == requests, found
    return found["requests_per_second"]


def measured(run) -> tuple[float, float]:
    """Requests a second in the long run, and processor seconds for one more request."""
    used, rate = [], 0.0
    for requests in (SHORT, LONG):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        rate = run(requests)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return rate, (used[1] - used[0]) / (LONG - SHORT)


def main(inference: str) -> None:
    with contextlib.ExitStack() as stack:
        photos = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (photos / "cat.jpg").write_bytes(rfhosted.sample("cat").read_bytes())
        server = stack.enter_context(
            subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
        )
        stack.callback(server.terminate)
        url = server.stdout.readline().strip()
        for clients in CLIENTS:
            other = measured(lambda n, c=clients: theirs(url, c, n, inference, photos))
            for given in ("pixels", "file"):
                own = measured(lambda n, c=clients, g=given: ours(url, c, n, g))
                print(f"{clients} clients, given the {given}:")
                told(f"rate, {own[0]:.0f} and {other[0]:.0f} a second", own[0] / other[0], least=1)
                text = f"own time, {own[1] * 1e3:.2f} and {other[1] * 1e3:.2f} ms"
                told(text, own[1] / other[1], most=0.5)


def told(what: str, ratio: float, least: float = 0.0, most: float = float("inf")) -> None:
    aim = f"at least {least:g}" if least else f"at most {most:g}"
    met = "met" if least <= ratio <= most else "MISSED"
    print(f"  {what:36} ratio {ratio:5.2f}  aim {aim}: {met}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
