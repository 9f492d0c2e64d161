"""What the panel stands on, without a panel: settings, requests, answers, and what goes wrong."""

from __future__ import annotations

import pytest

from rfhosted import HostedError, Task, hosted
from rfhosted.explorer.state import EVENTS
from rfhosted.hosted import ApiVersion
from support.explored import FOUND, explored, names, response
from support.jobs import Threads
from support.recordings import IMAGES
from support.scripted import Response

V1, V2 = ApiVersion.V1, ApiVersion.V2


@pytest.fixture
def here(scripted):
    return explored(scripted)


def test_a_run_asks_once_and_tells_what_changed(here):
    assert here.state.result is None
    assert here.state.code == ("", "")
    here.state.run()
    assert [asked.path for asked in here.server.received] == ["/a/1"]
    assert names(here.state.result) == ["dog", "dog"]
    assert here.state.notice.startswith("Answered in ")
    assert (here.state.problem, here.state.outdated, here.state.busy) == (None, None, False)
    assert here.events[0] == "answer"
    assert set(here.events) == {"answer", "activity"}
    assert set(here.events) <= set(EVENTS)
    assert here.state.class_names == ["dog", "cat"]


@pytest.mark.parametrize(
    ("change", "sent"),
    [
        ({"model": "b/2"}, lambda it: it.path == "/b/2"),
        ({"overlap": 0.7}, lambda it: float(it.query["overlap"]) == 0.7),
        ({"image_size": 160}, lambda it: len(it.body) < 20_000),
        ({"image_size": "original"}, lambda it: len(it.body) > 20_000),
        ({"task": "keypoint-detection"}, lambda it: it.path == "/a/1"),
    ],
)
def test_a_change_of_the_question_asks_when_it_is_told_to(here, change, sent):
    here.state.run()
    here.events.clear()
    here.state.ask(**change)
    assert len(here.server.received) == 1
    assert here.state.outdated == "The settings changed since: run to see what they do."
    assert set(here.events) == {"question", "plan"}
    for name, value in change.items():
        assert getattr(here.state.question, name) == value
    here.state.run()
    assert len(here.server.received) == 2
    assert sent(here.server.received[1])


def test_each_answer_knows_its_question(here):
    here.state.run()
    first = here.state.answer
    here.state.ask(api_version="v1")
    here.state.run()
    assert (first.question.api_version, here.state.answer.question.api_version) == (V2, V1)
    assert str(here.state.result.api_version) == "v1"


@pytest.mark.parametrize(
    "change",
    [
        {"confidence": 0.6},
        {"classes": frozenset({"dog"})},
        {"keypoint_confidence": 0.9},
        {"layers": frozenset({"boxes"})},
        {"layers": frozenset()},
        {"labels": False},
        {"line_width": 7},
    ],
)
def test_a_change_of_the_view_sends_nothing(here, change):
    here.state.run()
    here.events.clear()
    here.state.show(**change)
    here.state.show(**change)  # no change: nothing to tell
    assert here.events == ["view"]
    assert here.state.outdated is None
    assert here.state.result is here.state.result
    assert len(here.server.received) == 1


def test_what_the_view_leaves(here):
    here.state.run()
    whole = here.state.answer.prediction
    here.state.show(classes={"cat"}, confidence=0.05)
    assert names(here.state.result) == ["cat"]
    assert here.state.result.confidence == 0.05
    here.state.show(classes=frozenset(), confidence=0.6)
    assert names(here.state.result) == ["dog"]
    assert here.state.answer.prediction is whole


def test_thresholds_go_down_to_the_floor_without_a_request(here):
    here.state.run()
    assert float(here.server.received[0].query["confidence"]) == 0.05
    for confidence, count in ((0.3, 2), (0.1, 3), (0.05, 3)):
        here.state.show(confidence=confidence)
        assert len(here.state.result.rows()) == count
        assert here.state.outdated is None
    here.state.show(confidence=0.01)
    assert here.state.outdated == (
        "The answer was asked at confidence 0.05 and cannot tell what 0.01 would show: run to ask"
        " again."
    )
    assert here.state.result.confidence == 0.05  # what is shown is what is said
    assert len(here.server.received) == 1
    here.state.run()
    assert float(here.server.received[1].query["confidence"]) == 0.01
    assert here.state.outdated is None


