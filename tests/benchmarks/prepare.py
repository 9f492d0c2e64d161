"""How long a JPEG takes to be scaled for sending: ``python tests/benchmarks/prepare.py``.

Beside it, in the same process, the bare cost by OpenCV: decode at the scale that JPEG offers, resize
where that is not enough, encode. With ``--beside PATH`` another checkout of rfhosted takes turns with
this one, each in a process of its own, so that drift favours neither. Medians; less is better.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from PIL import Image

#: (width, height) of the photo, and the longest side that is sent.
CASES = (((1280, 960), 640), ((2560, 1920), 640), ((1600, 1200), 640), ((4032, 3024), 1024))
TURNS, ROUNDS = 5, 15


def photo(size: tuple[int, int]) -> bytes:
    width, height = size
    small = np.random.default_rng(1).integers(0, 255, (height // 16, width // 16, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)).save(
        file, "JPEG", quality=88
    )
    return file.getvalue()


def bare(data: bytes, whole: tuple[int, int], longest: int) -> None:
    scale = max(scale for scale in (1, 2, 4, 8) if whole[0] // scale >= longest)
    how = cv2.IMREAD_COLOR if scale == 1 else getattr(cv2, f"IMREAD_REDUCED_COLOR_{scale}")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    size = longest, round(longest * whole[1] / whole[0])
    if pixels.shape[1::-1] != size:
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])


def seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def requested(longest: int) -> dict[str, object]:
    try:
        from rfhosted.endpoints.call import Call
    except ImportError:  # checkouts before there was one
        return {"model": "a/1", "image_size": longest}
    return {"call": Call("a/1", image_size=longest)}


def measure() -> list[float]:
    """For each case, the time as a multiple of the bare cost."""
    import rfhosted

    client = rfhosted.Client(base_url="http://127.0.0.1:9")  # nothing is sent
    ratios = []
    for whole, longest in CASES:
        data = photo(whole)
        ours = functools.partial(client.prepare, data, **requested(longest))
        least = functools.partial(bare, data, whole, longest)
        times = [(seconds(ours), seconds(least)) for _ in range(ROUNDS)]
        ratios.append(median(a for a, _ in times) / median(b for _, b in times))
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--beside", type=Path, help="another checkout of rfhosted")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure()))
        return
    checkouts = {"this": Path(__file__).parents[2]}
    if options.beside:
        checkouts["beside"] = options.beside.resolve()
    results: dict[str, list[list[float]]] = {name: [] for name in checkouts}
    for _ in range(TURNS):
        for name, folder in checkouts.items():
            done = subprocess.run(
                [sys.executable, __file__, "--one"],
                capture_output=True,
                text=True,
                check=True,
                env=os.environ | {"PYTHONPATH": str(folder)},
            )
            results[name].append(json.loads(done.stdout))
    for i, (whole, longest) in enumerate(CASES):
        ratios = {name: median(turn[i] for turn in turns) for name, turns in results.items()}
        shown = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
        print(f"{whole[0]} x {whole[1]} to {longest}, multiples of the bare cost: {shown}")


if __name__ == "__main__":
    main()
