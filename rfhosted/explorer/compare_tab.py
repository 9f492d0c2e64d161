"""The tab that compares two results of one image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from rfhosted.explorer import fragments
from rfhosted.explorer.comparison_view import ComparisonView
from rfhosted.explorer.widgets import WRAPPED, Controls, button, set_value
from rfhosted.hosted import ApiVersion

if TYPE_CHECKING:
    from rfhosted.explorer.state import ExplorerState


class CompareTab(Controls):
    """Buttons that make a pair of results, and the view of their comparison."""

    def __init__(self, state: ExplorerState) -> None:
        super().__init__(state)
        self.pin = button(state, "Pin as A", "Keep this result to compare with", state.pin)
        self.unpin = button(state, "Unpin", "Remove A", state.unpin)
        self.versions = button(
            state,
            "Compare v1 with V2",
            "Send the request to both versions and compare the results",
            state.run_both_versions,
        )
        self.half = button(
            state,
            "Compare full with half size",
            "Send the image at its size and at half of it, and compare the results",
            state.run_half_size,
        )
        self.note, self.page = widgets.HTML(), widgets.HTML()
        self.view = ComparisonView(state, "Differences")
        buttons = [self.pin, self.unpin, self.versions, self.half]
        self.widget = widgets.VBox(
            [widgets.HBox(buttons, layout=WRAPPED), self.note, self.page, self.view.widget]
        )

    def refresh_buttons(self) -> None:
        """Which comparisons can be made now, and what they send."""
        state = self.state
        idle = not state.busy and state.source is not None
        no_pair = state.why_not(ApiVersion.V1) or state.why_not(ApiVersion.V2)
        self.versions.disabled = not idle or bool(no_pair)
        self.half.disabled = not idle or bool(state.why_not())
        self.pin.disabled, self.unpin.disabled = state.response is None, state.pinned is None
        billable = " Each request spends credits." if state.spends_credits else ""
        reason = f" Cannot compare v1 with V2: {no_pair}" if no_pair else ""
        set_value(self.note, fragments.small(f"A comparison sends two requests.{billable}{reason}"))

    def refresh_page(self, *, shown: bool) -> None:
        """Show the comparison, where the tab is open."""
        if not shown:
            set_value(self.page, "")
            self.view.show(None)
            return
        try:
            comparison, remark = self.state.comparison, self._remark()
        except ValueError as error:  # another image or task than the pinned one's
            comparison = None
            remark = fragments.warning(f"{error} Pin the new result, or unpin A.")
        set_value(self.page, "" if comparison else remark)
        self.view.show(comparison)

    def _remark(self) -> str:
        state = self.state
        if state.why_not():
            return fragments.small("There are no two results to compare yet.")
        if state.response is None:
            return fragments.nothing_yet(state)
        return fragments.small(
            "A is pinned. Change a setting and press Run to get B."
            if state.pinned
            else "Pin a result as A, then change a setting and press Run to get B."
        )