@pytest.mark.parametrize("name", ["confidence", "keypoint_confidence"])
@pytest.mark.parametrize("value", [-0.1, 1.1, 40])
def test_a_threshold_is_a_fraction(here, name, value):
    before = here.state.view
    with pytest.raises(ValueError, match=f"{name} is a fraction from 0 to 1"):
        here.state.show(**{name: value})
    assert here.state.view is before


def test_reasons_to_run_again(here):
    state = here.state
    assert state.outdated is None
    state.run()
    assert state.outdated is None
    state.choose_sample("coffee")
    assert state.outdated == "Another picture is chosen: run to see it."
    state.run()
    assert state.outdated is None
    state.ask(overlap=0.9)
    assert state.outdated.startswith("The settings changed")
    state.ask(overlap=hosted.DEFAULT_OVERLAP)
    assert state.outdated is None
    state.set_key("another-key")
    assert state.outdated == "The key was set since: run to ask with it."
    state.run()
    assert state.outdated is None
    assert len(here.server.received) == 3


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_class_maps_without_confidences_say_so(version):
    state = explored(picture="cat").state
    state.ask(task="semantic-segmentation", api_version=version)
    state.run()
    shown, asked = state.result, state.answer.prediction.confidence
    assert asked == (0.4 if version == "v1" else 0)
    state.show(confidence=0.9)
    if version == "v2":
        assert state.outdated is None
        assert state.result.rows()[0]["share"] < shown.rows()[0]["share"]
        assert state.result.confidence == 0.9
    else:
        assert state.outdated.startswith("The answer was asked at confidence 0.40 and cannot")
        assert state.result.rows() == shown.rows()
        assert state.result.confidence == 0.4  # nothing is said to be left out that is not
        state.run()
        assert state.outdated is None
        assert state.result.confidence == 0.9


def test_each_task_has_its_view(here):
    here.state.run()
    here.state.show(confidence=0.6, classes={"dog"}, layers={"boxes"})
    shown = here.state.result
    here.state.ask(task="classification")
    assert (here.state.view.confidence, here.state.view.classes) == (0.0, frozenset())
    assert here.state.class_names == []  # those of the old answer are no choice here
    here.state.show(confidence=0.2)
    assert here.state.result is shown  # the old picture is no picture of the new settings
    assert here.state.answer_view.confidence == 0.6
    assert "p.filter(confidence=0.6" in here.state.code[0]
    here.state.ask(task="object-detection")
    assert here.state.view.confidence == 0.6
    assert here.state.outdated is None


def test_another_tasks_model_gives_way():
    state = explored(api_key="a-key", model=None).state
    state.ask(model="yolov8n-seg-640")
    assert (state.question.task, state.question.model) == (
        Task.INSTANCE_SEGMENTATION,
        "yolov8n-seg-640",
    )
    state.ask(task="classification")
    assert (state.question.task, state.question.model) == (Task.CLASSIFICATION, None)
    state.ask(model="mine/3")  # whose task nothing tells
    state.ask(task="keypoint-detection")
    assert (state.question.task, state.question.model) == (Task.KEYPOINT_DETECTION, "mine/3")
    state.ask(model="yolov8n-640", task="classification")
    assert (state.question.task, state.question.model) == (Task.CLASSIFICATION, None)
    with pytest.raises(ValueError, match="object-detection"):
        state.ask(task="dogs")
    with pytest.raises(TypeError):
        state.ask(size=3)


def test_v1_gives_way_where_it_alone_cannot():
    state = explored(api_key="a-key", model=None).state
    state.ask(api_version="v1")
    assert state.question.api_version is V1
    state.ask(model="yolov8n-64")  # a typo, to either
    assert state.question.api_version is V1
    assert "Did you mean yolov8n-640" in state.why_not()
    state.ask(model=None, task="semantic-segmentation")
    assert state.question.api_version is V2
    assert "known on v1" in state.why_not(V1)
    state.ask(task="object-detection", api_version="v1")
    state.ask(model="florence-2-base")
    assert state.question.api_version is V2
    assert "needs a prompt" in state.why_not()
    seen = explored(api_key="a-key", region="eu", model=None)
    seen.state.ask(api_version="v1")
    assert seen.state.question.api_version is V2
    assert "v1 has no host in the region eu" in seen.state.why_not(V1)
    assert "question" in seen.events  # a control that was moved is moved back


