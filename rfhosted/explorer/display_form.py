"""The controls of what needs no request: thresholds, classes, layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from rfhosted.display.annotate import LAYERS
from rfhosted.explorer import fragments
from rfhosted.explorer.widgets import (
    NAMED,
    WIDE,
    Controls,
    display_when,
    fraction,
    set_options,
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


class ViewControls(Controls):
    """Thresholds, classes, layers: what draws the last answer again, without a request."""

    def __init__(self, state: ExplorerState) -> None:
        super().__init__(state)
        self.confidence = fraction("Confidence", "Least confidence that is shown")
        self.keypoints = fraction("Key-point confidence", "Least confidence of a key point")
        self.classes = widgets.SelectMultiple(
            description="Classes",
            rows=4,
            tooltip="Classes to show; none chosen shows all (Ctrl or Cmd chooses several)",
            style=NAMED,
            layout=WIDE,
        )
        self.layers = {
            name: widgets.Checkbox(
                description=f"Show {name}",
                indent=False,
                tooltip=f"Whether {name} are drawn",
                layout=widgets.Layout(width="auto"),
            )
            for name in LAYERS
        }
        self.labels = widgets.Checkbox(
            description="Show labels",
            indent=False,
            tooltip="Whether class names are written",
            layout=widgets.Layout(width="auto"),
        )
        self.line_width = widgets.BoundedIntText(
            description="Line width (0: automatic)",
            min=0,
            max=20,
            tooltip="Pixels of the shown picture",
            style=NAMED,
            layout=widgets.Layout(width="220px"),
        )
        self.keypoint_row = with_slider(self.keypoints)
        self.widget = widgets.VBox(
            [
                widgets.HTML(fragments.heading("View (sends nothing)")),
                with_slider(self.confidence),
                self.keypoint_row,
                widgets.HBox(
                    [*self.layers.values(), self.labels],
                    layout=widgets.Layout(flex_flow="row wrap"),
                ),
                self.line_width,
                self.classes,
            ]
        )
        self.on(self.confidence, lambda value: state.show(confidence=value))
        self.on(self.keypoints, lambda value: state.show(keypoint_confidence=value))
        self.on(self.classes, lambda names: state.show(classes=frozenset(names)))
        self.on(self.labels, lambda shown: state.show(labels=shown))
        self.on(self.line_width, lambda pixels: state.show(line_width=pixels or None))
        for box in self.layers.values():
            self.on(box, self._take_layers)
        self.refresh("view")

    def _take_layers(self, _: bool) -> None:
        known = _TASK_LAYERS.get(self.state.question.task, set())
        self.state.show(layers=frozenset(name for name in known if self.layers[name].value))

    def refresh(self, event: str) -> None:
        """Show what changed."""
        if event not in ("view", "question", "answer"):
            return
        view, task = self.state.view, self.state.question.task
        layers = _TASK_LAYERS.get(task, set())
        with self.quietly():
            self.confidence.value = view.confidence
            self.keypoints.value = view.keypoint_confidence
            self.keypoint_row.layout.display = display_when(task is Task.KEYPOINT_DETECTION)
            for name, box in self.layers.items():
                box.layout.display = display_when(name in layers)
                on = layers - {"polygons"} if view.layers is None else view.layers
                box.value = name in on
            self.labels.value = view.labels
            self.labels.layout.display = display_when(task is not Task.CLASSIFICATION)
            self.line_width.value = view.line_width or 0
            self.line_width.layout.display = display_when(bool(layers))
            if event != "view" or view.classes != set(self.classes.value):
                names = self.state.class_names
                names += sorted(view.classes - set(names))
                chosen = tuple(name for name in names if name in view.classes)
                set_options(self.classes, [(name, name) for name in names], chosen)
