"""The whole panel, and ``explore``, which shows it."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.core.getipython import get_ipython
from IPython.display import display

from rfhosted.default import default_client
from rfhosted.endpoints.call import Call
from rfhosted.explorer import fragments
from rfhosted.explorer.display_form import DisplayForm
from rfhosted.explorer.image_area import ImageArea
from rfhosted.explorer.page_script import page_script
from rfhosted.explorer.prompt_form import PromptForm
from rfhosted.explorer.request_form import ImagePicker, RequestForm
from rfhosted.explorer.result_tabs import Results
from rfhosted.explorer.settings import Event
from rfhosted.explorer.state import ExplorerState
from rfhosted.explorer.widgets import STYLE, unfold
from rfhosted.images import samples

if TYPE_CHECKING:
    from rfhosted.client import Client
    from rfhosted.images.sources import ImageLike
    from rfhosted.prediction import Prediction

_WITHOUT_KERNEL = "Run this cell again to use the panel."
#: Below the copy, JupyterLab and Notebook 7 show a remark where the kernel has ended, or a panel as
#: it was saved, without its image: neither is shown, and the copy is.
_COPY_STYLE = """
.jp-OutputArea-child:has(.{name}) + .jp-OutputArea-child:not(:has(.rfhosted-panel)),
.jp-OutputArea-child:has(.{name}) + .jp-OutputArea-child:has(.rfhosted-view[data-state=empty])
  {{display: none}}
.jp-OutputArea-child:has(+ .jp-OutputArea-child .rfhosted-view[data-state=empty]) .{name}
  {{display: block}}
