"""The controls that need no request: thresholds, classes, layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from rfhosted.display.annotate import LAYERS
from rfhosted.explorer import fragments
from rfhosted.explorer.settings import Event
from rfhosted.explorer.widgets import (
    WRAPPED,
    Controls,
    checkbox,
    column,
    control,
    fraction,
    set_options,
    show_when,
    with_slider,
)
from rfhosted.hosted import Task

if TYPE_CHECKING:
    from rfhosted.explorer.state import ExplorerState

_TASK_LAYERS = {
    Task.OBJECT_DETECTION: {"boxes"},
    Task.INSTANCE_SEGMENTATION: {"boxes", "masks", "polygons"},
    Task.KEYPOINT_DETECTION: {"boxes", "keypoints"},
}


class DisplayForm(Controls):
    """Thresholds, classes and layers: they draw the last response again, without a request."""

    def __init__(self, state: ExplorerState) -> None:
        super().__init__(state)
        self.confidence = fraction("Confidence", "Lowest confidence to show")
        self.keypoint_confidence = fraction(
            "Keypoint confidence", "Lowest confidence of a keypoint to show"
        )
        self.keypoint_row = with_slider(self.keypoint_confidence)
        tooltip = "Classes to show; select none to show all (Ctrl or Cmd selects several)"
        self.classes = control(widgets.SelectMultiple, "Classes", tooltip, rows=3)
        self.layers = {name: checkbox(f"Show {name}", f"Draw the {name}") for name in LAYERS}
        self.labels = checkbox("Show labels", "Write the class names")
        label, tooltip = "Line width (0: automatic)", "In pixels of the shown image"
        self.line_width = control(widgets.BoundedIntText, label, tooltip, "220px", max=20)
        row = with_slider(self.confidence)
        self.confidence_slider = row.children[1]
        self.widget = widgets.VBox([row, self.classes])
        self.more = column(
            fragments.heading("Display (no request)"),
            self.keypoint_row,
            widgets.HBox([*self.layers.values(), self.labels], layout=WRAPPED),
            self.line_width,
        )
        self.on(self.confidence, lambda value: state.show(confidence=value))
        self.on(self.keypoint_confidence, lambda value: state.show(keypoint_confidence=value))
        self.on(self.classes, lambda names: state.show(classes=frozenset(names)))
        self.on(self.labels, lambda shown: state.show(labels=shown))
        self.on(self.line_width, lambda pixels: state.show(line_width=pixels or None))
        for box in self.layers.values():
            self.on(box, self._take_layers)
        self.refresh(Event.DISPLAY)

    @property
    def _task_layers(self) -> set[str]:
        return _TASK_LAYERS.get(self.state.call.task or Task.OBJECT_DETECTION, set())

    def _take_layers(self, _: bool) -> None:
        chosen = frozenset(name for name in self._task_layers if self.layers[name].value)
        self.state.show(layers=chosen)

    def refresh(self, event: Event) -> None:
        """Show what changed."""
        if event not in (Event.DISPLAY, Event.CALL, Event.RESPONSE):
            return
        display, task, layers = self.state.display, self.state.call.task, self._task_layers
        drawn = layers - {"polygons"} if display.layers is None else display.layers
        with self.quietly():
            self.confidence.value = display.confidence
            self.keypoint_confidence.value = display.keypoint_confidence
            show_when(task is Task.KEYPOINT_DETECTION, self.keypoint_row)
            for name, box in self.layers.items():
                show_when(name in layers, box)
                box.value = name in drawn
            self.labels.value = display.labels
            show_when(task is not Task.CLASSIFICATION, self.labels)
            self.line_width.value = display.line_width or 0
            show_when(bool(layers), self.line_width)
            if event is not Event.DISPLAY or display.classes != set(self.classes.value):
                names = self.state.class_names
                names += sorted(display.classes - set(names))
                chosen = tuple(name for name in names if name in display.classes)
                set_options(self.classes, [(name, name) for name in names], chosen)
