"""The panel's script in the page: copy buttons, dropped and pasted images, keys that stay here.

The browser's part is ``page_script.js``. Where anywidget is not installed, the panel works without:
texts can be selected, images are chosen by path or upload.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfhosted.errors import ImageError
from rfhosted.explorer import fragments
from rfhosted.explorer.widgets import guard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfhosted.explorer.state import ExplorerState


def page_script(state: ExplorerState) -> Any:
    """A hidden widget for the panel; None where anywidget is not installed.

    Messages from the browser: ``copy`` names a text of ``copied``, which is sent back; ``image``
    carries a file, or none where it is too large to be sent.
    """
    try:
        script = _widget_class()(layout={"display": "none"})
    except ImportError:
        return None

    def received(_: Any, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        if content.get("kind") == "copy":
            text = copied(state, str(content.get("what")))
            script.send({"kind": "copy", "id": content.get("id"), "text": text})
        elif content.get("kind") == "image":
            _take_image(state, str(content.get("name") or "image.png"), buffers)

    script.on_msg(guard(state, received))
    return script


def copied(state: ExplorerState, what: str) -> str:
    """The text that a copy button copies, whole; there is never an API key in it."""
    if what == "json":
        return json.dumps(state.response.prediction.raw, indent=1) if state.response else ""
    python, curl = state.code
    return {"python": python, "curl": curl}.get(what, "")


def _take_image(state: ExplorerState, name: str, buffers: Sequence[Any]) -> None:
    if not buffers:
        raise ImageError(
            f"The image {name} is too large to be sent to the kernel",
            advice=fragments.UPLOAD_HINT,
        )
    state.choose(bytes(buffers[0]), name)


@functools.cache
def _widget_class() -> Any:
    """The widget, which exists only where anywidget does."""
    import anywidget
    import traitlets as t

    class PageScript(anywidget.AnyWidget):
        _esm = Path(__file__).with_suffix(".js")
        limit = t.Int(fragments.UPLOAD_LIMIT * 950_000).tag(sync=True)  # bytes, with the frame

    return PageScript