"""
#: Seconds without a change after which the copy in a saved notebook is updated.
_QUIET = 0.6


class Panel:
    """The widgets of one explorer: a thin view of its state.

    Args:
        state: What is shown.
    """

    def __init__(self, state: ExplorerState) -> None:
        self._state = state
        self._refreshing = threading.RLock()
        self.picker, self.request = ImagePicker(state), RequestForm(state)
        self.image, self.display = ImageArea(state), DisplayForm(state)
        self.prompt = PromptForm(state, self.image)
        self.request.place.children = (self.prompt.widget,)
        self.results = results = Results(state, self.image.view)
        self.image.follow(self.display.confidence_slider)
        # The image comes first where there is no room for two columns.
        below = widgets.VBox([self.image.caption, results.status])
        below.add_class("rfhosted-below")
        view = widgets.VBox(
            [self.image.widget, below],
            layout={"flex": "1000 1 400px", "min_width": "0"},
        )
        controls = widgets.VBox(
            [self.request.widget, self.display.widget],
            layout={"flex": "1 1 330px", "min_width": "0"},
        )
        columns = {"display": "flex", "flex_flow": "row wrap", "width": "100%"}
        folded = widgets.Box(
            [self.request.more, self.display.more, self.picker.more], layout={"display": "none"}
        )
        self.more = widgets.ToggleButton(
            description="More settings",
            tooltip="API key, model ID, upload, overlap, layers, line width",
            layout={"width": "auto"},
        )
        self.more.observe(lambda change: unfold(change["new"], folded), "value")
        self.style = widgets.HTML(STYLE, layout={"display": "none"})
        ended = widgets.HTML(fragments.warning(f"The kernel was restarted. {_WITHOUT_KERNEL}"))
        ended.add_class("rfhosted-ended")
        parts = [
            self.style,
            ended,
            self.picker.widget,
            widgets.Box([view, controls], layout=columns),
            self.more,
            folded,
            results.tabs,
        ]
        self.script = page_script(state)
        self.widget = widgets.VBox(parts + ([self.script] if self.script else []))
        self.widget.add_class("rfhosted-panel")
        state.observe(self.refresh)
        for event in (Event.IMAGE, Event.RESPONSE):
            self.refresh(event)

    def refresh(self, event: Event) -> None:
        """Show what changed, one change at a time, on the thread that made it.

        Raises:
            RuntimeError: A part cannot be shown, which is a bug; the other parts are.
        """
        failed: Exception | None = None
        with self._refreshing:
            # The image before what speaks of it, and before the slider that it follows.
            for group in (
                self.image,
                self.picker,
                self.request,
                self.prompt,
                self.display,
                self.results,
            ):
                try:
                    group.refresh(event)
                except Exception as error:  # noqa: BLE001 - shown in the panel and raised, below
                    failed = error
        if failed:
            problem = RuntimeError(f"The panel cannot show this: {failed!r}.")
            if event is not Event.ACTIVITY:
                self._state.fail(problem)
            raise problem from failed


class Explorer:
    """A panel to explore models with; as the last line of a cell it is displayed.

    Attributes:
        state: The settings and the results, see ``ExplorerState``; usable without the panel.
    """

    def __init__(self, state: ExplorerState) -> None:
        self.state = state
        self._panel: Panel | None = None
        self._copies: list[Any] = []
        self._timer: threading.Timer | None = None
        self._name = f"rfhosted-copy-{secrets.token_hex(4)}"
        state.observe(self._changed)

    @property
    def result(self) -> Prediction | None:
        """The last prediction as the panel shows it, or None."""
        return self.state.result

    def run(self) -> Prediction | None:
        """Press Run from code, and wait for the result.

        Raises:
            HostedError: The error that the panel shows as well.
        """
        self.state.run()
        self.state.wait()
        self.save_copy()
        if self.state.problem:
            raise self.state.problem
        return self.result

    @property
    def panel(self) -> Panel:
        """The widgets, made when they are first used."""
        if self._panel is None:
            self._panel = Panel(self.state)
            # The copy for readers without a kernel is hidden while the panel works.
            self._panel.style.value += f"<style>.{self._name} {{display: none}}</style>"
        return self._panel

    def __repr__(self) -> str:
        summary = self.result.summary() if self.result else "no result yet"
        return (
            f"Explorer ({summary}): the panel works in JupyterLab, Notebook 7, VS Code, Colab and"
            " Voilà; elsewhere use .run() and .result."
        )

    def _ipython_display_(self) -> None:
        if not hasattr(get_ipython(), "kernel"):
            print(repr(self))  # noqa: T201 - what a terminal shows of an object
            return
        # Widgets end with their kernel: a saved notebook shows the copy before the panel instead.
        show: Any = display  # IPython's is untyped
        self._copies.append(show({"text/html": self._copy()}, raw=True, display_id=True))
        bundle = self.panel.widget._repr_mimebundle_()
        show(bundle | {"text/plain": ""}, raw=True)  # where there are no widgets, the copy says so
        if self.state.auto and self.state.response is None:
            self.state.run()  # the panel opens with a result, where that is free

    def _copy(self) -> str:
        shown = ""
        if self.result:
            shown = fragments.copy(self.result, self.state.response_display)
        return (
            f'<div class="{self._name}">{shown}{fragments.small(_WITHOUT_KERNEL)}</div>'
            f"<style>{_COPY_STYLE.format(name=self._name)}</style>"
        )

    def _changed(self, event: Event) -> None:
        if event not in (Event.RESPONSE, Event.DISPLAY) or not self._copies:
            return
        if self._timer:
            self._timer.cancel()
        self._timer = threading.Timer(_QUIET, self.save_copy)
        self._timer.daemon = True
        self._timer.start()

    def save_copy(self) -> None:
        """Update the image that a saved notebook shows; happens by itself after a pause."""
        for copy in self._copies:
            copy.update({"text/html": self._copy()}, raw=True)


def explore(
    image: ImageLike | None = None, model: str | None = None, *, client: Client | None = None
) -> Explorer:
    """A panel to choose task, API version and image size, and to see at once what changes.

    With the local models the panel opens with a result, and every change runs at once. A hosted
    request, which spends credits, is sent only when Run is pressed.

    Args:
        image: Path, URL, bytes, PIL image, RGB array or what else ``predict`` takes; None for a
            sample photo.
        model: "project/3" or a public name ("rfdetr-nano"); None for the default of the task.
        client: The client to use; None for the one of ``rfhosted.predict``.

    Raises:
        ModelNotFoundError: There is no such model.
        ImageError: The image cannot be read.

    Example:
        >>> explorer = rfhosted.explore("dog.jpg", "rfdetr-nano")
        >>> explorer  # the last line of a cell: the panel
    """
    state = ExplorerState(client or default_client())
    auto, state.auto = state.auto, False  # nothing is sent before there is a panel
    if model is not None:
        task = state.client.route(Call(model)).task
        state.change(model=model, **({"task": task} if task else {}))
    if image is None:
        state.choose_sample(samples.DEFAULT)
    else:
        state.choose(image)
    state.wait()
    state.auto = auto
    if state.problem and state.source is None:
        raise state.problem
    return Explorer(state)
