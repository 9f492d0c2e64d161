"""An explorer's panel without a browser, used as a person would use it."""

from __future__ import annotations

import ipywidgets as widgets

from rfhosted.explorer.panel import Panel
from support.explored import explored


def shown(**options):
    made = explored(**options)
    made.panel = Panel(made.state)
    made.events.clear()
    return made


def type_in(widget, value):
    """A value as a front end sends it."""
    widget.set_state({"value": value})


def choose(widget, value):
    """An option of a selection as a front end chooses it: by its place."""
    values = [option[1] if isinstance(option, tuple) else option for option in widget.options]
    widget.set_state({"index": values.index(value)})


def inside(widget):
    """A widget and all below it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from inside(child)


def page(panel):
    """All the HTML that the open tab shows."""
    tabs = panel.results.tabs
    chosen = tabs.children[tabs.selected_index]
    return "".join(w.value for w in inside(chosen) if isinstance(w, widgets.HTML))


def everything(panel):
    """All the HTML that the panel shows."""
    return "".join(w.value for w in inside(panel.widget) if isinstance(w, widgets.HTML))
