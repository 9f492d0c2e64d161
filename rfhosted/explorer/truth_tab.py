"""The tab that compares the model with the ground truth; it is there where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from rfhosted.comparison.pairing import compare
from rfhosted.comparison.precision_recall import PrecisionRecallCurve, precision_recall_curve
from rfhosted.display import html
from rfhosted.explorer import fragments
from rfhosted.explorer.comparison_view import ComparisonView
from rfhosted.explorer.settings import Outdated
from rfhosted.explorer.widgets import Controls, set_value

if TYPE_CHECKING:
    from rfhosted.comparison.comparison import Comparison
    from rfhosted.explorer.state import ExplorerState
    from rfhosted.prediction import Prediction
    from rfhosted.prediction.ground_truth import GroundTruth

TRUTH_TAB = "Precision and recall"


class TruthTab(Controls):
    """The curve with the current threshold on it; what was missed and invented at it."""

    def __init__(self, state: ExplorerState) -> None:
        super().__init__(state)
        self.page = widgets.HTML()
        self.view = ComparisonView(state, "Missed and invented", "Show (A: ground truth, B: model)")
        self.widget = widgets.VBox([self.page, self.view.widget])
        self._made: tuple[tuple[GroundTruth, Prediction], tuple[Comparison, str]] | None = None

    def refresh_page(self, *, shown: bool) -> None:
        """Show the curve and the comparison, where the tab is open."""
        comparison, page = self._content() if shown else (None, "")
        set_value(self.page, page)
        self.view.show(comparison)

    def _content(self) -> tuple[Comparison | None, str]:
        """The comparison and the curve; or None, and why there is none."""
        state = self.state
        truth, response, result = state.truth, state.response, state.result
        if truth is None:
            return None, ""
        if response is None or result is None or state.outdated is Outdated.IMAGE:
            return None, fragments.small("There is no result of this image yet.")
        if not hasattr(result, "objects"):
            remark = f"The ground truth has boxes, and a result of {result.task} has none."
            return None, fragments.small(remark)
        key = (truth, result)
        if self._made is None or self._made[0] != key:
            # With some classes only, the objects of the others are not missed.
            classes = sorted(state.response_display.classes) or None
            truth = truth.filter(classes=classes)
            whole = response.prediction.filter(classes=classes)
            curve = precision_recall_curve(truth, whole)
            threshold = max(state.response_display.confidence, curve.lowest)
            self._made = key, (compare(truth, result), _curve_html(curve, threshold))
        return self._made[1]


def _curve_html(curve: PrecisionRecallCurve, threshold: float) -> str:
    return html.scrolling(curve.plot(threshold=threshold)._repr_html_(), TRUTH_TAB)
