"""The panel's real widgets, without a browser: a thin view of the state, and nothing else."""

from __future__ import annotations

import json

import ipywidgets as widgets
import pytest
from ipywidgets.embed import embed_data

from rfhosted import ImageError, Task
from rfhosted.explorer import fragments
from rfhosted.explorer.result_tabs import _TABS
from support.explored import BOX, FOUND, response
from support.html_tree import Tree
from support.jobs import Threads
from support.panels import choose, everything, inside, page, shown, type_in
from support.recordings import IMAGES
from support.scripted import Response

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"


@pytest.fixture
def here(scripted):
    return shown(scripted=scripted)


# From a person to the state.


def test_controls_of_the_question_change_it(here):
    question, state = here.panel.question, here.state
    choose(question.image_size, 320)
    assert state.question.image_size == 320
    choose(question.image_size, "")
    assert state.question.image_size is None
    type_in(question.overlap, 0.55)
    assert state.question.overlap == 0.55
    question.version.set_state({"index": 1})
    assert state.question.api_version == "v1"
    type_in(question.model_id, " b/2 ")
    assert state.question.model == "b/2"
    assert question.model_id.value == ""
    assert question.model.label == "Typed: b/2"
    choose(question.model, "yolov8n-640")
    assert state.question.model == "yolov8n-640"
    choose(question.task, Task.KEYPOINT_DETECTION)
    assert (state.question.task, state.question.model) == (Task.KEYPOINT_DETECTION, None)
    assert question.model.value == ""
    assert here.events.count("question") == 7  # each change once: nothing echoes
    type_in(question.auto, True)
    assert state.auto
    assert here.server.received == []


def test_controls_of_the_view_change_it(here):
    view, state = here.panel.view, here.state
    state.run()
    here.events.clear()
    type_in(view.confidence, 0.6)
    assert state.view.confidence == 0.6
    slider = next(w for w in inside(view.widget) if isinstance(w, widgets.FloatSlider))
    assert slider.value == 0.6
    type_in(slider, 0.7)
    assert (state.view.confidence, view.confidence.value) == (0.7, 0.7)
    type_in(view.keypoints, 0.9)
    assert state.view.keypoint_confidence == 0.9
    view.classes.set_state({"index": [1]})
    assert state.view.classes == {"cat"}
    type_in(view.labels, False)
    type_in(view.line_width, 3)
    type_in(view.layers["boxes"], False)
    assert (state.view.labels, state.view.line_width, state.view.layers) == (False, 3, frozenset())
    assert here.events == ["view"] * 7
    type_in(view.line_width, 0)
    assert state.view.line_width is None
    assert len(here.server.received) == 1


def test_samples_paths_and_uploads(here):
    picker, state = here.panel.picker, here.state
    press = {w.description: w for w in inside(picker.widget) if isinstance(w, widgets.Button)}
    press["coffee"].click()
    assert state.source.title == "coffee"
    type_in(picker.path, str(IMAGES / "cat.jpg"))
    assert state.source.title == "cat.jpg"
    assert picker.path.value == ""
    assert "Now: cat.jpg" in picker.chosen.value
    type_in(picker.path, "  ")
    type_in(picker.upload, [])
    assert state.problem is None
    assert state.source.title == "cat.jpg"
    type_in(picker.upload, [upload("mine.jpg"), upload("other.jpg", "two.jpg")])
    assert state.source.title == "mine.jpg"
    assert state.source.source_image.data == (IMAGES / "one.jpg").read_bytes()
    assert picker.upload.value == ()
    type_in(picker.upload, [upload("mine.jpg")])  # the same again
    assert picker.upload.value == ()
    type_in(picker.upload, [upload("broken.jpg", "truncated.jpg")])
    assert isinstance(state.problem, ImageError)
    assert picker.upload.value == ()
    assert state.source.title == "mine.jpg"
    assert here.server.received == []


def upload(name, file="one.jpg"):
    content = memoryview((IMAGES / file).read_bytes())
    about = {"type": "image/jpeg", "size": len(content), "last_modified": 0}
    return {"name": name, "content": content, **about}


def test_an_uploads_bytes_are_in_no_saved_widget(here):
    before = len(json.dumps(embed_data(views=[here.panel.widget])))
    type_in(here.panel.picker.upload, [upload("mine.jpg", "scene.jpg")])
    assert here.state.source.title == "mine.jpg"
    assert here.panel.picker.upload.get_state()["value"] == []
    after = len(json.dumps(embed_data(views=[here.panel.widget])))
    assert abs(after - before) < 1_000


def test_buttons(here):
    panel, state = here.panel, here.state
    panel.question.run.click()
    assert len(here.server.received) == 1
    panel.results.pin.click()
    assert state.pinned is state.answer
    panel.results.unpin.click()
    assert state.pinned is None
    panel.results.versions.click()
    panel.results.half.click()
    panel.results.sweep.click()
    assert state.sweep is not None
    panel.question.cancel.click()
    assert state.problem is None


# From the state to the widgets.


