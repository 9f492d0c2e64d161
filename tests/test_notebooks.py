"""The committed notebooks: executed, up to date, small, and free of paths and secrets."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image

import rfhosted

FOLDER = Path(__file__).parents[1] / "notebooks"
SCRIPTS = sorted(FOLDER.glob("*.py"))
LESSONS = sorted(FOLDER.glob("[0-9]*.py"))  # the others are apps, which Voilà runs
LARGEST = 1_000_000  # bytes
#: Base64 of images, in which any short word may occur by chance.
BASE64 = re.compile(r"(?:[A-Za-z0-9+/=]|\\n){200,}")
WIDGET = "application/vnd.jupyter.widget-view+json"
#: Run before the notebook's own cells: only local addresses can be reached.
OFFLINE = """
import socket
def connect(self, address, _connect=socket.socket.connect):
    if self.family != getattr(socket, "AF_UNIX", None) and address[0] not in ("127.0.0.1", "::1"):
        raise OSError(f"a notebook connected to {address}")
    return _connect(self, address)
socket.socket.connect = connect
"""


def committed(script: Path) -> nbformat.NotebookNode:
    """The executed notebook beside a script."""
    return nbformat.read(script.with_suffix(".ipynb"), 4)


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def images(cell) -> int:
    """How many outputs of a cell show an image."""
    bundles = [output.get("data", {}) for output in cell.outputs]
    return sum(
        "image/png" in data or "image/jpeg" in data or "<img" in data.get("text/html", "")
        for data in bundles
    )


def test_every_notebook_has_its_script() -> None:
    assert SCRIPTS
    assert [path.with_suffix(".ipynb") for path in SCRIPTS] == sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_notebook_has_the_cells_of_the_script(path) -> None:
    assert [(cell.cell_type, cell.source) for cell in committed(path).cells] == [
        (cell.cell_type, cell.source) for cell in jupytext.read(path).cells
    ]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_cell_was_executed_without_errors(path) -> None:
    notebook = committed(path)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert any(images(cell) for cell in cells)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_no_path_and_no_secret_is_in_a_notebook(path) -> None:
    text = path.with_suffix(".ipynb").read_text("utf-8")
    assert len(text.encode()) < LARGEST
    words = BASE64.sub("", text)
    assert len(words) < len(text)
    places = (r"/(?:home|root|tmp|Users|var|opt)/", r"[A-Z]:\\\\", r"ipykernel_\d", "CANARY")
    secrets = (r"api_key=[\"']?\w{6}", r"Bearer \w")
    for unwanted in (*places, *secrets, re.escape(sys.prefix), re.escape(str(FOLDER.parent))):
        assert re.search(unwanted, words) is None, unwanted


def test_a_saved_widget_has_its_state() -> None:
    """A reader without a kernel sees the panel and the progress bars as they were."""
    for path in SCRIPTS:
        notebook = committed(path)
        views = [o.data[WIDGET] for c in code_cells(notebook) for o in c.outputs if WIDGET in o.get("data", {})]  # fmt: skip
        states = notebook.metadata.get("widgets", {}).values()
        assert {view["model_id"] for view in views} <= {key for s in states for key in s["state"]}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_an_html_export_shows_images_and_no_text_of_widgets(path) -> None:
    page, _ = HTMLExporter().from_filename(str(path.with_suffix(".ipynb")))
    body = BASE64.sub("", page).partition("<main")[2]
    assert body.count("<img") >= sum(map(images, code_cells(committed(path))))
    unwanted = r"(?:[HV]Box|FloatProgress|IntProgress|Explorer) ?\(|\d+%\||\d(?:it/s|s/it)"
    assert re.findall(unwanted, body) == []


def test_the_first_runs_offline_and_draws() -> None:
    first, *_ = SCRIPTS
    notebook = jupytext.read(first)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(OFFLINE))
    NotebookClient(notebook, timeout=120).execute()
    drawn = [images(cell) for cell in code_cells(notebook)[1:]]
    assert drawn == [images(cell) for cell in code_cells(committed(first))]
    assert sum(drawn) >= 6


def test_the_photo_of_the_readme_is_what_is_drawn_now(tmp_path) -> None:
    person = rfhosted.predict(rfhosted.sample("camera"), task="keypoint-detection")
    made, kept = (
        Image.open(path).convert("RGB")
        for path in (person.save(tmp_path / "now.jpg"), FOLDER / "first_prediction.jpg")
    )
    assert made.size == kept.size
    # Other fonts may make a small difference.
    assert np.abs(np.asarray(made, float) - np.asarray(kept, float)).mean() < 3
