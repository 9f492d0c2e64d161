"""Write the notebooks and run them: ``python notebooks/build.py``. Commit what it makes."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import rfhosted

HERE = Path(__file__).parent
WIDGET = "application/vnd.jupyter.widget-view+json"

FIRST = """
# A first prediction

A picture goes in, what a model saw comes out. Without an API key everything here runs on **this
machine**: five small models answer through the same wire as Roboflow's hosted API. Run the cells from
top to bottom; no network is needed.
---
import rfhosted

photo = rfhosted.sample("cat")
rfhosted.predict(photo)
---
Nothing was said about the task or the model: that is object detection, with a default model. The caption
tells what was found, who answered, how long it took (*E2E*: the whole way; *Exec*: the model's own
work) and how much was sent.

## Five tasks

The same verb asks for each of them. **Classification** ranks classes for the whole picture:
---
rfhosted.predict(rfhosted.sample("coffee"), task="classification")
---
**Instance segmentation** gives each object a mask. (The masks of this machine are *derived* from boxes and a
class map; no network was trained for them, and each answer says so.)
---
rfhosted.predict(rfhosted.sample("astronaut"), task="instance-segmentation")
---
**Semantic segmentation** gives every pixel a class:
---
rfhosted.predict(photo, task="semantic-segmentation")
---
**Key-point detection** finds the joints of a person:
---
person = rfhosted.predict(rfhosted.sample("camera"), task="keypoint-detection")
person
---
## What a prediction holds

Coordinates are pixels of the original picture. `filter` makes a new prediction and sends nothing.
---
person.to_pandas()[["class_name", "confidence", "x1", "y1", "x2", "y2"]].round(2)
---
person.filter(keypoint_confidence=0.6).draw(max_side=400)
---
person.detections.xyxy, person.key_points.xy.shape  # as supervision has them
---
## v1 beside V2

v1 is the legacy API, V2 the recommended one. Both are spoken here, and differ in limits (5 MB and 20 MB a
request), in what they leave out of an answer, and, on the hosted API, in speed.
---
for version in ("v1", "v2"):
    client = rfhosted.Client(api_version=version)
    p = client.predict(photo, task="semantic-segmentation")
    print(version, "|", p.summary(), "|", sorted(p.raw), "|", p.timing.exec is not None)
---
## How much is sent

`image_size` is the longest side that is sent. A smaller picture is a faster request; boxes come back
where the original has them.
---
for size in (160, 320, "original"):
    p = rfhosted.predict(rfhosted.sample("rocket"), task="classification", image_size=size)
    print(size, "|", p.upload.size, "|", p.upload.nbytes, "bytes |", p.upload.changes)
---
## When something goes wrong

Each error says what happened and what to do next.
---
try:
    rfhosted.predict(photo, "yolov8n-64")
except rfhosted.HostedError as error:
    print(type(error).__name__, "-", error)
---
## Your own picture, your own key

Put a path, a URL, bytes, a PIL image or an RGB array in place of `photo`. For hosted models set the key
outside of the notebook, in the environment or in a `.env` file as `ROBOFLOW_API_KEY`; then
nothing else is needed:

```python
rfhosted.predict("my.jpg", "rfdetr-nano")       # a public model
rfhosted.predict("my.jpg", "my-project/3")      # your own
```
"""

EXPLORE = """
# Explore a model

Run the next cell: the panel appears. Pick the **task type**, the **API version** and the **image size**, and see at
once what changes. Without an API key this machine's models answer on every change; a hosted call is made when you press
*Run*, never before.
---
import rfhosted

explorer = rfhosted.explore()
explorer
---
## From the panel to code

`run` presses *Run* from code. What the panel shows is `explorer.result`, a prediction like any other; the
tab *Code* writes down what gives exactly this result.
---
explorer.run().filter(confidence=0.6)
---
## Things to try

- Move *Confidence*: the picture is drawn again, and nothing is sent. Change *Overlap*: that asks again.
- *Compare*: press *v1 against V2*, or *Pin as A*, change anything, and look at what only A or only B found.
- *Sweep*: the same picture at four sizes. How small may it get before the answer changes?
- Your own picture: a path, an address or an upload. Your own key: type it into *API key* and press Enter; it
  is kept in the kernel's memory alone.
"""

LATENCY = """
# How long does it take, and why?

Roboflow's documentation publishes latencies and asks you to measure for yourself. This notebook takes requests
apart, offline. Section 1 asks a real model of this machine; from section 2 on a simulator answers in the times that it
is given, and every table and plot of it says *simulated*. At the end you measure the hosted API with your own key.
All of it takes about a minute.

Two times are given everywhere: **E2E**, from sending the request to the last byte of the answer, and **Exec**, the
model's own work.
---
## 1. One request, taken apart

The first request to a model waits for its loading (a *cold start*), the second does not.
---
import rfhosted

photo = rfhosted.sample("astronaut")
rfhosted.predict(photo).timing
---
rfhosted.predict(photo).timing
---
## 2. The size of the picture