def test_the_state_shows_in_the_widgets_and_nothing_echoes(here):
    question, view, state = here.panel.question, here.panel.view, here.state
    state.ask(task="keypoint-detection", image_size=333, overlap=0.2, api_version="v1")
    state.show(confidence=0.2, keypoint_confidence=0.1, labels=False, line_width=4)
    assert here.events.count("question") == here.events.count("view") == 1
    assert question.task.value is Task.KEYPOINT_DETECTION
    assert (question.version.label, question.image_size.label) == ("v1 (legacy)", "333 px")
    assert question.overlap.value == 0.2
    assert (view.confidence.value, view.keypoints.value) == (0.2, 0.1)
    assert (view.labels.value, view.line_width.value) == (False, 4)
    assert view.keypoint_row.layout.display is None
    state.ask(task="classification")
    assert view.keypoint_row.layout.display == "none"
    assert {box.layout.display for box in view.layers.values()} == {"none"}
    assert view.labels.layout.display == "none"
    assert question.overlap.disabled
    assert view.confidence.value == 0.0
    state.ask(task="keypoint-detection")
    assert view.confidence.value == 0.2


@pytest.mark.parametrize("task", Task)
def test_each_tasks_layers(here, task):
    here.state.ask(task=task, model=None)
    boxes = here.panel.view.layers.items()
    offered = {name for name, box in boxes if box.layout.display is None}
    on = {name for name, box in boxes if box.value}
    expected = {
        Task.OBJECT_DETECTION: ({"boxes"}, {"boxes"}),
        Task.INSTANCE_SEGMENTATION: ({"boxes", "masks", "polygons"}, {"boxes", "masks"}),
        Task.KEYPOINT_DETECTION: ({"boxes", "keypoints"}, {"boxes", "keypoints"}),
    }.get(task, (set(), set()))
    assert (offered, on) == expected
    assert here.events.count("view") == 0


def test_classes_follow_the_answer(here):
    state, classes = here.state, here.panel.view.classes
    state.run()
    assert [name for name, _ in classes.options] == ["dog", "cat"]
    state.show(classes={"cat"})
    assert classes.value == ("cat",)
    here.server.respond(response(FOUND[0]))
    state.run()
    assert [name for name, _ in classes.options] == ["dog", "cat"]  # chosen, so still there
    state.show(classes=frozenset())
    assert classes.value == ()
    state.ask(task="keypoint-detection")
    assert classes.options == ()


def test_a_threads_refresh_does_not_silence_or_echo(scripted):
    made = shown(scripted=scripted, spawn=(threads := Threads()))
    state = made.state
    state.set_auto(auto=True)
    scripted.respond(response(*FOUND, delay=0.01))
    for number in range(40):
        type_in(made.panel.question.overlap, number / 50)
        type_in(made.panel.view.confidence, number / 50)
        type_in(made.panel.question.model_id, f"a/{number}")
        assert state.question.overlap == number / 50
        assert state.question.model == f"a/{number}"
    assert state.wait(20)
    threads.join()
    assert state.answer.question == state.question
    assert made.panel.question.overlap.value == state.question.overlap


def test_what_cannot_be_is_greyed_out_with_its_reason(scripted):
    made = shown(model=None, api_key="a-key", region="eu")
    question = made.panel.question
    assert question.version.disabled
    assert "v1 has no host in the region eu" in question.why_not_v1.value
    assert question.run.description == "Run (spends credits)"
    assert not question.run.disabled
    assert question.auto.disabled
    assert made.panel.results.versions.disabled
    assert "v1 against V2 cannot be" in made.panel.results.compare_note.value
    type_in(question.model_id, "yolov8n-64")
    assert "Did you mean yolov8n-640" in question.plan.value
    assert question.run.disabled
    assert made.panel.results.sweep.disabled


def test_buttons_wait_while_something_runs(scripted):
    made = shown(scripted=scripted, spawn=(threads := Threads()))
    scripted.respond(response(delay=2))
    question, found = made.panel.question, made.panel.results
    question.run.click()
    for button in (question.run, found.versions, found.half, found.sweep):
        assert button.disabled
    assert not question.cancel.disabled
    question.cancel.click()
    assert question.cancel.disabled
    assert not question.run.disabled
    assert "Stopped" in found.status.value
    threads.join()


def test_before_sending_it_tells_the_size(here):
    plan = here.panel.question.plan
    assert "kB of 20 MB" in plan.value
    here.state.ask(api_version="v1")
    assert "kB of 5 MB" in plan.value
    assert "spends no credits" in plan.value


def test_the_picture_says_its_threshold(here):
    assert "Nothing yet" in here.panel.results.source_image.value
    here.state.run()
    tree = Tree(here.panel.results.source_image.value)
    assert tree.all("img")[0]["alt"].endswith("drawn on it: 2 objects: 2 dog")
    assert "Shown: what is above 0.40." in here.panel.results.source_image.value
    here.state.show(confidence=0.95)
    assert "no objects above 0.95" in here.panel.results.source_image.value
    here.state.show(confidence=0.01)
    assert "Shown: what is above 0.05." in here.panel.results.source_image.value
    assert "cannot tell" in here.panel.results.status.value


