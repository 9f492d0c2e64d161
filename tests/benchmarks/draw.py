"""How long a picture takes to draw, and how much memory: ``python tests/benchmarks/draw.py``.

100 objects with masks on a photo of 12 megapixels, from the answer's JSON to a notebook's HTML, and
the redraw that a moved slider costs. Beside it, with ``--supervision``, supervision alone at full
size (several seconds and gigabytes). Each runs in a process of its own: peaks of memory stay apart.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT, SENT = 4000, 3000, (1024, 768)


def photo() -> bytes:
    rng = np.random.default_rng(1)
    small = rng.integers(0, 255, (60, 80, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)).save(
        file, "JPEG", quality=90
    )
    return file.getvalue()


def answer(kind: str) -> dict:
    from rfhosted.local.postprocess import compress, run_lengths

    rng = np.random.default_rng(2)
    predictions = []
    for i in range(100):
        w, h = rng.integers(40, 240, 2)
        x, y = rng.integers(w // 2, SENT[0] - w // 2), rng.integers(h // 2, SENT[1] - h // 2)
        item = {"x": int(x), "y": int(y), "width": int(w), "height": int(h)}
        item |= {"confidence": 0.5 + i / 250, "class": f"class {i % 12}", "class_id": i % 12}
        if kind == "masks":
            mask = np.zeros(SENT[::-1], np.uint8)
            cv2.ellipse(mask, (int(x), int(y)), (int(w) // 2, int(h) // 2), 0, 0, 360, 1, -1)
            cv2.circle(mask, (int(x), int(y)), int(min(w, h)) // 6, 0, -1)
            counts = compress(run_lengths(mask > 0))
            item["rle"] = {"size": list(SENT[::-1]), "counts": counts}
        predictions.append(item)
    return {
        "time": 0.1,
        "image": dict(zip(("width", "height"), SENT, strict=True)),
        "predictions": predictions,
    }


def measure(kind: str) -> None:
    import supervision  # noqa: F401 - part of the baseline, as it is for everybody who draws

    from rfhosted.display.annotate import draw_objects
    from rfhosted.display.html import jpeg_data_uri
    from rfhosted.endpoints import image_tasks
    from rfhosted.hosted import ApiVersion, Task
    from rfhosted.images import sources
    from rfhosted.images.upload import Upload
    from rfhosted.prediction import DetectionPrediction, InstancePrediction, Timing

    data, raw = photo(), answer(kind)
    task = Task.INSTANCE_SEGMENTATION if kind == "masks" else Task.OBJECT_DETECTION
    warm = np.zeros((64, 64, 3), np.uint8)
    draw_objects(Image.fromarray(warm), (), (64, 64))
    del warm
    with Path("/proc/self/clear_refs").open("w") as file:  # forget the peak of the preparations
        file.write("5")
    baseline = rss("VmRSS")
    began = time.perf_counter()
    picture = sources.load(data)
    _, found = image_tasks.parse(raw, task, picture=picture.size, sent=SENT)
    kind_of = InstancePrediction if kind == "masks" else DetectionPrediction
    prediction = kind_of(
        source_image=picture,
        task=task,
        model="a/1",
        api_version=ApiVersion.V2,
        raw=raw,
        upload=Upload(SENT, 1, "JPEG", 85, ""),
        timing=Timing(0, 0, None, 0),
        confidence=0.4,
        host="nowhere",
        objects=found,
    )
    html = prediction._repr_html_()
    first = time.perf_counter() - began
    memory = rss("VmHWM") - baseline
    times = []
    for i in range(7):
        began = time.perf_counter()
        jpeg_data_uri(prediction.filter(confidence=0.4 + i / 1000).draw())
        times.append(time.perf_counter() - began)
    report = {
        "what": f"rfhosted, 100 {kind}",
        "first_s": first,
        "above_baseline_MB": memory,
        "redraw_ms": 1000 * sorted(times)[3],
        "html_kB": len(html) / 1000,
    }
    print(json.dumps(report))


def rss(name: str) -> float:
    with Path("/proc/self/status").open() as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(name))


def supervision_alone() -> None:
    import supervision as sv

    data, raw = photo(), answer("masks")
    with Path("/proc/self/clear_refs").open("w") as file:
        file.write("5")
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
    memory = rss("VmHWM") - baseline
    print(
        json.dumps(
            {"what": "supervision alone, 100 masks", "first_s": first, "above_baseline_MB": memory}
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--supervision", action="store_true", help="also supervision alone")
    parser.add_argument("--one", choices=("masks", "boxes", "supervision"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        supervision_alone() if options.one == "supervision" else measure(options.one)
        return
    runs = ["masks", "boxes"] + ["supervision"] * options.supervision
    results = []
    for run in runs:
        out = subprocess.run(
            [sys.executable, __file__, "--one", run], capture_output=True, text=True, check=True
        )
        results.append(json.loads(out.stdout.splitlines()[-1]))
        shown = {k: v if isinstance(v, str) else round(v, 2) for k, v in results[-1].items()}
        print(shown)
    if options.supervision:
        a, b = results[0], results[-1]
        print(
            f"time {b['first_s'] / a['first_s']:.1f} x, memory {b['above_baseline_MB'] / a['above_baseline_MB']:.1f} x"
        )


if __name__ == "__main__":
    main()
