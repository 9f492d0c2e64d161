"""The result: what happened, and tabs with the table, the time, the JSON, the code and more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from rfhosted.display import html
from rfhosted.explorer import fragments
from rfhosted.explorer.settings import Event
from rfhosted.explorer.widgets import Controls, button, set_value
from rfhosted.hosted import ApiVersion

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfhosted.explorer.image_view import ImageView
    from rfhosted.explorer.state import ExplorerState

TABS = ("Table", "Time", "JSON", "Code", "Compare", "Sweep")


class Results(Controls):
    """The status line and the tabs; only the open tab is filled."""

    def __init__(self, state: ExplorerState, view: ImageView | None = None) -> None:
        super().__init__(state)
        self._view = view
        self.status = widgets.HTML(fragments.status(state))
        self.pages = {name: widgets.HTML() for name in TABS}
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
        self.sweep = button(
            state, "Sweep the image size", "Send the image at four sizes", state.run_sweep
        )
        self.compare_note, self.sweep_note = widgets.HTML(), widgets.HTML()
        buttons = [self.pin, self.unpin, self.versions, self.half]
        compare = [
            widgets.HBox(buttons, layout={"flex_flow": "row wrap"}),
            self.compare_note,
            self.pages["Compare"],
        ]
        sweep = [widgets.HBox([self.sweep]), self.sweep_note, self.pages["Sweep"]]
        plain = [self.pages[name] for name in TABS[:4]]
        self.tabs = widgets.Tab(
            [*plain, widgets.VBox(compare), widgets.VBox(sweep)], titles=TABS, selected_index=0
        )
        self.on(self.tabs, lambda _: self._refresh_page(), "selected_index")
        self.refresh(Event.ACTIVITY)
        self._refresh_page()

    def refresh(self, event: Event) -> None:
        """Show what changed."""
        state = self.state
        if event not in (Event.PLAN, Event.PINNED, Event.SWEEP):
            set_value(self.status, fragments.status(state))
            self._refresh_buttons()
        if event not in (Event.PLAN, Event.ACTIVITY, Event.CALL, Event.IMAGE):
            self._refresh_page()
        self.pin.disabled, self.unpin.disabled = state.response is None, state.pinned is None

    def _refresh_buttons(self) -> None:
        state = self.state
        idle = not state.busy and state.source is not None
        why_not = state.why_not()
        no_pair = state.why_not(ApiVersion.V1) or state.why_not(ApiVersion.V2)
        self.versions.disabled = not idle or bool(no_pair)
        self.half.disabled = self.sweep.disabled = not idle or bool(why_not)
        billable = " Each request spends credits." if state.spends_credits else ""
        reason = f" Cannot compare v1 with V2: {no_pair}" if no_pair else ""
        set_value(
            self.compare_note,
            fragments.small(f"A comparison sends two requests.{billable}{reason}"),
        )
        set_value(self.sweep_note, fragments.small(f"A sweep sends up to five requests.{billable}"))

    def _refresh_page(self) -> None:
        chosen = TABS[self.tabs.selected_index or 0]
        for name, page in self.pages.items():  # what is not seen is neither kept nor sent
            set_value(page, self._page(name) if name == chosen else "")

    def _page(self, name: str) -> str:
        state = self.state
        result, response = state.result, state.response
        if name == "Sweep":
            return html.scrolling(state.sweep._repr_html_(), "Sweep") if state.sweep else ""
        if result is None or response is None:
            return fragments.small(fragments.NOTHING_YET)
        made: dict[str, Callable[[], str]] = {
            "Table": lambda: fragments.table(result, self._view.ids if self._view else ()),
            "Time": lambda: fragments.timing(result, response.source),
            "JSON": lambda: fragments.response_json(result),
            "Code": lambda: fragments.code(*state.code),
            "Compare": self._comparison,
        }
        return made[name]()

    def _comparison(self) -> str:
        try:
            comparison = self.state.comparison
        except ValueError as error:  # another image or task than the pinned one's
            return fragments.warning(f"{error} Pin the new result, or unpin A.")
        if comparison:
            return html.scrolling(comparison.html(max_bytes=fragments.COMPARED_BYTES), "Comparison")
        return fragments.small(
            "A is pinned. Change a setting and press Run to get B."
            if self.state.pinned
            else "Pin a result as A, then change a setting and press Run to get B."
        )
