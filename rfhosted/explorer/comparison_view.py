"""A comparison to look into: A and B at one place, and a list whose entries light up their box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from rfhosted.display import html
from rfhosted.display.tables import html_table
from rfhosted.explorer import fragments
from rfhosted.explorer.widgets import Controls, control, set_options, set_value, show_when

if TYPE_CHECKING:
    from rfhosted.comparison.comparison import Comparison
    from rfhosted.explorer.state import ExplorerState

#: The shown image: longest side in pixels, height in pixels of CSS.
_SIDE, _HEIGHT = 860, 480
#: Entries of the list; a longer one would make the saved notebook large.
_LISTED = 150
_NAMES = {"both": "A and B", "a": "A", "b": "B"}


class ComparisonView(Controls):
    """Shows one comparison: a flip between A and B, the differences as a list, both requests.

    Args:
        state: Where errors of the callbacks are shown.
        label: The name of the list.
        show: The name of the choice between A and B.
    """

    def __init__(self, state: ExplorerState, label: str, show: str = "Show") -> None:
        super().__init__(state)
        self._comparison: Comparison | None = None
        self._images: dict[str, str] = {}  # as data URIs: a flip draws nothing again
        names = [(name, which) for which, name in _NAMES.items()]
        tooltip = "Flip between A and B at one place"
        self.flip = control(widgets.RadioButtons, show, tooltip, "auto", options=names)
        self.flip.layout.height = "60px"  # the front end's own changes when it is used
        tooltip = "Choose an entry to see its box. The arrow keys go through the list."
        self.list = control(widgets.Select, label, tooltip, "auto", rows=18)
        self.list.add_class("rfhosted-list")
        self.list.layout.flex = "1 1 260px"
        self.image = widgets.HTML(layout={"flex": "3 1 400px", "min_width": "0"})
        self.below = widgets.HTML()
        columns = widgets.HBox([self.image, self.list], layout={"flex_flow": "row wrap"})
        self.widget = widgets.VBox([self.flip, columns, self.below])
        self.on(self.flip, lambda _: self._refresh_image())
        self.on(self.list, lambda _: self._refresh_image())
        self.show(None)

    def show(self, comparison: Comparison | None) -> None:
        """Show a comparison; None empties the view, so that nothing unseen is kept or sent."""
        show_when(comparison is not None, self.widget)
        if comparison is self._comparison and self.image.value:
            return
        self._comparison, self._images = comparison, {}
        if comparison is None:
            for part in (self.image, self.below):
                set_value(part, "")
        entries = _entries(comparison) if comparison else []
        with self.quietly():
            set_options(self.list, [(text, i) for i, text in enumerate(entries)], None)
        show_when(bool(entries), self.list)
        if comparison:
            set_value(self.below, _below(comparison))
            self._refresh_image()

    def _refresh_image(self) -> None:
        comparison, which = self._comparison, self.flip.value
        if comparison is None:
            return
        if which not in self._images:
            drawn = comparison.draw(show=which, max_side=_SIDE)
            uri = html.jpeg_data_uri(drawn, fragments.COMPARED_BYTES)
            self._images[which] = _tag(comparison, which, drawn.size, uri)
        set_value(self.image, _frame(self._images[which], self._lit()))

    def _lit(self) -> str:
        """The box of the chosen entry as an element over the image; all else is darker."""
        if self._comparison is None or self.list.value is None:
            return ""
        boxes = self._comparison.marks[self.list.value].boxes
        width, height = self._comparison.a.source_image.size
        left, top = (min(box[i] for box in boxes) for i in (0, 1))
        right, bottom = (max(box[i] for box in boxes) for i in (2, 3))
        place = (
            f"left:{left / width:.2%};top:{top / height:.2%};"
            f"width:{(right - left) / width:.2%};height:{(bottom - top) / height:.2%}"
        )
        return f'<div class="rfhosted-lit" style="{place}"></div>'


def _tag(comparison: Comparison, which: str, size: tuple[int, int], uri: str) -> str:
    """The image, whose place is known before it is decoded: a flip moves nothing."""
    one = {"a": comparison.a, "b": comparison.b}.get(which)
    what = f"result of {one.task}: {one.summary()}" if one else comparison.summary()
    alt = html.escape(f"{_NAMES[which]}: {what}")
    width, height = size
    return (
        f'<img alt="{alt}" src="{uri}" decoding="sync" style="width:{width}px;height:auto;'
        f'aspect-ratio:{width}/{height};max-width:min(100%, {_HEIGHT * width / height:.0f}px)">'
    )


def _frame(image: str, lit: str) -> str:
    return f'<div class="rfhosted-compared">{image}{lit}</div>'


def _entries(comparison: Comparison) -> list[str]:
    """The differences, each on one line: ``A1 cat: only A, confidence 0.82``."""
    if not comparison.marks:
        return []
    entries = []
    for row in comparison.differences()[:_LISTED]:
        found = [row[f"confidence_{side}"] for side in "ab"]
        confidences = " and ".join(f"{value:.2f}" for value in found if value is not None)
        parts = [row["where"], f"confidence {confidences}" if confidences else ""]
        if row["iou"] is not None:
            parts.append(f"IoU {row['iou']:.2f}")
        entries.append(f"{row['mark']} {row['class_name']}: {', '.join(filter(None, parts))}")
    return entries


def _below(comparison: Comparison) -> str:
    rows = comparison.differences()
    more = len(rows) - _LISTED
    parts = [
        comparison.caption_html(),
        "" if comparison.marks else html_table(rows[:_LISTED], "Differences first"),
        fragments.small(f"{more} more are not listed.") if more > 0 else "",
        html_table(comparison.sides(), "Side by side"),
    ]
    return html.scrolling("\n".join(filter(None, parts)), "Comparison")
