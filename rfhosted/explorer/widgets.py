"""Building blocks of the panel's controls: stock ipywidgets, each with a label and a tooltip.

Sliders of ipywidgets have no accessible name. So each slider is only a second way, for pointers, to
set a number field: its handle is hidden from the keyboard and from screen readers, but drawn.
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

#: A row that wraps. A dictionary, so that each widget has a layout of its own.
WRAPPED = {"flex_flow": "row wrap"}

STYLE = """<style>
.rfhosted-pointer .noUi-handle {visibility: hidden}
.rfhosted-pointer .noUi-origin::before {content: ""; position: absolute; right: -8px; top: -7px;
  width: 16px; height: 16px; border-radius: 50%; background: #0072B2; border: 2px solid #fff;
  box-sizing: border-box; box-shadow: 0 0 2px #000; pointer-events: none}
.rfhosted-pointer .noUi-target {cursor: pointer}
.rfhosted-ended {display: none}
.rfhosted-panel.jupyter-widgets-disconnected .rfhosted-ended {display: block}
.rfhosted-panel.jupyter-widgets-disconnected::before,
.rfhosted-panel .jupyter-widgets-disconnected::before {content: none !important}
.rfhosted-panel .widget-html-content {line-height: 1.35}
.rfhosted-panel .widget-tab-contents {overflow: visible}
.rfhosted-panel .lm-TabBar-tab {color: var(--jp-ui-font-color1) !important}
.rfhosted-panel .lm-TabBar-tab {flex: 1 1 auto !important; min-width: 0 !important;
  padding: 0 6px !important}
.rfhosted-panel table {border-collapse: collapse}
.rfhosted-panel {--rfhosted-height: clamp(360px, min(100vh - 388px, 60vw), 640px)}
.rfhosted-panel .rfhosted img {display: block}
.rfhosted-panel .rfhosted-view {height: var(--rfhosted-height) !important}
.rfhosted-still img {width: 100% !important; height: var(--rfhosted-height) !important;
  object-fit: contain; background: rgba(128, 128, 128, 0.12); display: block}
.rfhosted-below {height: 114px}
.rfhosted-below > *, .rfhosted-below .widget-html-content {display: flex !important;
  flex-direction: column; min-height: 0; height: auto; margin: 0; flex: 0 1 auto}
.rfhosted-below > .rfhosted-caption {flex: 1 1 0}
.rfhosted-caption [role=region] {overflow-y: auto; padding-top: 4px}
.rfhosted-below [role=status] {overflow-y: auto; max-height: 88px}
.rfhosted-plan {height: 92px; overflow-y: auto}
.rfhosted-panel .widget-radio-box {display: flex; flex-direction: row; flex-wrap: wrap}
.rfhosted-panel .widget-radio-box label {width: auto; margin-right: 10px}
.rfhosted-samples .widget-toggle-buttons {width: auto}
.rfhosted-samples .jupyter-button {width: 72px; height: 52px; padding: 34px 0 0; line-height: 16px;
  font-size: 10px; background-size: cover; background-position: center; color: #fff;
  text-shadow: 0 0 3px #000, 0 0 3px #000, 0 0 2px #000}
.rfhosted-samples .jupyter-button.mod-active {outline: 3px solid #0072B2; outline-offset: -3px}
.rfhosted-compared {position: relative; overflow: hidden; width: fit-content; max-width: 100%;
  line-height: 0}
.rfhosted-lit {position: absolute; border: 3px solid #fff; outline: 2px solid #000;
  margin: -4px; padding: 1px; box-shadow: 0 0 0 4000px rgba(0, 0, 0, 0.5)}
.rfhosted-stale table {opacity: 0.75}
.rfhosted-stale img {opacity: 0.35; filter: grayscale(1)}
.rfhosted-list {flex-direction: column; height: auto !important}
.rfhosted-list .widget-label {text-align: left}
.rfhosted-list select {width: 100%}
.rfhosted-copy {float: right; display: none; margin: 10px 6px 0 0; position: relative}
.rfhosted-drop {outline: 3px dashed #0072B2; outline-offset: -3px}
.rfhosted-scripted {display: none}
.rfhosted-live .rfhosted-copy, .rfhosted-live .rfhosted-scripted {display: block}
</style>"""


class Controls:
    """A group of widgets that shows the state and changes it."""

    def __init__(self, state: ExplorerState) -> None:
        self.state = state
        self._setting = threading.local()

    def on(self, widget: Any, handler: Callable[[Any], object], name: str = "value") -> None:
        """Call ``handler`` with the value of a widget when the user changes it."""
        guarded = guard(self.state, handler)

        def changed(change: Any) -> None:
            if not getattr(self._setting, "now", False):
                guarded(change["new"])

        widget.observe(changed, names=name)

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Set widgets from code, on this thread, without calling their handlers."""
        self._setting.now = True
        try:
            yield
        finally:
            self._setting.now = False


def guard(state: ExplorerState, handler: Callable[..., object]) -> Callable[..., None]:
    """A callback whose errors the panel shows, as front ends show none; bugs are raised as well."""

    def call(*args: Any) -> None:
        try:
            handler(*args)
        except EXPECTED as error:
            state.fail(error.with_traceback(None))  # its frames may hold what the user typed
        except Exception as error:
            state.fail(error)
            raise

    return call


def control(
    kind: Callable[..., Any], label: str, tooltip: str, width: str = "98%", **options: Any
) -> Any:
    """A widget with a label, a tooltip and a width."""
    return kind(
        description=label,
        tooltip=tooltip,
        style={"description_width": "initial"},
        layout={"width": width},
        **options,
    )


def text_field(label: str, example: str, tooltip: str, kind: Any = widgets.Text) -> Any:
    """A text field that takes its text on Enter."""
    return control(kind, label, tooltip, placeholder=example, continuous_update=False)


def checkbox(label: str, tooltip: str) -> Any:
    """A checkbox as wide as its label."""
    return control(widgets.Checkbox, label, tooltip, "auto", indent=False)


def fraction(label: str, tooltip: str) -> Any:
    """A number field for a fraction in [0, 1]."""
    return control(widgets.BoundedFloatText, label, tooltip, "150px", min=0.0, max=1.0, step=0.01)


def button(state: ExplorerState, label: str, tooltip: str, handler: Callable[[], object]) -> Any:
    """A button that calls ``handler`` under the guard."""
    made = widgets.Button(description=label, tooltip=tooltip, layout={"width": "auto"})
    made.on_click(guard(state, lambda _: handler()))
    return made


def with_slider(number: Any) -> Any:
    """A number field with a slider beside it."""
    slider = widgets.FloatSlider(
        value=number.value,
        min=number.min,
        max=number.max,
        step=number.step,
        readout=False,
        behavior="snap",
        tooltip=number.tooltip,
        layout={"flex": "1 1 100px", "width": "auto", "min_width": "80px"},
    )
    slider.add_class("rfhosted-pointer")
    widgets.link((slider, "value"), (number, "value"))
    return widgets.HBox([number, slider])


def column(*parts: Any) -> Any:
    """Widgets and pieces of HTML below each other, in a column of the folded settings."""
    made = [widgets.HTML(part) if isinstance(part, str) else part for part in parts]
    return widgets.VBox(made, layout={"flex": "1 1 260px", "min_width": "0"})


def set_options(widget: Any, options: list[tuple[str, Any]], value: Any) -> None:
    """Give a selection these options, as (label, value), and choose one."""
    if list(widget.options) != options:
        widget.options = options
    widget.value = value


def set_value(widget: Any, value: Any) -> None:
    """Set a value; an equal one is not sent to the front end again."""
    if widget.value != value:
        widget.value = value


def unfold(shown: bool, box: Any) -> None:
    """Show or hide a box whose parts stand beside each other."""
    box.layout.display = "flex" if shown else "none"
    box.layout.flex_flow = "row wrap"


def show_when(shown: bool, widget: Any) -> None:
    """Show or hide a widget."""
    widget.layout.display = None if shown else "none"
