"""The result: what happened, and tabs with the table, the time, the JSON, the code and more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from rfhosted.display import html
from rfhosted.explorer import fragments
from rfhosted.explorer.compare_tab import CompareTab
from rfhosted.explorer.settings import Event
from rfhosted.explorer.widgets import Controls, button, set_value

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
        self.pages = {name: widgets.HTML() for name in TABS if name != "Compare"}
        self.compare = CompareTab(state)
        self.sweep = button(
            state, "Sweep the image size", "Send the image at four sizes", state.run_sweep
        )
        self.sweep_note = widgets.HTML()
        sweep = [widgets.HBox([self.sweep]), self.sweep_note, self.pages["Sweep"]]
        plain = [self.pages[name] for name in TABS[:4]]
        self.tabs = widgets.Tab(
            [*plain, self.compare.widget, widgets.VBox(sweep)], titles=TABS, selected_index=0
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
        self.compare.refresh_buttons()

    def _refresh_buttons(self) -> None:
        state = self.state
        idle = not state.busy and state.source is not None
        self.sweep.disabled = not idle or bool(state.why_not())
        billable = " Each request spends credits." if state.spends_credits else ""
        set_value(self.sweep_note, fragments.small(f"A sweep sends up to five requests.{billable}"))

    def _refresh_page(self) -> None:
        chosen = TABS[self.tabs.selected_index or 0]
        for name, page in self.pages.items():  # what is not seen is neither kept nor sent
            set_value(page, self._page(name) if name == chosen else "")
        self.compare.refresh_page(shown=chosen == "Compare")

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
        }
        return made[name]()
