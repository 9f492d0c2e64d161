"""JupyterLab in a real browser: started here, driven by Playwright, with no way to the internet."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "browser"
#: Seconds for Lab to start, and for all cells of a notebook: the models load in between.
PATIENCE = 90
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_SWITCHES = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--no-first-run"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing leaves this machine
)
#: Options of a Jupyter server without a password, for browsers on the same machine.
OPEN = (
    *("--ip=127.0.0.1", "--ServerApp.port_retries=0"),
    *("--IdentityProvider.token=", "--ServerApp.password="),
)
_OUTPUT = ".jp-OutputArea-output"
_ERROR = '[data-mime-type="application/vnd.jupyter.error"], [data-mime-type$="stderr"]'
#: Commands wait for the kernel by themselves; a key pressed before it is connected is lost.
_RUN_ALL = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  window.jupyterapp.shell.collapseLeft();
  window.jupyterapp.shell.collapseRight();
  await window.jupyterapp.commands.execute('notebook:run-all-cells');
}"""

_ASK_KERNEL = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({code, store_history: false});
  let printed = '';
  future.onIOPub = message => {
    const {text, ename, evalue} = message.content;
    printed += text || (ename ? `${ename}: ${evalue}` : '');
  };
  await future.done;
  return printed;
}"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


def cannot_run(reason: str) -> None:
    """Skip where a person may lack a browser; fail where CI must have one."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and CI is set: browser tests must run here")
    pytest.skip(reason)


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    url: str
    root: Path
    settings: Path

    def set(self, plugin: str, **values: object) -> None:
        """Set a plugin's settings, read when a page is loaded."""
        package, name = plugin.split(":")
        folder = self.settings / package
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.jupyterlab-settings").write_text(json.dumps(values))


