"""What the panel's script in the page can have from the kernel, and what it brings."""

from __future__ import annotations

import json
import sys

from rfhosted import ImageError, sample
from rfhosted.explorer.page_script import _widget_class, copied, page_script
from support.explored import explored

CANARY = "CANARYkl23MN45op67QR89"


def test_texts_are_whole_and_without_a_key(scripted):
    state = explored(scripted).state
    assert copied(state, "json") == copied(state, "python") == ""
    state.set_key(CANARY)
    state.run()
    assert json.loads(copied(state, "json")) == state.response.prediction.raw
    assert (copied(state, "python"), copied(state, "curl")) == state.code
    assert not any(CANARY in copied(state, what) for what in ("json", "python", "curl"))
    assert copied(state, "anything else") == ""


def test_images_and_texts_travel_as_messages(scripted):
    state = explored(scripted).state
    script, sent = page_script(state), []
    script.send = sent.append
    script._handle_custom_msg({"kind": "copy", "what": "python", "id": 7}, [])
    assert sent == [{"kind": "copy", "id": 7, "text": ""}]
    content = {"kind": "image", "name": "mine.jpg", "size": 1}
    script._handle_custom_msg(content, [memoryview(sample("cat").read_bytes())])
    assert state.wait(20)
    assert (state.source.name, state.source.kind) == ("mine.jpg", "upload")
    script._handle_custom_msg(content, [])
    assert isinstance(state.problem, ImageError)
    assert state.source.name == "mine.jpg"


def test_without_anywidget_there_is_no_script(monkeypatch, scripted):
    state = explored(scripted).state
    monkeypatch.setitem(sys.modules, "anywidget", None)
    _widget_class.cache_clear()
    assert page_script(state) is None
