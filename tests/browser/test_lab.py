"""What the library puts out, in JupyterLab, in a real browser."""

from __future__ import annotations

import pytest

CELLS = [
    "import rfhosted\nrfhosted.predict(rfhosted.sample('cat'))",
    """
p = rfhosted.predict(rfhosted.sample('astronaut'), image_size=128)
q = rfhosted.predict(rfhosted.sample('astronaut'), api_version='v1')
rfhosted.compare(p, q)
""".strip(),
    "rfhosted.sweep(rfhosted.sample('camera'), task='keypoint-detection', image_sizes=(128, 'original'))",
]


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 800)])
def test_results_show_themselves(open_notebook, run_axe, theme, width):
    notebook = open_notebook(CELLS, theme=theme, width=width)
    pictures = [notebook.output(number).get_by_role("img") for number in range(3)]
    assert [images.count() for images in pictures] == [1, 3, 1]
    assert pictures[0].get_attribute("alt").startswith("Image with the result of object-det")
    descriptions = [image.get_attribute("alt") for image in pictures[1].all()]
    assert all(len(description) > 20 for description in descriptions), descriptions
    assert len(set(descriptions)) == 3
    assert pictures[2].get_attribute("alt").startswith("Plot: ")
    for image in (*pictures[0].all(), *pictures[1].all(), *pictures[2].all()):
        image.scroll_into_view_if_needed()
        assert image.evaluate("image => image.complete && image.naturalWidth > 100")
        assert image.bounding_box()["width"] > 100
    for number, output in enumerate(pictures):
        output.first.scroll_into_view_if_needed()
        notebook.screenshot(f"results-{theme}-{width}-{number}")
    overflow = "output => output.scrollWidth > output.clientWidth + 1"
    for number in range(3):
        assert not notebook.output(number).first.evaluate(overflow)
    assert run_axe(notebook.page) == []
    assert notebook.complaints == []
    assert notebook.outside == []


def test_a_saved_notebook_still_shows_the_results(open_notebook):
    notebook = open_notebook(CELLS)
    notebook.command("docmanager:save")
    saved = notebook.path.read_text("utf-8")
    assert len(saved) < 400_000
    notebook.page.evaluate("window.jupyterapp.serviceManager.sessions.shutdownAll()")
    notebook.open()
    for number, count in enumerate([1, 3, 1]):
        images = notebook.output(number).get_by_role("img")
        images.first.wait_for()
        assert images.count() == count
        assert images.first.evaluate("image => image.naturalWidth") > 100
        assert len(images.first.get_attribute("alt")) > len("Image")  # what Lab would say
    assert notebook.complaints == []


def test_the_tests_notice_what_is_wrong(open_notebook, run_axe):
    unnamed = "<input><img alt='x' src='http://outside.invalid/x.png'>"
    notebook = open_notebook(["1", f'from IPython.display import HTML\nHTML("{unnamed}")'])
    notebook.page.evaluate("console.error('noticed')")
    (violation,) = run_axe(notebook.page)
    assert violation.startswith("label (critical): <input")
    assert set(notebook.outside) == {"http://outside.invalid/x.png"}
    assert "noticed" in notebook.complaints
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        open_notebook(["1 / 0"])


def test_kernels_reach_no_other_machine(open_notebook):
    ask = """
import rfhosted
try:
    rfhosted.Client("no-key", retries=0).predict(rfhosted.sample("cat"), "rfdetr-nano")
except rfhosted.UnreachableError as error:
    print(type(error).__name__)
"""
    assert open_notebook([ask]).output(0).inner_text().strip() == "UnreachableError"
