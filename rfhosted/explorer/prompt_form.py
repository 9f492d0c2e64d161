"""The controls of a prompted model; points and boxes are set on the image itself, or as numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from rfhosted.explorer import fragments, prompts
from rfhosted.explorer.prompts import Verb
from rfhosted.explorer.settings import Event
from rfhosted.explorer.widgets import (
    WRAPPED,
    Controls,
    button,
    checkbox,
    control,
    set_value,
    show_when,
    text_field,
)

if TYPE_CHECKING:
    from rfhosted.explorer.image_area import ImageArea
    from rfhosted.explorer.prompts import Prompt
    from rfhosted.explorer.state import ExplorerState

_CLICK = "Click: a point. Shift-click: not this. Drag: a box."
_REGION = "Drag a box around the region."
_NO_NAMES = "Names are off: there are points or boxes. Undo them to use names."
_NO_MARKS = "Points and boxes are off: there are names. Empty the field to use them."


class PromptForm(Controls):
    """Names, points, boxes, words and task: only what the chosen task type takes is shown."""

    def __init__(self, state: ExplorerState, image: ImageArea) -> None:
        super().__init__(state)
        self._image = image
        self._before: list[Prompt] = []
        self.names = text_field("Names", "dog, red car, then Enter", "What to find, with commas")
        self.task = control(
            widgets.Dropdown,
            "Florence task",
            "What Florence-2 does with the image",
            options=[
                (task.replace("-", " ").capitalize(), task)
                for task in (
                    *prompts.FLORENCE_TASKS,
                    *prompts.FLORENCE_WITH_WORDS,
                    *prompts.FLORENCE_WITH_REGION,
                )
            ],
        )
        self.text = text_field("Prompt", "How many dogs?, then Enter", "Words for the model")
        self.points = text_field(
            "Points",
            "140 100; 60 50 not",
            "x y in pixels of the image, with ; between two; 'not' after one that is not meant",
        )
        self.boxes = text_field(
            "Boxes", "60 50 220 150", "x0 y0 x1 y1 in pixels of the image, with ; between two"
        )
        self.negative = checkbox("Not this", "The next click is on what does not belong to it")
        self.undo = button(state, "Undo", "Take the last point, box or words back", self._undo)
        self.hint = widgets.HTML()
        self.marking = widgets.HBox([self.negative, self.undo], layout=WRAPPED)
        self.widget = widgets.VBox(
            [
                self.names,
                self.task,
                self.text,
                self.points,
                self.boxes,
                self.marking,
                self.hint,
            ]
        )
        self.on(self.names, self._take_names)
        self.on(self.task, lambda task: self._set(task=task))
        self.on(self.text, lambda text: self._set(text=text.strip()))
        self.on(self.points, self._take_points)
        self.on(self.boxes, self._take_boxes)
        if image.view:
            self.on(image.view.widget, self._clicked, "clicked")
            self.on(image.view.widget, self._boxed, "boxed")
        self.refresh(Event.CALL)

    def _set(self, **changes: Any) -> None:
        """Change fields of the prompt; Undo takes it back."""
        old = self.state.prompt
        if old and (new := replace(old, **changes)) != old:
            self._before.append(old)
            self.state.set_prompt(new)

    def _undo(self) -> None:
        if self._before:
            self.state.set_prompt(self._before.pop())

    def _take_names(self, text: str) -> None:
        names = (name.strip() for name in text.split(","))
        self._set(names=tuple(dict.fromkeys(name for name in names if name)))

    def _take_points(self, text: str) -> None:
        groups = prompts.parsed_numbers(text.replace("not", "0"), (2, 3), "A point is x y")
        self._set(points=tuple((each[0], each[1], each[2:] != (0.0,)) for each in groups))

    def _take_boxes(self, text: str) -> None:
        boxes = prompts.parsed_numbers(text, (4,), "A box is x0 y0 x1 y1")
        self._set(boxes=tuple(boxes))

    def _clicked(self, at: dict[str, Any]) -> None:
        prompt = self.state.prompt
        if not (prompt and at and prompt.verb is Verb.SEGMENT):
            return
        if prompt.names:
            raise ValueError(_NO_MARKS)
        belongs = not (at["shift"] or self.negative.value)
        point = (round(at["x"], 1), round(at["y"], 1), belongs)
        self._set(points=(*prompt.points, point))

    def _boxed(self, at: dict[str, Any]) -> None:
        prompt = self.state.prompt
        if not (prompt and at and prompt.takes_clicks):
            return
        if prompt.names:
            raise ValueError(_NO_MARKS)
        x0, y0, x1, y1 = (round(at[side], 1) for side in ("x0", "y0", "x1", "y1"))
        before = prompt.boxes if prompt.verb is Verb.SEGMENT else ()
        self._set(boxes=(*before, (x0, y0, x1, y1)))

    def refresh(self, event: Event) -> None:
        """Show what changed."""
        if event not in (Event.CALL, Event.IMAGE):
            return
        prompt = self.state.prompt
        if prompt is None or (self._before and self._before[-1].verb is not prompt.verb):
            self._before.clear()
        if event is Event.IMAGE:
            self._before.clear()  # its points and boxes are of another image
        with self.quietly():
            self._image.set_mode("box" if prompt and prompt.takes_clicks else "view")
            self._image.set_marks(prompt)
            show_when(prompt is not None and prompt.verb is not Verb.READ, self.widget)
            if prompt:
                self._refresh_fields(prompt)

    def _refresh_fields(self, prompt: Prompt) -> None:
        segment = prompt.verb is Verb.SEGMENT
        ask = prompt.verb is Verb.ASK
        show_when(not ask and prompt.verb is not Verb.READ, self.names)
        show_when(ask and prompt.is_florence, self.task)
        show_when(prompt.takes_words, self.text)
        show_when(segment, self.points)
        show_when(prompt.takes_clicks, self.boxes)
        show_when(prompt.takes_clicks, self.marking)
        show_when(segment, self.negative)
        set_value(self.names, ", ".join(prompt.names))
        set_value(self.task, prompt.task)
        set_value(self.text, prompt.text)
        set_value(self.points, _listed(prompt.points))
        set_value(self.boxes, _listed(prompt.boxes))
        # Names and marks exclude each other; what is set can always be taken away.
        marked, named = segment and prompt.marked, segment and bool(prompt.names)
        no_names = marked or (not prompt.takes_names and not named)
        self.names.disabled = no_names
        for widget in (self.points, self.boxes, self.negative):
            widget.disabled = named
        self.undo.disabled = not self._before
        set_value(self.hint, fragments.small(_hint(prompt, no_names=no_names)))


def _hint(prompt: Prompt, *, no_names: bool) -> str:
    """How to set the prompt, or why some controls are off."""
    if prompt.takes_region:
        return _REGION
    if prompt.verb is not Verb.SEGMENT:
        return ""
    if prompt.names:
        return _NO_MARKS
    if prompt.marked:
        return f"{_CLICK} {_NO_NAMES}"
    return f"{_CLICK} SAM 2 takes no names." if no_names else f"{_CLICK} Or enter names."


def _listed(groups: tuple[tuple[float, ...], ...]) -> str:
    """Points or boxes as a user types them."""
    return "; ".join(" ".join(filter(None, map(_number, group))) for group in groups)


def _number(value: float) -> str:
    if value is True:
        return ""
    return "not" if value is False else f"{value:g}"
