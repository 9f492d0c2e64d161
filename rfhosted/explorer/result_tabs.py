"""What came of it: the picture, and tabs with the table, the time, the JSON, the code and more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from rfhosted.display import html
from rfhosted.explorer import fragments
from rfhosted.explorer.widgets import Controls, button
from rfhosted.hosted import ApiVersion

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfhosted.explorer.state import ExplorerState

_NOTHING = "Nothing yet: choose a picture and press Run."
_TABS = ("Table", "Time", "JSON", "Code", "Compare", "Sweep")
#: Bytes of one of two pictures side by side, as a JPEG.
_COMPARED_BYTES = 14_000


class Results(Controls):
    """The picture above, tabs below; only the tab that is open is made."""

    def __init__(self, state: ExplorerState) -> None:
        super().__init__(state)
        self.status = widgets.HTML(fragments.status(state))
        self.source_image = widgets.HTML(fragments.small(_NOTHING))
        self.pages = {name: widgets.HTML() for name in _TABS}
        self.pin = button(
            state, "Pin as A", "Keep this result to compare later ones with", state.pin
        )
        self.unpin = button(state, "Unpin", "Forget A", state.unpin)
        self.versions = button(
            state, "v1 against V2", "Ask both versions and compare", state.run_both_versions
        )
        self.half = button(
            state, "Full against half size", "Ask at half the size and compare", state.run_half_size
        )
        self.sweep = button(state, "Sweep the image size", "Ask at four sizes", state.run_sweep)
        self.sweep_note, self.compare_note = widgets.HTML(), widgets.HTML()
        row = widgets.Layout(flex_flow="row wrap")
        self.tabs = widgets.Tab(
            [
                *(self.pages[name] for name in _TABS[:4]),
                widgets.VBox(
                    [
                        widgets.HBox([self.pin, self.unpin, self.versions, self.half], layout=row),
                        self.compare_note,
                        self.pages["Compare"],
                    ]
                ),
                widgets.VBox([widgets.HBox([self.sweep]), self.sweep_note, self.pages["Sweep"]]),
            ],
            titles=_TABS,
            selected_index=0,
        )
        self.on(self.tabs, lambda _: self._refresh_page(), "selected_index")
        self.refresh("activity")
        self._refresh_page()

    def refresh(self, event: str) -> None:
        """Show what changed."""
        state = self.state
        if event in ("answer", "view") and state.result is not None:
            self.source_image.value = fragments.picture(state.result, state.answer_view)
        if event in ("activity", "answer", "view", "question", "image"):
            _set(
                self.status, fragments.status(state)
            )  # after the picture: what it says is to be seen
            self._refresh_buttons()
        if event in ("answer", "view", "pinned", "sweep", "key"):
            self._refresh_page()

    def _refresh_buttons(self) -> None:
        state = self.state
        idle = not state.busy and state.source is not None
        no_v1 = state.why_not(ApiVersion.V1) or state.why_not(ApiVersion.V2)
        cannot = state.why_not()
        self.versions.disabled = not idle or bool(no_v1)
        self.half.disabled = self.sweep.disabled = not idle or bool(cannot)
        self.pin.disabled = state.answer is None
        self.unpin.disabled = state.pinned is None
        pays = " Each request spends credits." if state.spends_credits else ""
        why = f"v1 against V2 cannot be: {no_v1}" if no_v1 else ""
        _set(self.compare_note, fragments.small(f"Two requests each.{pays} {why}"))
        _set(self.sweep_note, fragments.small(f"Up to five requests.{pays}"))

    def _refresh_page(self) -> None:
        name = _TABS[self.tabs.selected_index or 0]
        for other, page in self.pages.items():
            if other != name:
                _set(page, "")  # what is not seen is neither kept nor sent
        _set(self.pages[name], self._page(name))

    def _page(self, name: str) -> str:
        state = self.state
        result, answer = state.result, state.answer
        if name == "Sweep":
            made = state.sweep._repr_html_() if state.sweep else ""
            return html.scrolling(made, "Sweep") if made else ""
        if result is None or answer is None:
            return fragments.small(_NOTHING)
        makers: dict[str, Callable[[], str]] = {
            "Table": lambda: fragments.table(result),
            "Time": lambda: fragments.timing(result, answer.source),
            "JSON": lambda: fragments.answer(result),
            "Code": lambda: fragments.code(*state.code),
            "Compare": self._compared,
        }
        return makers[name]()

    def _compared(self) -> str:
        try:
            comparison = self.state.comparison
        except ValueError as error:  # another picture or task than the pinned one's
            return fragments.warning(f"{error} Pin the new result, or unpin.")
        if comparison:
            return html.scrolling(comparison.html(max_bytes=_COMPARED_BYTES), "Comparison")
        told = "A is pinned: change anything and run, for B." if self.state.pinned else ""
        return fragments.small(told or "Pin a result as A, change anything and run again for B.")


def _set(widget: Any, value: str) -> None:
    if widget.value != value:
        widget.value = value
