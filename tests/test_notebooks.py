"""The committed notebooks: fresh, whole, small, and of no machine in particular."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 1_000_000  # bytes
#: Base64 of pictures, in which any short word may stand by chance.
PICTURES = re.compile(r"(?:[A-Za-z0-9+/=]|\\n){200,}")
WIDGET = "application/vnd.jupyter.widget-view+json"
#: Run before the notebook's own cells: nothing but this machine can be reached.
OFFLINE = """
import socket
def connect(self, address, _connect=socket.socket.connect):
    if self.family != getattr(socket, "AF_UNIX", None) and address[0] not in ("127.0.0.1", "::1"):
        raise OSError(f"a notebook asked {address}")
    return _connect(self, address)
socket.socket.connect = connect
"""


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(cell) -> int:
    """How many outputs of a cell show a picture."""
    bundles = [output.get("data", {}) for output in cell.outputs]
    return sum(
        "image/png" in data or "image/jpeg" in data or "<img" in data.get("text/html", "")
        for data in bundles
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with what build.py writes, but for the outputs of the cells."""
    spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    build.HERE = tmp_path_factory.mktemp("notebooks")
    build.NotebookClient = Unexecuted
    build.main()
    return build.HERE


class Unexecuted:
    """Takes a notebook and does not run it."""

    def __init__(self, notebook, **options) -> None: ...

    def execute(self) -> None: ...


def test_every_notebook_is_built(built) -> None:
    assert [path.name for path in sorted(built.glob("*.ipynb"))] == [p.name for p in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_sources_are_those_of_the_build(built, path) -> None:
    made, committed = (nbformat.read(folder / path.name, 4) for folder in (built, FOLDER))
    assert [(cell.cell_type, cell.source) for cell in committed.cells] == [
        (cell.cell_type, cell.source) for cell in made.cells
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs(path) -> None:
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert any(pictures(cell) for cell in cells) or any(
        WIDGET in o.get("data", {}) for o in outputs
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_of_the_machine_that_built_it(path) -> None:
    text = path.read_text("utf-8")
    assert len(text.encode()) < LARGEST
    words = PICTURES.sub("", text)
    assert len(words) < len(text)
    places = (r"/(?:home|root|tmp|Users|var|opt)/", r"[A-Z]:\\\\", r"ipykernel_\d", "CANARY")
    secrets = (r"api_key=[\"']?\w{6}", r"Bearer \w")
    for unwanted in (*places, *secrets, re.escape(sys.prefix), re.escape(str(FOLDER.parent))):
        assert re.search(unwanted, words) is None, unwanted


def test_the_first_runs_offline_and_draws(monkeypatch) -> None:
    committed = nbformat.read(FOLDER / "1_first_prediction.ipynb", 4)
    notebook = nbformat.read(FOLDER / "1_first_prediction.ipynb", 4)
    for cell in code_cells(notebook):
        cell.outputs = []
    notebook.cells.insert(0, nbformat.v4.new_code_cell(OFFLINE))
    NotebookClient(notebook, timeout=120).execute()
    drawn = [pictures(cell) for cell in code_cells(notebook)[1:]]
    assert drawn == [pictures(cell) for cell in code_cells(committed)]
    assert sum(drawn) >= 6


def test_the_picture_of_the_readme_is_what_is_drawn_now(built) -> None:
    made, committed = (
        Image.open(f / "first_prediction.jpg").convert("RGB") for f in (built, FOLDER)
    )
    assert made.size == committed.size
    # Another machine's fonts may differ a little.
    assert np.abs(np.asarray(made, float) - np.asarray(committed, float)).mean() < 3
