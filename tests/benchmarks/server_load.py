"""The embedded server under load: ``python tests/benchmarks/server_load.py [--seconds 60] [--check]``.

64 clients send the five tasks in turn, each the next request as soon as it has a response. Beside
them a few misbehave: uploads that stop halfway, images of very many pixels, clients that hang up.
Reported: memory of the server's process before, at the peak and after; p50 and p99 of the valid
requests; what happens on SIGTERM while the clients go on. With ``--check`` the bounds must hold.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from rfhosted.hosted import Task

CLIENTS = 64
IMAGES = Path(__file__).parents[1] / "recordings" / "images"
PHOTOS = [(IMAGES / f"{name}.jpg").read_bytes() for name in ("cat", "coffee", "astronaut")]
#: Bounds of --check: seconds, and MB above what warm models need.
P99, PEAK, AFTER, EXIT = 20.0, 900.0, 100.0, 10.0


@dataclass
class Load:
    """What the clients do and see."""

    port: int
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int | str] = field(default_factory=Counter)
    running: bool = True

    def post(self, task: str, data: bytes, timeout: float = 60) -> int | str:
        """Status of one request, or the name of what went wrong."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        try:
            connection.request("POST", f"/local/{task}", head + data + b"\r\n--b--\r\n", headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        else:
            return response.status
        finally:
            connection.close()

    def valid(self, number: int) -> None:
        """Send requests until the end, and keep their times."""
        calls = itertools.cycle(itertools.product(Task, PHOTOS))
        for task, photo in itertools.islice(calls, number, None):
            if not self.running:
                return
            began = time.perf_counter()
            status = self.post(task, photo)
            if status == "ConnectionRefusedError":  # the server is gone
                return
            if self.running:
                self.statuses[status] += 1
                if status == 200:
                    self.seconds.append(time.perf_counter() - began)

    def stalled(self) -> None:
        """Begin a large upload, stop in the middle, begin again."""
        head = b"POST /local/object-detection HTTP/1.1\r\nHost: localhost\r\nContent-Type: a/b\r\n"
        while self.running:
            try:
                with socket.create_connection(("127.0.0.1", self.port)) as connection:
                    connection.sendall(
                        head + b"Content-Length: 19000000\r\n\r\n" + b"A" * 9_000_000
                    )
                    connection.settimeout(30)
                    connection.recv(1000)
            except OSError:
                time.sleep(0.1)

    def huge(self, number: int) -> None:
        """Send images that are large, too large, or no longer waited for."""
        large, too_large = (grey_png(side, side) for side in (7000, 20_000))
        while self.running:
            self.post("semantic-segmentation", too_large)
            self.post("semantic-segmentation", large, timeout=0.5 if number % 2 else 60)


def grey_png(width: int, height: int) -> bytes:
    """A black PNG of one bit a pixel: few bytes, many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    row = bytes(1 + -(-width // 8))
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def percentile(values: list[float], share: float) -> float:
    """The nearest value of a share, in [0, 1]; infinite without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")


def measure(seconds: float, *, misbehave: bool) -> dict[str, float | int | str]:
    """One server, loaded and stopped: the numbers of the report."""
    command = [sys.executable, "-m", "rfhosted.local", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout
    load = Load(int(server.stdout.readline().rsplit(":", 1)[1]))
    process = psutil.Process(server.pid)

    def memory() -> float:
        return process.memory_info().rss / 2**20

    for task, photo in itertools.product(Task, PHOTOS):  # the models are warm from here on
        load.post(task, photo)
    time.sleep(2)
    before = peak = memory()
    jobs = [lambda n=n: load.valid(n) for n in range(CLIENTS)]
    if misbehave:
        jobs += [load.stalled] * 8 + [lambda n=n: load.huge(n) for n in range(4)]
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        peak = max(peak, memory())
        time.sleep(0.05)
    load.running = False  # each client ends with its request
    for thread in threads:
        thread.join(60)
    time.sleep(2)
    after = memory()
    load.running = True
    for number in range(CLIENTS):
        threading.Thread(target=load.valid, args=(number,), daemon=True).start()
    time.sleep(2)
    began = time.monotonic()
    server.send_signal(signal.SIGTERM)
    _, errors = server.communicate(timeout=60)
    load.running = False
    return {
        "before_MB": round(before),
        "peak_MB": round(peak),
        "after_MB": round(after),
        "requests": len(load.seconds),
        "p50_s": round(percentile(load.seconds, 0.5), 2),
        "p99_s": round(percentile(load.seconds, 0.99), 2),
        "statuses": str(dict(load.statuses)),
        "exit_code": server.returncode,
        "exit_s": round(time.monotonic() - began, 1),
        "errors": errors.strip(),
    }


def main() -> int:
    """Print the numbers, and whether the bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--check", action="store_true", help="fail where a bound does not hold")
    options = parser.parse_args()
    held = True
    for misbehave in (False, True):
        found = measure(options.seconds, misbehave=misbehave)
        print("\n64 clients" + (", and 12 that misbehave" if misbehave else ""))
        for name, value in found.items():
            print(f"  {name:10} {value}")
        held &= found["p99_s"] < P99
        held &= found["peak_MB"] - found["before_MB"] < PEAK
        held &= found["after_MB"] - found["before_MB"] < AFTER
        held &= found["exit_code"] == 0 and found["exit_s"] < EXIT and not found["errors"]
    print(
        f"\nbounds: p99 {P99} s, peak {PEAK} MB and after {AFTER} MB above warm models, exit {EXIT} s:"
    )
    print("held" if held else "NOT HELD")
    return int(options.check and not held)


if __name__ == "__main__":
    sys.exit(main())
