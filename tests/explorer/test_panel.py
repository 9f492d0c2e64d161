"""The panel's real widgets, without a browser: they show the state and change it."""

from __future__ import annotations

import json

import ipywidgets as widgets
import pytest
from ipywidgets.embed import embed_data

from rfhosted import ImageError, Task
from rfhosted.explorer import fragments, image_area
from rfhosted.explorer.fragments import NOTHING_YET
from rfhosted.explorer.result_tabs import TABS
from rfhosted.explorer.settings import Event
from rfhosted.explorer.state import STOPPED
from rfhosted.hosted import IMAGE_TASKS, ApiVersion
from support.explored import BOX, FOUND, response
from support.html_tree import Tree
from support.jobs import Threads
from support.panels import choose, everything, inside, page, shown, type_in
from support.recordings import IMAGES
from support.scripted import Response

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"


@pytest.fixture
def case(scripted):
    return shown(scripted=scripted)


# From the user to the state.


def test_controls_of_the_request_change_the_call(case):
    request, state = case.panel.request, case.state
    fields = request.fields
    choose(fields["image_size"], 320)
    assert state.call.image_size == 320
    choose(fields["image_size"], "")
    assert state.call.image_size is None
    type_in(fields["overlap"], 0.55)
    assert state.call.overlap == 0.55
    fields["api_version"].set_state({"index": 1})
    assert state.call.api_version == "v1"
    type_in(request.typed_model, " b/2 ")
    assert state.call.model == request.typed_model.value == fields["model"].value == "b/2"
    choose(fields["model"], "yolov8n-640")
    assert state.call.model == "yolov8n-640"
    assert request.typed_model.value == ""
    choose(fields["task"], Task.KEYPOINT_DETECTION)
    assert (state.call.task, state.call.model) == (Task.KEYPOINT_DETECTION, None)
    assert fields["model"].value == ""
    assert case.events.count(Event.CALL) == 7  # each change once: nothing echoes
    type_in(request.auto, True)
    assert state.auto
    assert case.server.received == []


def test_controls_of_the_display_change_it(case):
    display, state = case.panel.display, case.state
    state.run()
    case.events.clear()
    type_in(display.confidence, 0.6)
    assert state.display.confidence == 0.6
    slider = next(w for w in inside(display.widget) if isinstance(w, widgets.FloatSlider))
    assert slider.value == 0.6
    type_in(slider, 0.7)
    assert (state.display.confidence, display.confidence.value) == (0.7, 0.7)
    type_in(display.keypoint_confidence, 0.9)
    assert state.display.keypoint_confidence == 0.9
    display.classes.set_state({"index": [1]})
    assert state.display.classes == {"cat"}
    type_in(display.labels, False)
    type_in(display.line_width, 3)
    type_in(display.layers["boxes"], False)
    assert (state.display.labels, state.display.line_width, state.display.layers) == (
        False,
        3,
        frozenset(),
    )
    assert case.events == [Event.DISPLAY] * 7
    type_in(display.line_width, 0)
    assert state.display.line_width is None
    assert len(case.server.received) == 1


def test_samples_paths_and_uploads(case):
    picker, state = case.panel.picker, case.state
    picker.samples.value = "coffee"
    assert state.source.title == "coffee"
    type_in(picker.path, str(IMAGES / "cat.jpg"))
    assert state.source.title == "cat.jpg"
    assert picker.samples.value is None
    assert picker.path.value == ""
    assert "cat.jpg" in picker.chosen.value
    type_in(picker.path, f' "{IMAGES / "one.jpg"}" ')  # as file managers copy it
    assert state.source.title == "one.jpg"
    type_in(picker.path, str(IMAGES / "cat.jpg"))
    type_in(picker.path, "  ")
    type_in(picker.upload, [])
    assert state.problem is None
    assert state.source.title == "cat.jpg"
    type_in(picker.upload, [upload("mine.jpg"), upload("other.jpg", "two.jpg")])
    assert state.source.title == "mine.jpg"
    assert state.source.image.data == (IMAGES / "one.jpg").read_bytes()
    assert picker.upload.value == ()
    type_in(picker.upload, [upload("mine.jpg")])  # the same again
    assert picker.upload.value == ()
    type_in(picker.upload, [upload("broken.jpg", "truncated.jpg")])
    assert isinstance(state.problem, ImageError)
    assert picker.upload.value == ()
    assert state.source.title == "mine.jpg"
    assert case.server.received == []


def upload(name, file="one.jpg"):
    content = memoryview((IMAGES / file).read_bytes())
    about = {"type": "image/jpeg", "size": len(content), "last_modified": 0}
    return {"name": name, "content": content, **about}


