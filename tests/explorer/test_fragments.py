"""One voice: what the panel says at one place agrees with what it says at another."""

from __future__ import annotations

import html

from rfhosted import Client
from rfhosted.explorer import fragments
from rfhosted.explorer.state import ExplorerState
from rfhosted.prediction.hints import TILING
from support.explored import FOUND, explored, response
from support.html_tree import Tree
from support.jobs import now
from support.scripted import Response


def test_what_cannot_run_is_not_called_for(scripted):
    case = explored(scripted)
    case.state.run()
    case.state.change(overlap=0.7)
    assert "Press Run" in fragments.status(case.state)
    case.state.change(model="yolov8n-64")
    assert "Cannot run" in fragments.plan(case.state)
    assert case.state.outdated
    assert "Run" not in fragments.status(case.state)
    assert "Run" not in fragments.nothing_yet(case.state)


def test_a_key_is_entered_in_the_panel(scripted):
    scripted.respond(Response(b'{"message": "Unauthorized"}', status=401))
    case = explored(model=None)
    case.state.change(model="mine/3")
    refused = ExplorerState(Client("a-key", base_url=scripted.url, retries=0), spawn=now)
    refused.change(model="mine/3")
    refused.choose_sample("cat")
    refused.run()
    for text in (fragments.plan(case.state), fragments.status(refused)):
        assert "under More settings" in text
        assert "ROBOFLOW_API_KEY" not in text
    links = Tree(fragments.key_line(case.state.client)).all("a")
    assert [link["href"].split("/")[2] for link in links] == ["app.roboflow.com", "roboflow.com"]


def test_a_crowd_has_a_remark_on_tiling(scripted):
    case = explored(scripted)
    case.state.run()
    assert TILING not in fragments.status(case.state)
    scripted.respond(response(*[FOUND[0]] * 30))
    case.state.run()
    assert html.escape(TILING) in fragments.status(case.state)