def test_a_picture_of_another_task_is_not_drawn_anew(here):
    here.state.run()
    before = here.panel.results.source_image.value
    here.state.ask(task="classification")
    here.state.show(confidence=0.3)
    assert here.panel.results.source_image.value == before
    assert "The settings changed" in here.panel.results.status.value


def test_only_the_open_tab_is_made(here, monkeypatch):
    here.state.run()
    drawn = []
    whole = fragments.table
    monkeypatch.setattr(fragments, "table", lambda p: drawn.append(p) or whole(p))
    tabs = here.panel.results.tabs
    tabs.selected_index = _TABS.index("JSON")
    here.state.show(confidence=0.5)
    assert drawn == []
    assert '"confidence": 0.9' in page(here.panel).replace("&quot;", '"')
    tabs.selected_index = _TABS.index("Table")
    assert len(drawn) == 1
    assert all(p.value == "" for name, p in here.panel.results.pages.items() if name != "Table")
    tabs.selected_index = None  # closed, as an accordion's is
    assert "<table" in here.panel.results.pages["Table"].value


def test_the_pages(here):
    tabs, state = here.panel.results.tabs, here.state
    for name in _TABS:
        tabs.selected_index = _TABS.index(name)
        assert ("Nothing yet" in page(here.panel)) == (name != "Sweep")
    state.run()
    state.pin()
    state.ask(image_size=160)
    state.run()
    state.run_sweep((100, 200))
    for name, told in {
        "Table": "dog",
        "Time": "rfhosted.benchmark",
        "JSON": "predictions",
        "Code": "import rfhosted",
        "Compare": "100% agreement",
        "Sweep": "200 px",
    }.items():
        tabs.selected_index = _TABS.index(name)
        assert told in page(here.panel), name
    tabs.selected_index = _TABS.index("Compare")
    state.choose_sample("coffee")
    state.run()
    assert "Pin the new result, or unpin" in page(here.panel)
    state.unpin()
    assert "Pin a result as A" in page(here.panel)
    state.pin()
    assert "A is pinned" in page(here.panel)


# What goes wrong.


def test_errors_are_shown_and_the_picture_stays(here):
    here.state.run()
    before = here.panel.results.source_image.value
    here.server.respond(Response(b'{"message": "no credits"}', 402))
    here.panel.question.run.click()
    status = here.panel.results.status.value
    assert 'role="alert"' in status
    assert "PaymentRequiredError" in status
    assert "no credits" in status
    assert "Check the plan" in status
    assert here.panel.results.source_image.value == before


def test_a_defect_in_a_callback_is_shown_and_raised(here, monkeypatch):
    def ask(**_):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(here.state, "ask", ask)
    with pytest.raises(ZeroDivisionError):
        choose(here.panel.question.image_size, 320)
    assert "ZeroDivisionError" in here.panel.results.status.value


def test_what_is_expected_in_a_callback_is_only_shown(here):
    here.panel.question.key.value = "no key at all"
    assert "AuthenticationError" in here.panel.results.status.value


@pytest.mark.parametrize("error", [ZeroDivisionError, TypeError, ValueError])
def test_a_part_that_cannot_be_shown_is_told_and_raised(here, monkeypatch, error):
    here.state.run()

    def picture(*_):
        raise error("ours")

    monkeypatch.setattr(fragments, "picture", picture)
    with pytest.raises(RuntimeError, match="cannot show") as caught:
        type_in(here.panel.view.confidence, 0.6)  # not swallowed as a user's mistake
    assert isinstance(caught.value.__cause__, error)
    assert "cannot show this" in here.panel.results.status.value
    assert error.__name__ in here.panel.results.status.value


def test_nor_is_it_hidden_on_a_thread(scripted, monkeypatch, raised):
    made = shown(scripted=scripted, spawn=(threads := Threads()))
    monkeypatch.setattr(fragments, "picture", lambda *_: 1 / 0)
    made.state.run()
    threads.join()
    assert [type(error) for error in raised] == [RuntimeError]
    assert "ZeroDivisionError" in made.panel.results.status.value
    assert not made.state.busy


def test_hostile_names_are_text(scripted):
    evil = {**BOX, "class": EVIL, "confidence": 0.9}
    made = shown(scripted=scripted)
    scripted.respond(response(evil))
    made.state.choose((IMAGES / "one.jpg").read_bytes(), EVIL)
    made.state.ask(image_size="original")
    made.state.run()
    made.state.pin()
    made.state.run()
    made.state.run_sweep((100,))
    seen = [everything(made.panel)]
    for number in range(len(_TABS)):
        made.panel.results.tabs.selected_index = number
        seen.append(page(made.panel))
    type_in(made.panel.question.model_id, EVIL)
    type_in(made.panel.picker.path, EVIL)
    seen.append(everything(made.panel))
    scripted.respond(Response(json.dumps({"message": EVIL}).encode(), 500))
    made.state.ask(model="a/1")
    made.state.run()
    seen.append(everything(made.panel))
    assert EVIL[:20] not in "".join(seen)
    for markup in seen:
        tree = Tree(markup)
        assert not tree.all("script")
        assert all("onerror" not in image for image in tree.all("img"))
    assert "&lt;script&gt;" in "".join(seen)