def test_an_uploads_bytes_are_in_no_saved_widget(case):
    before = len(json.dumps(embed_data(views=[case.panel.widget])))
    type_in(case.panel.picker.upload, [upload("mine.jpg", "scene.jpg")])
    assert case.state.source.title == "mine.jpg"
    assert case.panel.picker.upload.get_state()["value"] == []
    after = len(json.dumps(embed_data(views=[case.panel.widget])))
    assert after - before < 1_000


def test_buttons(case):
    panel, state = case.panel, case.state
    panel.request.run.click()
    assert len(case.server.received) == 1
    panel.results.compare.pin.click()
    assert state.pinned is state.response
    panel.results.compare.unpin.click()
    assert state.pinned is None
    panel.results.compare.versions.click()
    panel.results.compare.half.click()
    panel.results.sweep.start.click()
    assert state.sweep is not None
    panel.request.cancel.click()
    assert state.problem is None


# From the state to the widgets.


def test_the_state_shows_in_the_widgets_and_nothing_echoes(case):
    request, display, state = case.panel.request, case.panel.display, case.state
    state.change(task="keypoint-detection", image_size=333, overlap=0.2, api_version="v1")
    state.show(confidence=0.2, keypoint_confidence=0.1, labels=False, line_width=4)
    assert case.events.count(Event.CALL) == case.events.count(Event.DISPLAY) == 1
    values = {name: field.value for name, field in request.fields.items()}
    assert values == {
        "task": Task.KEYPOINT_DETECTION,
        "api_version": "v1",
        "model": "a/1",
        "image_size": 333,
        "overlap": 0.2,
    }
    assert (display.confidence.value, display.keypoint_confidence.value) == (0.2, 0.1)
    assert (display.labels.value, display.line_width.value) == (False, 4)
    assert display.keypoint_row.layout.display is None
    state.change(task="classification")
    assert display.keypoint_row.layout.display == "none"
    assert {box.layout.display for box in display.layers.values()} == {"none"}
    assert display.labels.layout.display == "none"
    assert request.fields["overlap"].disabled
    assert display.confidence.value == 0.0
    state.change(task="keypoint-detection")
    assert display.confidence.value == 0.2


@pytest.mark.parametrize("task", IMAGE_TASKS)
def test_each_tasks_layers(case, task):
    case.state.change(task=task, model=None)
    boxes = case.panel.display.layers.items()
    offered = {name for name, box in boxes if box.layout.display is None}
    on = {name for name, box in boxes if box.value}
    expected = {
        Task.OBJECT_DETECTION: ({"boxes"}, {"boxes"}),
        Task.INSTANCE_SEGMENTATION: ({"boxes", "masks", "polygons"}, {"boxes", "masks"}),
        Task.KEYPOINT_DETECTION: ({"boxes", "keypoints"}, {"boxes", "keypoints"}),
    }.get(task, (set(), set()))
    assert (offered, on) == expected
    assert case.events.count(Event.DISPLAY) == 0


def test_classes_follow_the_response(case):
    state, classes = case.state, case.panel.display.classes
    state.run()
    assert [name for name, _ in classes.options] == ["dog", "cat"]
    state.show(classes={"cat"})
    assert classes.value == ("cat",)
    case.server.respond(response(FOUND[0]))
    state.run()
    assert [name for name, _ in classes.options] == ["dog", "cat"]  # chosen, so still there
    state.show(classes=frozenset())
    assert classes.value == ()
    state.change(task="keypoint-detection")
    assert classes.options == ()


def test_a_threads_refresh_does_not_silence_or_echo(scripted):
    made = shown(scripted=scripted, spawn=(threads := Threads()))
    state = made.state
    state.set_auto(auto=True)
    scripted.respond(response(*FOUND, delay=0.01))
    for number in range(40):
        type_in(made.panel.request.fields["overlap"], number / 50)
        type_in(made.panel.display.confidence, number / 50)
        type_in(made.panel.request.typed_model, f"a/{number}")
        assert state.call.overlap == number / 50
        assert state.call.model == f"a/{number}"
    assert state.wait(20)
    threads.join()
    assert state.response.call == state.call
    assert made.panel.request.fields["overlap"].value == state.call.overlap


def test_what_is_not_possible_is_disabled(scripted):
    made = shown(model=None, api_key="a-key", region="eu")
    request = made.panel.request
    assert request.fields["api_version"].disabled
    assert made.state.why_not(ApiVersion.V1) in request.no_v1.value.replace("&#x27;", "'")
    assert "credits" in request.run.description
    assert not request.run.disabled
    assert request.auto.disabled
    assert made.panel.results.compare.versions.disabled
    type_in(request.typed_model, "yolov8n-64")
    assert "yolov8n-640" in request.plan.value
    assert request.run.disabled
    assert made.panel.results.sweep.start.disabled
    assert made.panel.results.compare.versions.disabled
    choose(request.fields["model"], "")
    assert made.state.refused is None
    assert not request.run.disabled


