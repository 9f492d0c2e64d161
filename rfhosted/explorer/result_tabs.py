"""The result: what happened, and tabs with the table, the time, the JSON, the code and more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from rfhosted.explorer import fragments
from rfhosted.explorer.compare_tab import CompareTab
from rfhosted.explorer.settings import Event
from rfhosted.explorer.sweep_tab import SweepTab
from rfhosted.explorer.truth_tab import TRUTH_TAB, TruthTab
from rfhosted.explorer.widgets import Controls, set_value

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
        self.pages = {name: widgets.HTML() for name in TABS[:4]}
        self.compare = CompareTab(state)
        self.sweep = SweepTab(state, lambda: self.open("Compare"))
        self.truth = TruthTab(state)
        self._always = (*self.pages.values(), self.compare.widget, self.sweep.widget)
        self.tabs = widgets.Tab(self._always, titles=TABS, selected_index=0)
        self.on(self.tabs, lambda _: self._refresh_page(), "selected_index")
        self.refresh(Event.ACTIVITY)
        self._refresh_page()

    def refresh(self, event: Event) -> None:
        """Show what changed."""
        state = self.state
        if event is Event.PLAN:
            return
        if event in (Event.IMAGE, Event.TRUTH):
            self._refresh_tabs()
        if event not in (Event.PINNED, Event.SWEEP):
            set_value(self.status, fragments.status(state))
        if event not in (Event.ACTIVITY, Event.CALL, Event.IMAGE):
            self._refresh_page()
        self.sweep.refresh_page(shown=self.opened == "Sweep")
        self.compare.refresh_buttons()
        self.sweep.refresh_buttons()

    @property
    def opened(self) -> str:
        """The name of the open tab."""
        return str(self.tabs.titles[self.tabs.selected_index or 0])

    def open(self, name: str) -> None:
        """Open a tab."""
        self.tabs.selected_index = self.tabs.titles.index(name)

    def _refresh_tabs(self) -> None:
        """Only an image with a ground truth has the tab of it."""
        wanted = (*TABS, TRUTH_TAB) if self.state.truth else TABS
        if self.tabs.titles == wanted:
            return
        opened = self.opened if self.opened in wanted else TABS[0]
        with self.quietly():
            self.tabs.selected_index = 0  # one that is there, whatever goes
            truth = (self.truth.widget,) if len(wanted) > len(TABS) else ()
            self.tabs.children, self.tabs.titles = (*self._always, *truth), wanted
            self.open(opened)
        self._refresh_page()

    def _refresh_page(self) -> None:
        for name, page in self.pages.items():  # what is not seen is neither kept nor sent
            set_value(page, self._page(name) if name == self.opened else "")
        self.compare.refresh_page(shown=self.opened == "Compare")
        self.sweep.refresh_page(shown=self.opened == "Sweep")
        self.truth.refresh_page(shown=self.opened == TRUTH_TAB)

    def _page(self, name: str) -> str:
        state = self.state
        result, response = state.result, state.response
        if result is None or response is None:
            return fragments.nothing_yet(state)
        made: dict[str, Callable[[], str]] = {
            "Table": lambda: fragments.table(result, self._view.ids if self._view else ()),
            "Time": lambda: fragments.timing(result, response.source),
            "JSON": lambda: fragments.response_json(result),
            "Code": lambda: fragments.code(*state.code),
        }
        return made[name]()
