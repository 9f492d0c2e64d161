"""An explorer's state at work on a scripted server."""

from __future__ import annotations

import json
from types import SimpleNamespace

from rfhosted import Client
from rfhosted.explorer.state import ExplorerState
from support.jobs import now
from support.scripted import Response

BOX = {"x": 50, "y": 50, "width": 20, "height": 20, "class_id": 1}


FOUND = [
    BOX | {"class": "dog", "confidence": 0.9},
    BOX | {"class": "dog", "confidence": 0.5},
    BOX | {"class": "cat", "confidence": 0.1},
]


def response(*found, **how):
    body = {"predictions": list(found), "image": {"width": 512, "height": 512}, "time": 0.01}
    return Response(json.dumps(body).encode(), **how)


def explored(scripted=None, *, spawn=now, picture="astronaut", model="a/1", **client):
    """A state with an image, and the events that its observers receive."""
    if scripted is not None:
        client = {"base_url": scripted.url, "retries": 0} | client
    state = ExplorerState(Client(**client), spawn=spawn)
    state.set_auto(auto=False)
    if scripted is not None:
        scripted.respond(response(*FOUND))
        state.change(model=model)
    state.choose_sample(picture)
    assert state.wait(20)
    events = []
    state.observe(events.append)
    return SimpleNamespace(state=state, events=events, server=scripted)


def names(prediction):
    return [row["class_name"] for row in prediction.rows()]