def test_buttons_wait_while_something_runs(scripted):
    made = shown(scripted=scripted, spawn=(threads := Threads()))
    scripted.respond(response(delay=2))
    request, results = made.panel.request, made.panel.results
    request.run.click()
    for button in (
        request.run,
        results.compare.versions,
        results.compare.half,
        results.sweep.start,
    ):
        assert button.disabled
    assert not request.cancel.disabled
    request.cancel.click()
    assert request.cancel.disabled
    assert not request.run.disabled
    assert STOPPED in results.status.value
    threads.join()


def test_the_plan_shows_the_size_limit(case):
    plan = case.panel.request.plan
    assert "kB of 20 MB" in plan.value
    case.state.change(api_version="v1")
    assert "kB of 5 MB" in plan.value


def sent_by(view, monkeypatch):
    """The messages that a view sends from now on."""
    sent = []
    monkeypatch.setattr(
        view.widget, "send", lambda content, buffers=(): sent.append((content, buffers))
    )
    return sent


def test_the_image_and_its_caption_follow_the_state(case, monkeypatch):
    image = case.panel.image
    sent = sent_by(image.view, monkeypatch)
    assert "Not sent yet" in image.caption.value
    case.state.run()
    assert sent[-1][0]["alt"].endswith("2 objects: 2 dog")
    assert "confidence &gt;= 0.40" in image.caption.value
    case.state.show(confidence=0.95)
    assert sent[-1][0]["confidence"] == 0.95
    assert "confidence &gt;= 0.95" in image.caption.value
    case.state.show(confidence=0.01)
    assert "confidence &gt;= 0.05" in image.caption.value
    assert 'data-outdated="confidence"' in case.panel.results.status.value
    case.state.choose_sample("coffee")
    content, (photo,) = sent[-1]
    assert (content["live"], content["alt"]) == (False, "coffee, not sent yet")
    assert photo.startswith(b"\xff\xd8")


def test_without_anywidget_the_image_is_still(scripted, monkeypatch):
    monkeypatch.setattr(image_area, "image_view", lambda: None)
    made = shown(scripted=scripted)
    still = made.panel.image.still
    assert Tree(still.value).all("img")[0]["alt"] == "astronaut, not sent yet"
    made.state.run()
    assert Tree(still.value).all("img")[0]["alt"].endswith("2 objects: 2 dog")
    before = still.value
    made.state.show(confidence=0.95)
    assert still.value != before
    assert "confidence &gt;= 0.95" in made.panel.image.caption.value
    assert still in list(inside(made.panel.widget))
    assert "data-object" not in page(made.panel)
    assert not made.panel.image.set_mode("box")


def test_rows_of_the_table_name_their_objects(case):
    case.state.run()
    assert [row["data-object"] for row in Tree(page(case.panel)).all("tr")[1:]] == ["0", "1"]
    case.state.show(classes=frozenset({"cat"}), confidence=0.1)
    row = Tree(page(case.panel)).all("tr")[1]
    assert (row["data-object"], row["tabindex"]) == ("2", "0")


def test_the_view_can_take_boxes(case):
    assert case.panel.image.set_mode("box")
    assert case.panel.image.view.widget.mode == "box"


def test_a_result_of_another_task_is_not_drawn_again(case, monkeypatch):
    view = case.panel.image.view
    case.state.run()
    assert view.widget.follows
    sent = sent_by(view, monkeypatch)
    case.state.change(task="classification")
    case.state.show(confidence=0.3)
    assert sent == []
    assert not view.widget.follows
    assert 'data-outdated="call"' in case.panel.results.status.value


def test_only_the_open_tab_is_filled(case, monkeypatch):
    case.state.run()
    drawn = []
    whole = fragments.table
    monkeypatch.setattr(fragments, "table", lambda *given: drawn.append(given) or whole(*given))
    tabs = case.panel.results.tabs
    tabs.selected_index = TABS.index("JSON")
    case.state.show(confidence=0.5)
    assert drawn == []
    assert '"confidence": 0.9' in page(case.panel).replace("&quot;", '"')
    tabs.selected_index = TABS.index("Table")
    assert len(drawn) == 1
    assert all(p.value == "" for name, p in case.panel.results.pages.items() if name != "Table")
    tabs.selected_index = None  # closed, as an accordion's is
    assert "<table" in case.panel.results.pages["Table"].value


