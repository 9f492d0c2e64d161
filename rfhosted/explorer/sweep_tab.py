"""The tab that sends one image at several sizes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import ipywidgets as widgets

from rfhosted.display import html
from rfhosted.explorer import fragments
from rfhosted.explorer.widgets import WRAPPED, Controls, button, set_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfhosted.comparison.sweep_result import Step
    from rfhosted.explorer.settings import Swept
    from rfhosted.explorer.state import ExplorerState


class SweepTab(Controls):
    """The sweep, what changed since then, and a comparison of two of its sizes at one click.

    Args:
        state: What is shown.
        on_compare: Called after a pair of sizes was chosen, to show the comparison.
    """

    def __init__(self, state: ExplorerState, on_compare: Callable[[], None]) -> None:
        super().__init__(state)
        self._on_compare = on_compare
        self.start = button(
            state, "Sweep the image size", "Send the image at four sizes", state.run_sweep
        )
        self.note, self.stale, self.page = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.sizes = widgets.HBox(layout=WRAPPED)
        self._swept: Swept | None = None
        self._shown = ""  # the sweep as HTML: its plot is drawn once
        self.widget = widgets.VBox(
            [widgets.HBox([self.start]), self.note, self.stale, self.sizes, self.page]
        )

    def refresh_buttons(self) -> None:
        """What can be done now, and what it sends."""
        state = self.state
        idle = not state.busy and state.source is not None
        self.start.disabled = not idle or bool(state.why_not() or state.prompt)
        billable = " Each request spends credits." if state.spends_credits else ""
        note = f"A sweep sends up to five requests.{billable}"
        if state.prompt:
            note = "Sweeps are for the tasks of predict, not for prompted models."
        set_value(self.note, fragments.small(note))
        for each in self.sizes.children:
            # Of another image, a result would take the place of the chosen one.
            each.disabled = state.busy or "image" in state.sweep_changes

    def refresh_page(self, *, shown: bool) -> None:
        """Show the sweep, where the tab is open."""
        state = self.state
        if state.swept is not self._swept:
            self._swept = state.swept
            self._shown = state.swept.sweep._repr_html_() if state.swept else ""
            self._refresh_sizes()
        changes = state.sweep_changes
        set_value(self.stale, fragments.stale(changes, state.why_not()) if shown else "")
        dimmed = ' class="rfhosted-stale"' if changes else ""
        page = html.scrolling(f"<div{dimmed}>{self._shown}</div>", "Sweep") if self._shown else ""
        set_value(self.page, page if shown else "")

    def _refresh_sizes(self) -> None:
        steps = self._swept.steps if self._swept else []
        self.sizes.children = [
            button(
                self.state,
                f"Compare {step.name} with {steps[-1].name}",
                "Show the differences of these two results; nothing is sent",
                partial(self._compare, step),
            )
            for step in steps[:-1]
        ]

    def _compare(self, step: Step) -> None:
        self.state.compare_sizes(step)
        self._on_compare()
