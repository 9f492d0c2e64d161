"""Results, an error and the panel in Notebook 7."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.conftest import OPEN, server, write_notebook
from browser.looking import all_at_one_glance, look_into

#: What is run before the kernel is connected is lost.
KERNEL_IS_READY = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
}"""
CELLS = [
    "import rfhosted\nrfhosted.predict(rfhosted.sample('cat'))",
    "rfhosted.explore()",
    "rfhosted.predict('no_such_file.jpg')",
]


def test_results_the_panel_and_an_error(open_page, run_axe, tmp_path):
    path = tmp_path / "notebook.ipynb"
    write_notebook(CELLS, path)
    options = ["--allow-root", *OPEN, f"--ServerApp.root_dir={tmp_path}", "--expose-app-in-browser"]
    with server(tmp_path, "notebook", *options) as url:
        notebook = open_page(f"{url}/notebooks/{path.name}", path)
        notebook.page.locator(".jp-CodeCell").nth(2).wait_for()
        notebook.page.evaluate(KERNEL_IS_READY)
        notebook.page.get_by_role("menuitem", name="Run", exact=True).click()
        notebook.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        alert = notebook.output(2).get_by_role("alert")
        expect(alert).to_contain_text("no_such_file.jpg", timeout=60_000)
        expect(alert.get_by_text("Traceback (most recent call last)")).not_to_be_visible()
        alert.get_by_text("ImageError: traceback").click()
        expect(alert.get_by_text("Traceback (most recent call last)")).to_be_visible()
        cat = notebook.output(0).get_by_role("img")
        assert cat.evaluate("image => image.complete && image.naturalWidth > 100")
        panel = notebook.page.locator(".rfhosted-panel")
        panel.get_by_role("button", name="Run", exact=True).click()
        result = panel.get_by_role("img", name="Image with the result of object-detection")
        expect(result).to_be_visible(timeout=60_000)
        main = notebook.page.locator("#main-panel").bounding_box()
        all_at_one_glance(panel, main["y"], main["y"] + main["height"])
        look_into(panel)
        notebook.screenshot("notebook7")
        assert run_axe(notebook.page, ".jp-OutputArea-output") == []
        assert notebook.outside == []
