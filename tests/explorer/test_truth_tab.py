"""The tab of the ground truth: where it is there, and what it shows at the current threshold."""

from __future__ import annotations

import json

import pytest
from ipywidgets.embed import dependency_state

from rfhosted.explorer import Explorer
from rfhosted.explorer.result_tabs import TABS
from rfhosted.explorer.truth_tab import TRUTH_TAB
from support.explored import explored
from support.panels import page, shown, type_in


@pytest.fixture
def annotated(scripted, tmp_path):
    """A panel, and a COCO file for its image: one of the two dogs that are found, and a bird."""
    path = tmp_path / "annotations.json"
    boxes = {1: [40, 40, 20, 20], 2: [300, 300, 50, 50]}
    content = {
        "images": [{"id": 1, "file_name": "astronaut", "width": 512, "height": 512}],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "bird"}],
        "annotations": [{"image_id": 1, "category_id": i, "bbox": b} for i, b in boxes.items()],
    }
    path.write_text(json.dumps(content))
    made = shown(scripted=scripted)
    made.path = str(path)
    return made


def test_the_tab_is_there_only_with_a_ground_truth():
    made = shown(model=None, picture="astronaut")
    results = made.panel.results
    assert results.tabs.titles == TABS
    made.state.choose_sample("boats")
    assert results.tabs.titles == (*TABS, TRUTH_TAB)
    results.open(TRUTH_TAB)
    assert "no result of this image" in page(made.panel)
    made.state.choose_sample("cat")
    assert results.tabs.titles == TABS
    assert results.opened == "Table"
    assert len(results.tabs.children) == len(TABS)


def test_a_coco_file_of_the_user(annotated):
    state, results = annotated.state, annotated.panel.results
    state.run()
    type_in(annotated.panel.picker.truth, annotated.path)
    assert state.problem is None
    assert len(state.truth.objects) == 2
    results.open(TRUTH_TAB)
    listed = [label for label, _ in results.truth.view.list.options]
    assert [label.split(":")[1].split()[0] for label in listed] == ["missed", "invented", "found"]
    assert "img" in page(annotated.panel)
    sent = len(annotated.server.received)
    state.show(confidence=0.6)  # one of the two dogs is left
    listed = [label for label, _ in results.truth.view.list.options]
    assert [label.split(":")[1].split()[0] for label in listed] == ["missed", "found"]
    assert "0.60" in results.truth.page.value
    state.show(classes=frozenset({"dog"}))  # the bird is not missed now
    assert len(results.truth.view.list.options) == 1
    assert len(annotated.server.received) == sent
    type_in(annotated.panel.picker.truth, "")
    assert results.tabs.titles == TABS


def test_a_file_that_cannot_be_used_is_an_error_and_changes_nothing(annotated):
    type_in(annotated.panel.picker.truth, "no/such/file.json")
    assert isinstance(annotated.state.problem, OSError)
    assert annotated.state.truth is None
    annotated.state.choose_sample("coffee")
    type_in(annotated.panel.picker.truth, annotated.path)
    assert isinstance(annotated.state.problem, ValueError)


def test_results_without_boxes_are_no_error():
    made = shown(model=None, picture="boats")
    made.state.change(task="classification")
    made.state.run()
    made.panel.results.open(TRUTH_TAB)
    assert "classification" in page(made.panel)


def test_a_saved_panel_with_the_tab_open_is_small():
    made = explored(model=None, picture="photo_wall")
    explorer = Explorer(made.state)
    made.state.show(confidence=0.1)
    made.state.run()
    explorer.panel.results.open(TRUTH_TAB)
    saved = json.dumps(dependency_state(explorer.panel.widget, drop_defaults=True))
    assert len(explorer.panel.results.truth.view.list.options) > 10
    assert len(saved) + len(json.dumps(explorer._copy())) < 200_000
