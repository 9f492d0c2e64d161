"""Errors in IPython: a box in a notebook, a plain traceback in a terminal, a key in neither."""

from __future__ import annotations

import subprocess
import sys
from html import unescape
from html.parser import HTMLParser

import nbformat
import pytest
from nbclient import NotebookClient

from rfhosted import errors

CANARY = "CANARYab12CD34ef56GH78"
CELLS = {
    "typo": "import rfhosted\nrfhosted.predict('no_such_file.jpg')",
    "chained": "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise rfhosted.ImageError('<b>broken</b>') from error",
    "thread": "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as pool:\n    pool.submit(rfhosted.predict, 'no_such_file.jpg').result()",
    "verbose": f"%xmode Verbose\nkey = '{CANARY}'\nrfhosted.Client(key, retries=0, base_url='http://127.0.0.1:9').predict(rfhosted.sample('cat'), 'a/1')",
    "argument": "rfhosted.predict(rfhosted.sample('cat'), confidence=40)",
    "fine": "1",
}


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)


@pytest.fixture(scope="module")
def outputs() -> dict:
    """The outputs of each cell, by its name."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    )
    NotebookClient(notebook, timeout=120, allow_errors=True).execute()
    return dict(zip(CELLS, (cell.outputs for cell in notebook.cells), strict=True))


@pytest.mark.parametrize("name", ["typo", "chained", "thread", "verbose"])
def test_a_notebook_shows_a_box_and_one_red_line(outputs, name) -> None:
    box, error = (o for o in outputs[name] if o.output_type != "stream")
    assert error.output_type == "error"
    assert len(error.traceback) == 1
    assert "\n" not in error.traceback[0]
    html = box.data["text/html"]
    assert Tags(html).tags == ["div", "strong", "br", "details", "summary", "pre"]
    shown, _, folded = html.partition("<details")
    assert unescape(shown.rpartition("<br>")[2]).strip() in error.evalue  # the next step
    assert "Traceback" in folded
    assert "Traceback" not in shown
    assert "interactiveshell.py" not in html


def test_the_folded_traceback_is_the_whole_one(outputs) -> None:
    assert "ZeroDivisionError" in outputs["chained"][0].data["text/html"]
    assert "rfhosted.predict(" in outputs["typo"][0].data["text/html"]


def test_no_key_is_in_the_box(outputs) -> None:
    *_, box, error = outputs["verbose"]
    assert error.ename == "UnreachableError"
    assert CANARY not in str((box, error))


def test_the_errors_of_python_stay_its_own(outputs) -> None:
    (error,) = outputs["argument"]
    assert error.ename == "ValueError"
    assert len(error.traceback) > 1
    assert outputs["fine"][0].data["text/plain"] == "1"  # the kernel works on


def test_a_terminal_shows_a_plain_traceback() -> None:
    code = f"%xmode Verbose\nimport rfhosted\nkey = '{CANARY}'\nrfhosted.Client(key).predict('no_such_file.jpg')"
    run = subprocess.run(
        [sys.executable, "-m", "IPython", "--quick", "--no-banner", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    printed = run.stdout + run.stderr
    assert "Traceback (most recent call last)" in printed
    assert "ImageError" in printed
    assert "<div" not in printed
    assert CANARY not in printed


@pytest.mark.parametrize(
    "code",
    [
        f"Client('{CANARY}')",
        "Client( api_key = 'not like a key')",
        f'replace(api_key=b"{CANARY}")',
        f"ask('{CANARY}')",
        f"predict('http://a/b.jpg?api_key={CANARY}&x=1')",
    ],
)
def test_a_key_in_a_line_of_code_is_hidden(code) -> None:
    hidden = errors._without_keys(code)
    assert CANARY not in hidden
    assert "not like a key" not in hidden
    assert "…" in hidden


def test_other_text_in_a_line_of_code_stays() -> None:
    code = "predict('photos/IMG_20240101_1234.jpg', 'my-project/3', task='instance-segmentation')"
    assert errors._without_keys(code) == code