def test_what_cannot_be_asked_is_told_before_and_after(here):
    here.state.run()
    here.state.ask(model="no such model")
    assert isinstance(here.state.plan, Exception)
    here.state.run()
    assert "neither a public model name" in str(here.state.problem)
    assert len(here.server.received) == 1
    here.state.ask(model="a/1", overlap=7)
    assert "overlap is a fraction" in str(here.state.plan)


@pytest.mark.parametrize(
    "trouble", [Response(status=500), Response(b"<html>"), Response(b"{}"), Response(status=0)]
)
def test_a_failed_run_keeps_the_last_result(here, trouble):
    here.state.run()
    before = here.state.result
    here.server.respond(trouble)
    here.events.clear()
    here.state.run()
    assert isinstance(here.state.problem, HostedError)
    assert here.state.result is before
    assert here.state.notice == ""
    assert set(here.events) == {"activity"}
    here.server.respond(response())
    here.state.run()
    assert here.state.problem is None
    assert names(here.state.result) == []


def test_a_plan_says_what_would_be_sent(here):
    assert here.state.plan.upload.size == (512, 512)
    here.events.clear()
    here.state.ask(image_size=160)
    assert here.state.plan.upload.size == (160, 160)
    assert "plan" in here.events
    here.state.choose_sample("coffee")
    assert max(here.state.plan.upload.size) == 160
    assert here.server.received == []


# Pictures.


def test_pictures_of_all_kinds(here, scripted):
    from PIL import Image

    for image, name, title, kind in (
        (str(IMAGES / "one.jpg"), None, "one.jpg", "file"),
        (IMAGES / "one.jpg", None, "one.jpg", "file"),
        ((IMAGES / "one.jpg").read_bytes(), "mine.jpg", "mine.jpg", "upload"),
        (Image.new("RGB", (8, 8)), None, "picture.png", "pixels"),
        ("data:image/gif;base64,R0lGODlhAQABAAAAACw=", None, "picture.png", "upload"),
    ):
        here.state.choose(image, name)
        assert here.state.problem is None or kind == "upload"
        if here.state.problem is None:
            assert (here.state.source.title, here.state.source.kind) == (title, kind)
    scripted.respond(
        Response((IMAGES / "one.jpg").read_bytes(), headers={"content-type": "image/jpeg"})
    )
    here.state.choose(f"{scripted.url}/a/dog.jpg?signature=secret-of-the-address")
    assert here.state.source.title == "dog.jpg"
    assert "secret-of-the-address" not in repr(here.state)
    assert len(scripted.received) == 1


@pytest.mark.parametrize("image", ["no/such.jpg", b"", b"text", 7, "http://127.0.0.1:9/a.jpg"])
def test_a_picture_that_cannot_be_read_keeps_the_last(here, image):
    before = here.state.source
    here.state.choose(image)
    assert here.state.problem is not None
    assert here.state.source is before
    with pytest.raises(ValueError, match="There is no sample 'dog'"):
        here.state.choose_sample("dog")


def test_the_last_picture_chosen_is_the_one(scripted):
    image = (IMAGES / "one.jpg").read_bytes()
    scripted.respond(Response(image, delay=1, headers={"content-type": "image/jpeg"}))
    state = explored(spawn=(threads := Threads())).state
    state.choose(f"{scripted.url}/slow.jpg")
    assert state.busy
    state.run()  # would be of the picture before
    assert state.answer is None
    state.choose(IMAGES / "two.jpg")
    assert state.wait(20)
    assert state.source.title == "two.jpg"
    state.choose(f"{scripted.url}/slow.jpg")
    state.choose_sample("coffee")
    threads.join()
    assert state.source.title == "coffee"
    assert not state.busy


def test_a_picture_is_chosen_while_a_question_runs(scripted):
    state = explored(scripted, spawn=(threads := Threads())).state
    scripted.respond(response(*FOUND, delay=0.5))
    state.run()
    state.choose("no/such.jpg")
    state._openings.wait(20)
    assert "no/such.jpg" in str(state.problem)
    state.choose(IMAGES / "cat.jpg")
    assert state.wait(20)
    threads.join()
    assert state.answer.source.title == "astronaut"
    assert state.source.title == "cat.jpg"
    assert state.outdated == "Another picture is chosen: run to see it."
    scripted.respond(response(delay=0.5))
    state.run()
    state.choose("no/such.jpg")
    assert state.wait(20)
    assert names(state.result) == []
    assert "no/such.jpg" in str(state.problem)  # the answer that came does not hide it
