"""Write the notebooks and run them: ``python notebooks/build.py``. Commit what it makes."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import rfhosted

HERE = Path(__file__).parent

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
outside of the notebook, in the environment or in a `.env` file as `ROBOFLOW_API_KEY`; it then needs no
further word:

```python
rfhosted.predict("my.jpg", "rfdetr-nano")       # a public model
rfhosted.predict("my.jpg", "my-project/3")      # your own
```
"""

EXPLORE = """
# Explore a model

Pick the **task type**, the **API version** and the **image size**, press *Run*, and see at once what changes.
Without an API key this machine's models answer; a hosted call is made when you press *Run*, never before.
---
import rfhosted

explorer = rfhosted.explore()
explorer
---
# From the panel to code

`run` presses *Run* from code. What the panel shows is `explorer.result`, a prediction like any other; the
tab *Code* writes down what gives exactly this result.
---
explorer.run().filter(confidence=0.6)
---
# Things to try

- Move *Confidence*: the picture is drawn again, and nothing is sent. Change *Overlap*: that asks again.
- *Compare*: press *v1 against V2*, or *Pin as A*, change anything, and look at what only A or only B found.
- *Sweep*: the same picture at four sizes. How small may it get before the answer changes?
- Your own picture: a path, an address or an upload. Your own key: type it into *API key* and press Enter; it
  is kept in the kernel's memory alone.
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
    for name, text in {"1_first_prediction": FIRST, "2_explore": EXPLORE}.items():
        made = notebook(text)
        NotebookClient(made, timeout=120, resources={"metadata": {"path": str(HERE)}}).execute()
        for cell in made.cells:
            cell.metadata.pop("execution", None)  # clock times would change with every run
        made.metadata.pop("widgets", None)
        nbformat.write(made, HERE / f"{name}.ipynb")
    person = rfhosted.predict(rfhosted.sample("camera"), task="keypoint-detection")
    person.save(HERE / "first_prediction.jpg")  # the README's picture


if __name__ == "__main__":
    main()
