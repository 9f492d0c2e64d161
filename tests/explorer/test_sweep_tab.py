"""The sweep in the panel: what it was made with, what changed since then, its sizes compared."""

from __future__ import annotations

import pytest

from rfhosted.explorer.settings import Event
from support.panels import page, shown


@pytest.fixture
def swept(scripted):
    made = shown(scripted=scripted)
    made.state.run_sweep((100, 200, 600, "original"))
    made.panel.results.open("Sweep")
    return made


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda state: state.choose_sample("coffee"), ["image"]),
        (lambda state: state.change(model="b/2"), ["model"]),
        (lambda state: state.change(task="keypoint-detection"), ["task"]),
        (lambda state: state.change(api_version="v1"), ["API version"]),
        (lambda state: state.change(overlap=0.7), ["overlap"]),
        (lambda state: state.show(confidence=0.8), ["confidence"]),
        (lambda state: state.set_key("some-key"), ["API key"]),
        (lambda state: state.change(image_size=320), []),
        (lambda state: state.show(labels=False), []),
    ],
)
def test_a_sweep_tells_what_changed_since(swept, change, names):
    assert swept.state.sweep_changes == []
    assert "rfhosted-stale" not in page(swept.panel)
    change(swept.state)
    assert swept.state.sweep_changes == names
    assert ("rfhosted-stale" in page(swept.panel)) == bool(names)
    assert all(name in swept.panel.results.sweep.stale.value for name in names)


def test_what_is_undone_is_no_change(swept):
    swept.state.change(overlap=0.7)
    swept.state.change(overlap=0.3)
    assert swept.state.sweep_changes == []
    assert swept.panel.results.sweep.stale.value == ""


def test_sizes_that_make_the_same_request_have_one_row_and_one_button(swept):
    assert [row["image_sizes"] for row in swept.state.sweep.rows()] == [
        [100],
        [200],
        [600, "original"],
    ]
    labels = [each.description for each in swept.panel.results.sweep.sizes.children]
    assert labels == ["Compare 100 px with 600 px", "Compare 200 px with 600 px"]


def test_two_sizes_are_compared_without_a_request_and_the_settings_stay(swept):
    sent, call = len(swept.server.received), swept.state.call
    swept.panel.results.sweep.sizes.children[0].click()
    assert swept.panel.results.opened == "Compare"
    a, b = swept.state.comparison.a, swept.state.comparison.b
    assert (max(a.upload.size), max(b.upload.size)) == (100, 512)
    assert swept.state.call is call
    assert swept.state.outdated is None
    assert len(swept.server.received) == sent
    swept.state.change(overlap=0.7)
    assert swept.state.outdated


def test_results_of_another_image_are_not_shown_for_the_chosen_one(swept):
    swept.state.choose_sample("coffee")
    assert all(each.disabled for each in swept.panel.results.sweep.sizes.children)
    swept.state.choose_sample("astronaut")
    swept.panel.refresh(Event.ACTIVITY)
    assert swept.state.sweep_changes == ["image"]
