"""How long an image takes to draw, and how much memory: ``python tests/benchmarks/draw.py``.

Many objects on a photo of 12 megapixels: from the response to a notebook's HTML (first), the HTML
again (show), and what a moved slider costs (redraw). ``--against FOLDER`` measures another checkout
side by side and prints ratios; ``--supervision`` measures supervision alone at full size (several
seconds and gigabytes). Each case runs in a process of its own, so that peaks of memory stay apart.
"""

from __future__ import annotations

import argparse
import http.server
import io
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT, SENT = 4000, 3000, (1024, 768)
TASKS = {
    "masks": "instance-segmentation",
    "boxes": "object-detection",
    "skeletons": "keypoint-detection",
}
#: Milliseconds to draw and show, on the two cores where they were set.
AIMS = {"1000 boxes": 100, "300 skeletons": 150}
ROUNDS = 3


def photo() -> bytes:
    rng = np.random.default_rng(1)
    small = rng.integers(0, 255, (60, 80, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)).save(
        file, "JPEG", quality=90
    )
    return file.getvalue()


def response(kind: str, count: int = 100) -> dict:
    """The JSON of a response with many objects: masks, boxes or skeletons."""
    rng = np.random.default_rng(2)
    predictions = []
    for i in range(count):
        w, h = rng.integers(40, 240, 2)
        x, y = rng.integers(w // 2, SENT[0] - w // 2), rng.integers(h // 2, SENT[1] - h // 2)
        item = {"x": int(x), "y": int(y), "width": int(w), "height": int(h)}
        item |= {"confidence": 0.5 + 0.4 * i / count, "class": f"class {i % 12}"}
        item |= {"class_id": i % 12}
        if kind == "masks":
            item["rle"] = _ring(int(x), int(y), int(w), int(h))
        if kind == "skeletons":
            item |= {"class": "person", "class_id": 0, "keypoints": _skeleton(rng, item)}
        predictions.append(item)
    return {
        "time": 0.1,
        "image": dict(zip(("width", "height"), SENT, strict=True)),
        "predictions": predictions,
    }


def _ring(x: int, y: int, w: int, h: int) -> dict:
    import supervision as sv

    mask = np.zeros(SENT[::-1], np.uint8)
    cv2.ellipse(mask, (x, y), (w // 2, h // 2), 0, 0, 360, 1, -1)
    cv2.circle(mask, (x, y), min(w, h) // 6, 0, -1)
    return {"size": list(SENT[::-1]), "counts": sv.mask_to_rle(mask > 0, compressed=True)}


def _skeleton(rng: np.random.Generator, item: dict) -> list[dict]:
    from rfhosted.hosted import COCO_KEY_POINTS

    return [
        {
            "x": item["x"] + item["width"] * float(rng.random() - 0.5),
            "y": item["y"] + item["height"] * float(rng.random() - 0.5),
            "confidence": 0.9,
            "class_id": slot,
            "class": name,
        }
        for slot, name in enumerate(COCO_KEY_POINTS)
    ]


class _Server(http.server.BaseHTTPRequestHandler):
    body = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *args: object) -> None:
        pass


def measure(kind: str, count: int) -> dict:
    """Through public names alone, so that any checkout can be measured."""
    import supervision  # noqa: F401 - part of the baseline, as it is for everybody who draws

    import rfhosted

    data = photo()
    _Server.body = json.dumps(response(kind, count)).encode()
    server = http.server.HTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = rfhosted.Client("no-key-at-all", base_url=f"http://127.0.0.1:{server.server_port}")
    # What loads and warms up once is not measured.
    client.predict(np.zeros((64, 64, 3), np.uint8), "a/1", task=TASKS[kind])._repr_html_()
    forget_peak()
    baseline = rss("VmRSS")
    began = time.perf_counter()
    prediction = client.predict(data, "a/1", task=TASKS[kind])
    html = prediction._repr_html_()
    first = time.perf_counter() - began
    memory = rss("VmHWM") - baseline
    shows = [timed(prediction._repr_html_) for _ in range(7)]
    redraws = [
        timed(lambda i=i: prediction.filter(confidence=0.4 + i / 1000).html(table_rows=0))
        for i in range(7)
    ]
    server.shutdown()
    return {
        "first_ms": 1000 * first,
        "above_baseline_MB": memory,
        "show_ms": 1000 * median(shows),
        "redraw_ms": 1000 * median(redraws),
        "html_kB": len(html) / 1000,
    }


def timed(call) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def forget_peak() -> None:
    with Path("/proc/self/clear_refs").open("w") as file:
        file.write("5")


def rss(name: str) -> float:
    with Path("/proc/self/status").open() as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(name))


def supervision_alone() -> dict:
    import supervision as sv

    data, raw = photo(), response("masks")
    forget_peak()
    baseline = rss("VmRSS")
    began = time.perf_counter()
    image = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[:, :, ::-1].copy()
    sx, sy = WIDTH / SENT[0], HEIGHT / SENT[1]
    for item in raw["predictions"]:
        item["x"], item["width"] = item["x"] * sx, item["width"] * sx
        item["y"], item["height"] = item["y"] * sy, item["height"] * sy
    raw["image"] = {"width": WIDTH, "height": HEIGHT}
    detections = sv.Detections.from_inference(raw)
    image = sv.MaskAnnotator().annotate(image, detections)
    image = sv.BoxAnnotator().annotate(image, detections)
    image = sv.LabelAnnotator().annotate(image, detections)
    Image.fromarray(image[:, :, ::-1]).save(io.BytesIO(), "JPEG")
    first = time.perf_counter() - began
    return {"first_ms": 1000 * first, "above_baseline_MB": rss("VmHWM") - baseline}


def run(kind: str, count: int, checkout: Path) -> dict:
    """One case in a process of its own, with the code of a checkout."""
    command = [sys.executable, __file__, "--one", kind, str(count)]
    env = os.environ | {"PYTHONPATH": str(checkout)}
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    return json.loads(out.stdout.splitlines()[-1])


def side_by_side(kind: str, count: int, checkouts: list[Path]) -> list[dict]:
    """Medians of some rounds for each checkout; they take turns, for the load of the computer."""
    rounds = [[run(kind, count, checkout) for checkout in checkouts] for _ in range(ROUNDS)]
    return [
        {name: median(result[name] for result in results) for name in results[0]}
        for results in zip(*rounds, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for kind, counts in {"masks": [100], "boxes": [100, 1000], "skeletons": [300]}.items():
        parser.add_argument(f"--{kind}", type=int, nargs="*", default=counts, metavar="COUNT")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout")
    parser.add_argument("--supervision", action="store_true", help="also supervision alone")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        kind, count = options.one
        print(json.dumps(measure(kind, int(count)) if kind in TASKS else supervision_alone()))
        return
    checkouts = [Path(__file__).parents[2], *filter(None, [options.against])]
    results = {}
    for kind in TASKS:
        for count in getattr(options, kind):
            name = f"{count} {kind}"
            results[name], *others = side_by_side(kind, count, checkouts)
            aim = f" (aim: show in {AIMS[name]} ms)" if name in AIMS else ""
            print(f"{name}{aim}")
            for what, value in results[name].items():
                ratios = [f"{value / other[what]:.2f} of {other[what]:.1f}" for other in others]
                print("  ", f"{what:18} {value:8.1f}", *ratios)
    if options.supervision:
        alone, ours = run("supervision", 100, checkouts[0]), results["100 masks"]
        times = {what: value / ours[what] for what, value in alone.items()}
        print("supervision alone takes", {what: f"{ratio:.1f} x" for what, ratio in times.items()})


if __name__ == "__main__":
    main()
