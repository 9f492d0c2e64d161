"""The panel put together, and ``explore``, which shows it."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display

from rfhosted.client import default_client
from rfhosted.endpoints.call import Call
from rfhosted.explorer import fragments
from rfhosted.explorer.display_form import ViewControls
from rfhosted.explorer.request_form import ImagePicker, QuestionControls
from rfhosted.explorer.result_tabs import Results
from rfhosted.explorer.state import ExplorerState
from rfhosted.explorer.widgets import STYLE

if TYPE_CHECKING:
    from rfhosted.client import Client
    from rfhosted.images.sources import ImageLike
    from rfhosted.prediction import Prediction

#: What a person without a picture of their own starts with.
_FIRST_SAMPLE = "astronaut"
#: Seconds without a change after which the copy that a saved notebook keeps is brought up to date.
_QUIET = 0.6
_PICTURE_EVENTS = ("answer", "view")


class Panel:
    """The widgets of one explorer: a thin view of its state.

    Args:
        state: What is shown.
    """

    def __init__(self, state: ExplorerState) -> None:
        self._state = state
        self._drawing = threading.RLock()
        self.picker, self.question = ImagePicker(state), QuestionControls(state)
        self.view, self.results = ViewControls(state), Results(state)
        self._groups = (self.picker, self.question, self.view, self.results)
        left = widgets.VBox(
            [self.picker.widget, self.question.widget],
            layout=widgets.Layout(flex="1 1 230px", max_width="340px", min_width="0"),
        )
        right = widgets.VBox(
            [
                self.results.status,
                self.results.source_image,
                self.view.widget,
                self.results.tabs,
            ],
            layout=widgets.Layout(flex="3 1 320px", min_width="0"),
        )
        self.style = widgets.HTML(STYLE, layout=widgets.Layout(display="none"))
        self.widget = widgets.VBox(
            [
                self.style,
                widgets.Box(
                    [left, right],
                    layout=widgets.Layout(display="flex", flex_flow="row wrap", width="100%"),
                ),
            ]
        )
        self.widget.add_class("rfhosted-panel")
        state.observe(self.refresh)
        for event in ("image", "answer"):
            self.refresh(event)

    def refresh(self, event: str) -> None:
        """Show what changed, one change at a time, on whichever thread it comes.

        Raises:
            RuntimeError: A part cannot be shown, which is a defect; the others are.
        """
        failed: Exception | None = None
        with self._drawing:
            for group in self._groups:
                try:
                    group.refresh(event)
                except Exception as error:  # noqa: BLE001 - told below, in the panel and by raising
                    failed = error
        if failed:
            problem = RuntimeError(f"The panel cannot show this: {failed!r}.")
            if event != "activity":
                self._state.fail(problem)
            raise problem from failed


class Explorer:
    """A panel to explore models with; as the last line of a cell it shows itself.

    Attributes:
        state: The settings and what came of them, see ``ExplorerState``; works without a panel.
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
            HostedError: What the panel shows as well.
        """
        self.state.run()
        self.state.wait()
        self.save_picture()
        if self.state.problem:
            raise self.state.problem
        return self.result

    @property
    def panel(self) -> Panel:
        """The widgets, made when they are first wanted."""
        if self._panel is None:
            self._panel = Panel(self.state)
            # Where the panel lives, the copy for readers without a kernel is not shown.
            self._panel.style.value += f"<style>.{self._name} {{display: none}}</style>"
        return self._panel

    def __repr__(self) -> str:
        found = self.result.summary() if self.result else "no result yet"
        return f"Explorer({self.state!r}: {found})"

    def _ipython_display_(self) -> None:
        # A widget is gone with its kernel: the copy before it is what a saved notebook shows.
        show: Any = display  # IPython's is untyped
        self._copies.append(show({"text/html": self._copy()}, raw=True, display_id=True))
        show(self.panel.widget)

    def _copy(self) -> str:
        result = self.result
        shown = (
            fragments.picture(result, self.state.answer_view, fragments.COPY_BYTES)
            if result
            else ""
        )
        return f'<div class="{self._name}">{shown}</div>'

    def _changed(self, event: str) -> None:
        if event not in _PICTURE_EVENTS or not self._copies:
            return
        if self._timer:
            self._timer.cancel()
        self._timer = threading.Timer(_QUIET, self.save_picture)
        self._timer.daemon = True
        self._timer.start()

    def save_picture(self) -> None:
        """Bring the copy that a saved notebook keeps up to date; done by itself after a pause."""
        for copy in self._copies:
            copy.update({"text/html": self._copy()}, raw=True)


def explore(
    image: ImageLike | None = None, model: str | None = None, *, client: Client | None = None
) -> Explorer:
    """A panel to pick task type, API version and image size, and see at once what changes.

    Nothing is sent before Run is pressed, but by the models of this machine when a setting changes.

    Args:
        image: As ``Client.predict`` takes it; None for a sample.
        model: As ``Client.predict`` takes it; None for a good default.
        client: Who asks; None for the one of ``rfhosted.predict``.

    Raises:
        ModelNotFoundError: There is no such model.
        ImageError: Not an image.
    """
    state = ExplorerState(client or default_client())
    auto, state.auto = state.auto, False  # nothing is asked before the panel is there
    if model is not None:
        route = state.client.route(Call(model))
        state.ask(model=model, **({"task": route.task} if route.task else {}))
    if image is None:
        state.choose_sample(_FIRST_SAMPLE)
    else:
        state.choose(image)
    state.wait()
    state.auto = auto
    if isinstance(state.problem, Exception) and state.source is None:
        raise state.problem
    return Explorer(state)