def test_the_pages(case):
    tabs, state = case.panel.results.tabs, case.state
    for name in TABS:
        tabs.selected_index = TABS.index(name)
        assert (NOTHING_YET in page(case.panel)) == (name != "Sweep")
    state.run()
    state.pin()
    state.change(image_size=160)
    state.run()
    state.run_sweep((100, 200))
    for name, text in {
        "Table": "dog",
        "Time": "rfhosted.benchmark",
        "JSON": "predictions",
        "Code": "import rfhosted",
        "Compare": "100% agreement",
        "Sweep": "200 px",
    }.items():
        tabs.selected_index = TABS.index(name)
        assert text in page(case.panel), name
    tabs.selected_index = TABS.index("Compare")
    state.choose_sample("coffee")
    state.run()
    assert "unpin A" in page(case.panel)  # of two images: the reason, and what to do
    state.unpin()
    unpinned = page(case.panel)
    state.pin()
    assert "A is pinned" in page(case.panel) != unpinned


# Errors.


def test_errors_are_shown_and_the_image_stays(case):
    case.state.run()
    before = case.panel.image.caption.value
    case.server.respond(Response(b'{"message": "no credits"}', 402))
    case.panel.request.run.click()
    status = case.panel.results.status.value
    assert 'role="alert"' in status
    assert "PaymentRequiredError" in status
    assert "no credits" in status
    assert case.state.problem.advice[:40] in status
    assert case.panel.image.caption.value == before


def test_a_bug_in_a_callback_is_shown_and_raised(case, monkeypatch):
    def change(**_):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(case.state, "change", change)
    with pytest.raises(ZeroDivisionError):
        choose(case.panel.request.fields["image_size"], 320)
    assert "ZeroDivisionError" in case.panel.results.status.value


def test_an_expected_error_in_a_callback_is_only_shown(case):
    case.panel.request.key.value = "no key at all"
    assert "AuthenticationError" in case.panel.results.status.value


@pytest.mark.parametrize("error", [ZeroDivisionError, TypeError, ValueError])
def test_a_part_that_cannot_be_shown_is_reported_and_raised(case, monkeypatch, error):
    case.state.run()

    def image(*_):
        raise error("ours")

    monkeypatch.setattr(fragments, "caption", image)
    with pytest.raises(RuntimeError, match="cannot show") as caught:
        type_in(case.panel.display.confidence, 0.6)  # not taken for a mistake of the user
    assert isinstance(caught.value.__cause__, error)
    assert "cannot show this" in case.panel.results.status.value
    assert error.__name__ in case.panel.results.status.value


def test_a_bug_on_a_thread_is_reported_and_raised(scripted, monkeypatch, raised):
    made = shown(scripted=scripted, spawn=(threads := Threads()))
    monkeypatch.setattr(fragments, "caption", lambda *_: 1 / 0)
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
    made.state.change(image_size="original")
    made.state.run()
    made.state.pin()
    made.state.run()
    made.state.run_sweep((100,))
    seen = [everything(made.panel)]
    for number in range(len(TABS)):
        made.panel.results.tabs.selected_index = number
        seen.append(page(made.panel))
    type_in(made.panel.request.typed_model, EVIL)
    type_in(made.panel.picker.path, EVIL)
    seen.append(everything(made.panel))
    scripted.respond(Response(json.dumps({"message": EVIL}).encode(), 500))
    made.state.change(model="a/1")
    made.state.run()
    seen.append(everything(made.panel))
    assert EVIL[:20] not in "".join(seen)
    for markup in seen:
        tree = Tree(markup)
        assert not tree.all("script")
        assert all("onerror" not in image for image in tree.all("img"))
    assert "&lt;script&gt;" in "".join(seen)


def test_a_folder_gives_its_images_one_after_the_other(case, tmp_path):
    for name in ("b.jpg", "a.jpg", "c.txt"):
        (tmp_path / name).write_bytes((IMAGES / "one.jpg").read_bytes())
    picker, state = case.panel.picker, case.state
    type_in(picker.path, str(tmp_path))
    assert state.source.title == "a.jpg"
    assert picker.next.layout.display is None
    assert [name[-5:] for name in picker.path.options] == ["a.jpg", "b.jpg"]
    picker.next.click()
    assert state.source.title == "b.jpg"
    picker.samples.value = "cat"
    assert picker.next.layout.display == "none"


def test_a_key_can_be_removed(case):
    case.state.set_key("k" * 20)
    assert not case.panel.request.remove_key.disabled
    case.panel.request.remove_key.click()
    assert not case.state.client.has_key
    assert case.panel.request.remove_key.disabled


def test_a_comparison_leaves_the_settings_as_they_were(case):
    before = case.state.call
    case.panel.results.compare.half.click()
    assert case.state.call == before
    assert case.state.pinned is not case.state.response
    assert case.state.outdated is None