@dataclass
class Notebook:
    """A notebook in a page of its own, with what was noticed while it was open."""

    lab: Lab
    page: Page
    path: Path
    #: Console errors and uncaught exceptions of the page.
    complaints: list[str] = field(default_factory=list)
    #: Addresses of requests that went elsewhere than to this machine.
    outside: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._on_request)
        self.page.on("websocket", self._on_request)

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _on_request(self, request: Any) -> None:
        inside = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
        if not request.url.startswith(inside):
            self.outside.append(request.url)

    def cell(self, number: int) -> Locator:
        """The code cell of a number, from 0."""
        return self.page.locator(".jp-CodeCell").nth(number)

    def output(self, number: int) -> Locator:
        """What the code cell of a number, from 0, put out."""
        return self.cell(number).locator(_OUTPUT)

    def run_all(self) -> None:
        """Run every cell and wait for all; an error or a word on stderr is a failed test."""
        self.page.evaluate(_RUN_ALL)
        failed = self.page.locator(_ERROR)
        assert failed.count() == 0, failed.first.inner_text()
        prompts = self.page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
        assert prompts
        assert all(prompt.strip("[]: ").isdigit() for prompt in prompts), prompts

    def ask_kernel(self, code: str) -> str:
        """What code prints in the notebook's kernel, for what a page cannot tell."""
        return self.page.evaluate(_ASK_KERNEL, code).strip()

    def save(self) -> str:
        """Save the notebook; its file's text."""
        self.command("docmanager:save")
        return self.path.read_text()

    def command(self, name: str) -> None:
        """Carry out one of JupyterLab's commands, such as ``docmanager:save``, and wait for it."""
        execute = "name => window.jupyterapp.commands.execute(name).then(() => null)"
        self.page.evaluate(execute, name)

    def open(self) -> None:
        """Open the file, or open it again as it was saved; no cell is run."""
        folder = self.path.parent.name
        self.page.goto(f"{self.lab.url}/lab/tree/{folder}/{self.path.name}?reset")
        self.page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()

    def screenshot(self, name: str) -> Path:
        """A picture of the whole page for people to look at, in ``artifacts/browser``."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A JupyterLab that knows no key and nothing of the person who runs the tests."""
    home = tmp_path_factory.mktemp("lab")
    root, settings = home / "notebooks", home / "settings"
    root.mkdir()
    options = [
        *("--allow-root", *OPEN, f"--ServerApp.root_dir={root}", "--expose-app-in-browser"),
        *("--LabApp.news_url=None",),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with server(home, "jupyterlab", *options) as url:
        yield Lab(url, root, settings)


@contextlib.contextmanager
def server(home: Path, module: str, *options: str) -> Iterator[str]:
    """A server of notebooks that knows nothing of the person who runs the tests; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", module, "--no-browser", f"--port={port}", *options]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=_environment(home), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process, home / "log")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    kept.pop("ROBOFLOW_API_KEY", None)
    # A kernel that asks anybody but this machine is refused by a proxy that is not there.
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    places = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "IPYTHONDIR": home / "ipython",
    }
    return kept | nowhere | {"NO_PROXY": "127.0.0.1"} | {k: str(v) for k, v in places.items()}


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with direct.open(f"{url}/api/status", timeout=5):
                return
        except urllib.error.HTTPError:  # Voilà has no such page, but it is there
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"The server did not start:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def browser():
    """Chromium, for one module: as long as Playwright runs, no other test may run an event loop."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        cannot_run("playwright is not installed")
    chromium = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if chromium is None:
        cannot_run("there is no Chromium here (apt-get install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(_SWITCHES))
        yield started
        started.close()


@pytest.fixture
def open_notebook(browser: Browser, lab: Lab, tmp_path_factory):
    """Write a notebook of code cells into a new folder, open it in Lab and run all of it.

    ``open_notebook(cells, theme="light", width=1400, run=True) -> Notebook``
    """
    contexts = []

    def opened(
        cells: list[str],
        theme: str = "light",
        width: int = 1400,
        height: int = 1000,
        *,
        run: bool = True,
    ) -> Notebook:
        folder = lab.root / f"n{len(list(lab.root.iterdir()))}"
        folder.mkdir()
        path = folder / "notebook.ipynb"
        write_notebook(cells, path)
        lab.set("@jupyterlab/apputils-extension:themes", theme=f"JupyterLab {theme.title()}")
        lab.set("@jupyterlab/apputils-extension:notification", fetchNews="false")
        # Every output is in the page, also those that are not in view.
        lab.set("@jupyterlab/notebook-extension:tracker", windowingMode="none")
        lab.set("@jupyterlab/docmanager-extension:plugin", autosave=False)
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        notebook = Notebook(lab, page, path)
        notebook.watch()
        notebook.open()
        shown = f"body[data-jp-theme-name='JupyterLab {theme.title()}']"
        page.locator(shown).wait_for(state="attached")
        if run:
            notebook.run_all()
        return notebook

    yield opened
    for context in contexts:
        for page in context.pages:
            with contextlib.suppress(Exception):  # a page that died has no kernel to stop
                page.evaluate("window.jupyterapp.serviceManager.sessions.shutdownAll()")
        context.close()


def write_notebook(cells: list[str], path: Path) -> None:
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = new_notebook(
        cells=[new_code_cell(cell, id=f"cell-{i}") for i, cell in enumerate(cells)],
        metadata={"kernelspec": kernel},
    )
    nbformat.write(notebook, path)


@pytest.fixture
def open_page(browser: Browser):
    """``open_page(url) -> Notebook``: a page of a server other than JupyterLab."""
    contexts = []

    def opened(url: str, path: Path) -> Notebook:
        context = browser.new_context(viewport={"width": 1366, "height": 768})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        notebook = Notebook(Lab(url, path.parent, path.parent), page, path)
        notebook.watch()
        page.goto(url)
        return notebook

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def run_axe():
    """``run_axe(page, selector=...)``: what axe-core finds wrong in the elements of a selector.

    It cannot find a picture without a description: JupyterLab gives those the description "Image".
    """
    from axe_playwright_python.sync_playwright import Axe

    def found(page: Page, selector: str = _OUTPUT) -> list[str]:
        assert page.locator(selector).count() > 0, f"nothing to look at: {selector}"
        response = Axe().run(page, context={"include": [[selector]]}).response
        assert response["passes"], "axe looked at nothing"
        return [
            f"{violation['id']} ({violation['impact']}): {node['html'][:300]}"
            for violation in response["violations"]
            for node in violation["nodes"]
        ]

    return found
