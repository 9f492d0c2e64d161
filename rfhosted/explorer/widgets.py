"""What the panel's controls are made of: stock ipywidgets, each with a name and a tooltip.

Sliders of ipywidgets have no name that assistive technology could read, so that each is a pointer's
second way to a number field: its handle is hidden from keyboard and screen reader, not from eyes.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from rfhosted.explorer.settings import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rfhosted.explorer.state import ExplorerState

WIDE = widgets.Layout(width="98%")
NAMED = {"description_width": "initial"}

STYLE = """<style>
.rfhosted-pointer .noUi-handle {visibility: hidden}
.rfhosted-pointer .noUi-origin::before {content: ""; position: absolute; right: -8px; top: -7px;
  width: 16px; height: 16px; border-radius: 50%; background: #0072B2; border: 2px solid #fff;
  box-sizing: border-box; box-shadow: 0 0 2px #000; pointer-events: none}
.rfhosted-pointer .noUi-target {cursor: pointer}
.rfhosted-panel .widget-html-content {line-height: 1.35}
.rfhosted-panel .widget-tab-contents {overflow: visible}
.rfhosted-panel .lm-TabBar-tab {flex: 1 1 auto !important; min-width: 0 !important;
  padding: 0 6px !important}
.rfhosted-panel table {border-collapse: collapse}
.rfhosted-panel figure img {max-height: 520px; width: auto}
.rfhosted-panel .rfhosted img {display: block}
</style>"""


class Controls:
    """A group of widgets and the state behind them; the base of the groups here."""

    def __init__(self, state: ExplorerState) -> None:
        self.state = state
        self._refreshing = threading.local()

    def on(self, widget: Any, handler: Callable[[Any], object], name: str = "value") -> None:
        """Call ``handler`` with a widget's value when a person changes it."""
        guarded = guard(self.state, handler)

        def changed(change: Any) -> None:
            if not getattr(self._refreshing, "here", False):
                guarded(change["new"])

        widget.observe(changed, names=name)

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Widgets that are set within, on this thread, do not count as a person's doing."""
        self._refreshing.here = True
        try:
            yield
        finally:
            self._refreshing.here = False


def guard(state: ExplorerState, handler: Callable[..., object]) -> Callable[..., None]:
    """A callback whose errors are shown in the panel; what is a defect is raised as well.

    A front end shows nothing of an exception in a callback.

    Args:
        state: Where errors are shown.
        handler: The callback.
    """

    def call(*args: Any) -> None:
        try:
            handler(*args)
        except EXPECTED as error:
            state.fail(error.with_traceback(None))  # whose frames may hold what was typed
        except Exception as error:
            state.fail(error)
            raise

    return call


def button(state: ExplorerState, label: str, tooltip: str, handler: Callable[[], object]) -> Any:
    """A button that calls ``handler`` under the guard."""
    made = widgets.Button(description=label, tooltip=tooltip, layout=widgets.Layout(width="auto"))
    made.on_click(guard(state, lambda _: handler()))
    return made


def with_slider(number: Any) -> Any:
    """A number field, and a slider for pointers beside it that follows it."""
    slider = widgets.FloatSlider(
        value=number.value,
        min=number.min,
        max=number.max,
        step=number.step,
        readout=False,
        behavior="snap",
        tooltip=number.tooltip,
        layout=widgets.Layout(width="160px", min_width="100px"),
    )
    slider.add_class("rfhosted-pointer")
    widgets.link((slider, "value"), (number, "value"))
    return widgets.HBox([number, slider])


def fraction(description: str, tooltip: str) -> Any:
    """A number field for a fraction in [0, 1]."""
    return widgets.BoundedFloatText(
        min=0.0,
        max=1.0,
        step=0.01,
        description=description,
        tooltip=tooltip,
        style=NAMED,
        layout=widgets.Layout(width="210px"),
    )


def dropdown(description: str, options: Any, tooltip: str) -> Any:
    """A choice of one among several."""
    return widgets.Dropdown(
        options=options, description=description, tooltip=tooltip, style=NAMED, layout=WIDE
    )


def set_options(widget: Any, options: list[tuple[str, Any]], value: Any) -> None:
    """Give a selection these options, as (what is read, value), and choose one."""
    if list(widget.options) != options:
        widget.options = options
    widget.value = value


def display_when(shown: bool) -> str | None:
    """A layout's ``display``, so that a widget is there or is not."""
    return None if shown else "none"