A picture has to be sent before anything looks at it. Here the line is simulated too: 20 Mbit/s up, a round trip of
30 ms. The photo is the sample, enlarged to 9 megapixels, as a phone would take it.
---
from PIL import Image

from rfhosted.latency import simulated
from rfhosted.local import Line, Simulation, Times, like_published

large = Image.open(photo).resize((3000, 3000))
line = Line(up=20e6 / 8, down=50e6 / 8, round_trip=0.03)  # bytes a second, seconds
with simulated(like_published("yolov8n-640", line=line, spread=0)) as client:
    sizes = rfhosted.benchmark(
        "yolov8n-640",
        large,
        api_versions=["v2"],
        image_sizes=[320, 640, 1280, "original"],
        requests=5,
        warmup=1,
        client=client,
    )
sizes.plot_parts()
---
## 3. v1 against V2

What the documentation publishes, in milliseconds, and v1 as a multiple of V2:
---
rfhosted.published
---
## The simulator, told these times

The small model's E2E is a little shorter on v1, the large one's ten times longer; Exec is longer on v1 for both.
Requests of both versions and models are mixed in random order, so that drift favours none. The bar is where the
median lies with 95 % confidence: two medians whose bars overlap may be one.
---
with simulated() as client:
    versions = rfhosted.benchmark(
        ["yolov8n-640", "yolov8x-640"], photo, requests=8, warmup=1, concurrency=4, client=client
    )
versions
---
## 4. Many at once: queueing

Two workers need 50 ms for each request. One client waits for nobody. Eight clients wait for each other: more is
answered each second, and each answer takes longer.
---
two_workers = Simulation(
    times={"*": {version: Times(exec=0.05, spread=0.2) for version in rfhosted.ApiVersion}},
    workers=2,
    label="two workers, Exec 50 ms",
)
with simulated(two_workers) as client:
    for clients in (1, 2, 8):
        b = rfhosted.benchmark(
            "yolov8n-640",
            photo,
            api_versions=["v2"],
            requests=40,
            concurrency=clients,
            client=client,
        )
        row, parts = b.rows()[0], b.parts()[0]
        print(
            f"{clients} at once: {row['rate']:.0f} answers/s, E2E {row['e2e_p50'] * 1000:.0f} ms, "
            f"of it queue {parts['queue'] * 1000:.0f} ms (simulated)"
        )
---
## When requests do not wait for answers

Clients that wait before they ask again hide a server that stalls: while it stands still, nobody asks. With `rate`
requests are sent when they are due, and E2E counts from then. Here everything stands still for one second.
---
stall = Simulation(times=two_workers.times, workers=8, stall=(1.0, 1.0), label="a stall of 1 s")
for rate in (None, 20):
    with simulated(stall) as client:
        b = rfhosted.benchmark(
            "yolov8n-640",
            photo,
            api_versions=["v2"],
            requests=60,
            rate=rate,
            warmup=0,
            client=client,
        )
    row = b.rows()[0]
    print(
        "open loop, 20/s:" if rate else "closed loop:    ",
        f"median {row['e2e_p50'] * 1000:.0f} ms, p90 {row['e2e_p90'] * 1000:.0f} ms (simulated)",
    )
---
## 5. Your own key

Set `ROBOFLOW_API_KEY` and measure the hosted API. You are told how many billable
requests it makes, and asked to confirm.

```python
mine = rfhosted.benchmark(["yolov8n-640"], [photo], api_versions=("v2", "v1"), requests=20)
mine                       # measured beside published: another place, another day, another plan
mine.save("today.json")    # the key is not in it
mine.compare(rfhosted.Benchmark.load("yesterday.json"))
```

The same for scripts: `python -m rfhosted.latency yolov8n-640 --requests 20 --yes`.
"""


def notebook(text: str) -> nbformat.NotebookNode:
    cells = []
    for i, part in enumerate(text.strip().split("\n---\n")):
        new = new_markdown_cell if _is_prose(part) else new_code_cell
        cell = new(part.strip())
        cell["id"] = f"cell-{i}"
        cells.append(cell)
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def _is_prose(part: str) -> bool:
    return part.lstrip().startswith(("#", "**", "Nothing", "v1 is"))


def main() -> None:
    texts = {"1_first_prediction": FIRST, "2_explore": EXPLORE, "3_latency": LATENCY}
    for name, text in texts.items():
        made = notebook(text)
        NotebookClient(made, timeout=240, resources={"metadata": {"path": str(HERE)}}).execute()
        for cell in made.cells:
            cell.metadata.pop("execution", None)  # clock times would change with every run
            if "outputs" in cell:  # a widget is gone with its kernel
                cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {})]
        made.metadata.pop("widgets", None)
        nbformat.write(made, HERE / f"{name}.ipynb")
    person = rfhosted.predict(rfhosted.sample("camera"), task="keypoint-detection")
    person.save(HERE / "first_prediction.jpg")  # the README's picture


if __name__ == "__main__":
    main()
