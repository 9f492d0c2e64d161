"""The image of the panel and its caption; without anywidget a still image."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

import ipywidgets as widgets

from rfhosted.explorer import fragments
from rfhosted.explorer.image_view import image_view
from rfhosted.explorer.settings import Event, Outdated
from rfhosted.explorer.widgets import Controls, set_value

if TYPE_CHECKING:
    from rfhosted.explorer.prompts import Prompt
    from rfhosted.explorer.state import ExplorerState


class ImageArea(Controls):
    """The last result on its image, or the image that has not been sent yet.

    Attributes:
        view: The image that one can look into, see ``ImageView``; None without anywidget.
        widget: The image, in a place of fixed size.
        caption: The caption.
    """

    def __init__(self, state: ExplorerState) -> None:
        super().__init__(state)
        self.view = image_view()
        self.still = widgets.HTML()
        self.still.add_class("rfhosted-still")
        self.widget = self.view.widget if self.view else self.still
        self.caption = widgets.HTML(fragments.small(fragments.NOTHING_YET))
        self.caption.add_class("rfhosted-caption")

    def follow(self, slider: Any) -> None:
        """Let the image follow the threshold of a slider, in the browser alone."""
        if self.view:
            widgets.jsdlink((slider, "value"), (self.view.widget, "confidence"))

    def set_mode(self, mode: Literal["view", "box"]) -> bool:
        """What clicks and drags do, see ``ImageView``; False where there is no view to use."""
        if self.view:
            self.view.widget.mode = mode
        return self.view is not None

    def set_marks(self, prompt: Prompt | None) -> None:
        """Show the points and boxes of a prompt on the image."""
        if self.view:
            points = (
                [{"point": point[:2], "belongs": point[2]} for point in prompt.points]
                if prompt
                else []
            )
            boxes = [{"box": box, "belongs": True} for box in prompt.boxes] if prompt else []
            self.view.widget.marks = [*points, *boxes]

    def refresh(self, event: Event) -> None:
        """Show what changed."""
        state = self.state
        if self.view:  # the slider is that of the chosen task, the image may be of another one
            response = state.response
            self.view.widget.follows = bool(response and response.shown_as == state.shown_as)
        if event not in (Event.RESPONSE, Event.DISPLAY, Event.IMAGE):
            return
        if state.source and (state.result is None or state.outdated is Outdated.IMAGE):
            self._show_photo()
        elif state.result:
            self._show_result()

    def _show_photo(self) -> None:
        source = self.state.source
        if source is None:
            return
        set_value(self.caption, fragments.photo_caption(source))
        if self.view:
            alt, name = fragments.photo_alt(source), PurePath(source.title).stem
            self.view.show_photo(source.image, alt=alt, name=name)
        else:
            self.still.value = fragments.photo(source)

    def _show_result(self) -> None:
        response, result = self.state.response, self.state.result
        if response is None or result is None:
            return
        display = self.state.response_display
        set_value(self.caption, fragments.caption(result, display))
        if self.view:
            name = PurePath(response.source.title).stem
            self.view.show(response.prediction, display, name=name)
        else:
            self.still.value = fragments.still(result, display)
