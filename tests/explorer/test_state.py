"""The explorer's state, without a panel: settings, requests, responses, and errors."""

from __future__ import annotations

import pytest

from rfhosted import HostedError, ModelNotFoundError, Task, hosted
from rfhosted.explorer.settings import Event, Outdated
from rfhosted.hosted import ApiVersion
from support.explored import explored, names, response
from support.jobs import Threads
from support.recordings import IMAGES
from support.scripted import Response

V1, V2 = ApiVersion.V1, ApiVersion.V2


@pytest.fixture
def case(scripted):
    return explored(scripted)


def test_a_run_sends_one_request_and_reports_what_changed(case):
    assert case.state.result is None
    assert case.state.code == ("", "")
    case.state.run()
    assert [request.path for request in case.server.received] == ["/a/1"]
    assert names(case.state.result) == ["dog", "dog"]
    assert case.state.notice
    assert (case.state.problem, case.state.outdated, case.state.busy) == (None, None, False)
    assert case.events[0] is Event.RESPONSE
    assert set(case.events) == {Event.RESPONSE, Event.ACTIVITY}
    assert case.state.class_names == ["dog", "cat"]


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
def test_a_change_of_the_call_is_sent_by_the_next_run(case, change, sent):
    case.state.run()
    case.events.clear()
    case.state.change(**change)
    assert len(case.server.received) == 1
    assert case.state.outdated is Outdated.CALL
    assert set(case.events) == {Event.CALL, Event.PLAN}
    for name, value in change.items():
        assert getattr(case.state.call, name) == value
    case.state.run()
    assert len(case.server.received) == 2
    assert sent(case.server.received[1])


def test_each_response_knows_its_call(case):
    case.state.run()
    first = case.state.response
    case.state.change(api_version="v1")
    case.state.run()
    assert (first.call.api_version, case.state.response.call.api_version) == (V2, V1)
    assert case.state.result.api_version is V1


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
def test_a_change_of_the_display_sends_nothing(case, change):
    case.state.run()
    case.events.clear()
    case.state.show(**change)
    case.state.show(**change)  # no change: nothing to report
    assert case.events == [Event.DISPLAY]
    assert case.state.outdated is None
    assert case.state.result is case.state.result
    assert len(case.server.received) == 1


def test_the_display_filters_the_result(case):
    case.state.run()
    whole = case.state.response.prediction
    case.state.show(classes={"cat"}, confidence=0.05)
    assert names(case.state.result) == ["cat"]
    assert case.state.result.confidence == 0.05
    case.state.show(classes=frozenset(), confidence=0.6)
    assert names(case.state.result) == ["dog"]
    assert case.state.response.prediction is whole


def test_thresholds_go_down_to_the_floor_without_a_request(case):
    case.state.run()
    assert float(case.server.received[0].query["confidence"]) == 0.05
    for confidence, count in ((0.3, 2), (0.1, 3), (0.05, 3)):
        case.state.show(confidence=confidence)
        assert len(case.state.result.rows()) == count
        assert case.state.outdated is None
    case.state.show(confidence=0.01)
    assert case.state.outdated is Outdated.CONFIDENCE
    assert case.state.result.confidence == 0.05
    assert len(case.server.received) == 1
    case.state.run()
    assert float(case.server.received[1].query["confidence"]) == 0.01
    assert case.state.outdated is None


@pytest.mark.parametrize("name", ["confidence", "keypoint_confidence"])
@pytest.mark.parametrize("value", [-0.1, 1.1, 40])
def test_a_threshold_is_a_fraction(case, name, value):
    before = case.state.display
    with pytest.raises(ValueError, match=name):
        case.state.show(**{name: value})
    assert case.state.display is before


def test_reasons_to_run_again(case):
    state = case.state
    assert state.outdated is None
    state.run()
    assert state.outdated is None
    state.choose_sample("coffee")
    assert state.outdated is Outdated.IMAGE
    state.run()
    assert state.outdated is None
    state.change(overlap=0.9)
    assert state.outdated is Outdated.CALL
    state.change(overlap=hosted.DEFAULT_OVERLAP)
    assert state.outdated is None
    state.set_key("another-key")
    assert state.outdated is Outdated.KEY
    state.run()
    assert state.outdated is None
    assert len(case.server.received) == 3


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_class_maps_without_confidences_need_another_request(version):
    state = explored(picture="cat").state
    state.change(task="semantic-segmentation", api_version=version)
    state.run()
    shown, requested = state.result, state.response.prediction.confidence
    assert requested == (0.4 if version == "v1" else 0)
    state.show(confidence=0.9)
    if version == "v2":
        assert state.outdated is None
        assert state.result.rows()[0]["share"] < shown.rows()[0]["share"]
        assert state.result.confidence == 0.9
    else:
        assert state.outdated is Outdated.CONFIDENCE
        assert state.result.rows() == shown.rows()
        assert state.result.confidence == 0.4  # the threshold that really was applied
        state.run()
        assert state.outdated is None
        assert state.result.confidence == 0.9


def test_each_task_has_its_display(case):
    case.state.run()
    case.state.show(confidence=0.6, classes={"dog"}, layers={"boxes"})
    shown = case.state.result
    case.state.change(task="classification")
    assert (case.state.display.confidence, case.state.display.classes) == (0.0, frozenset())
    assert case.state.class_names == []  # those of another task's response are no choice
    case.state.show(confidence=0.2)
    assert case.state.result is shown
    assert case.state.response_display.confidence == 0.6
    assert "p.filter(confidence=0.6" in case.state.code[0]
    case.state.change(task="object-detection")
    assert case.state.display.confidence == 0.6
    assert case.state.outdated is None


def test_a_model_of_another_task_gives_way():
    state = explored(api_key="a-key", model=None).state
    state.change(model="yolov8n-seg-640")
    assert (state.call.task, state.call.model) == (Task.INSTANCE_SEGMENTATION, "yolov8n-seg-640")
    state.change(task="classification")
    assert (state.call.task, state.call.model) == (Task.CLASSIFICATION, None)
    state.change(model="mine/3")  # whose task is not known
    state.change(task="keypoint-detection")
    assert (state.call.task, state.call.model) == (Task.KEYPOINT_DETECTION, "mine/3")
    state.change(model="yolov8n-640", task="classification")
    assert (state.call.task, state.call.model) == (Task.CLASSIFICATION, None)
    with pytest.raises(ValueError, match="object-detection"):
        state.change(task="dogs")
    with pytest.raises(TypeError):
        state.change(size=3)
    with pytest.raises(ValueError, match="overlap"):
        state.change(overlap=7)


def test_v1_gives_way_where_only_v2_can_serve_the_call():
    state = explored(api_key="a-key", model=None).state
    state.change(api_version="v1")
    assert state.call.api_version is V1
    state.change(task="semantic-segmentation")
    assert state.call.api_version is V2
    assert state.why_not(V1) is not None
    state.change(task="object-detection", api_version="v1")
    state.change(model="florence-2-base")
    assert state.call.api_version is V2
    assert state.why_not() is not None  # nor can V2's image route
    case = explored(api_key="a-key", region="eu", model=None)
    case.state.change(api_version="v1")
    assert case.state.call.api_version is V2
    assert case.state.why_not(V1) is not None
    assert Event.CALL in case.events  # a control that was moved is moved back


def test_a_model_that_is_not_understood_is_refused(case):
    case.state.run()
    case.state.change(model="yolov8n-64")
    assert isinstance(case.state.refused, ModelNotFoundError)
    assert case.state.plan is case.state.refused
    assert "yolov8n-640" in case.state.why_not()
    assert case.state.call.model == "a/1"
    for run in (case.state.run, case.state.run_sweep, case.state.run_half_size):
        run()
        assert case.state.problem is case.state.refused
    assert len(case.server.received) == 1
    case.state.change(image_size=100)
    assert case.state.refused
    plans = []
    case.state.observe(lambda _: plans.append(case.state.plan))
    case.state.change(model="a/1")
    assert case.state.refused is None
    assert not any(isinstance(plan, Exception) for plan in plans)  # no old reason is shown again
    case.state.run()
    assert case.state.problem is None
    assert len(case.server.received) == 2


@pytest.mark.parametrize(
    "trouble", [Response(status=500), Response(b"<html>"), Response(b"{}"), Response(status=0)]
)
def test_a_failed_run_keeps_the_last_result(case, trouble):
    case.state.run()
    before = case.state.result
    case.server.respond(trouble)
    case.events.clear()
    case.state.run()
    assert isinstance(case.state.problem, HostedError)
    assert case.state.result is before
    assert case.state.notice == ""
    assert set(case.events) == {Event.ACTIVITY}
    case.server.respond(response())
    case.state.run()
    assert case.state.problem is None
    assert names(case.state.result) == []


def test_a_plan_is_the_request_that_run_would_send(case):
    assert case.state.plan.upload.size == (512, 512)
    case.events.clear()
    case.state.change(image_size=160)
    assert case.state.plan.upload.size == (160, 160)
    assert Event.PLAN in case.events
    case.state.choose_sample("coffee")
    assert max(case.state.plan.upload.size) == 160
    assert case.server.received == []


# Images.


def test_images_of_all_kinds(case, scripted):
    from PIL import Image

    for image, name, title, kind in (
        (str(IMAGES / "one.jpg"), None, "one.jpg", "file"),
        (IMAGES / "one.jpg", None, "one.jpg", "file"),
        ((IMAGES / "one.jpg").read_bytes(), "mine.jpg", "mine.jpg", "upload"),
        (Image.new("RGB", (8, 8)), None, "image.png", "pixels"),
    ):
        case.state.choose(image, name)
        assert case.state.problem is None
        assert (case.state.source.title, case.state.source.kind) == (title, kind)
    scripted.respond(
        Response((IMAGES / "one.jpg").read_bytes(), headers={"content-type": "image/jpeg"})
    )
    case.state.choose(f"{scripted.url}/a/dog.jpg")
    assert (case.state.source.title, case.state.source.kind) == ("dog.jpg", "file")
    assert len(scripted.received) == 1


@pytest.mark.parametrize("image", ["no/such.jpg", b"", b"text", 7, "http://127.0.0.1:9/a.jpg"])
def test_an_image_that_cannot_be_read_keeps_the_last(case, image):
    before = case.state.source
    case.state.choose(image)
    assert case.state.problem is not None
    assert case.state.source is before
    with pytest.raises(ValueError, match="astronaut"):
        case.state.choose_sample("dog")


def test_the_last_image_chosen_is_the_one(scripted):
    image = (IMAGES / "one.jpg").read_bytes()
    scripted.respond(Response(image, delay=1, headers={"content-type": "image/jpeg"}))
    state = explored(spawn=(threads := Threads())).state
    state.choose(f"{scripted.url}/slow.jpg")
    assert state.busy
    state.run()  # would send the image before
    assert state.response is None
    state.choose(IMAGES / "two.jpg")
    assert state.wait(20)
    assert state.source.title == "two.jpg"
    state.choose(f"{scripted.url}/slow.jpg")
    state.choose_sample("coffee")
    threads.join()
    assert state.source.title == "coffee"
    assert not state.busy


def test_an_image_is_chosen_while_a_request_runs(scripted):
    state = explored(scripted, spawn=(threads := Threads())).state
    found = {"x": 9, "y": 9, "width": 9, "height": 9, "class": "cat", "confidence": 0.9}
    scripted.respond(response(found, delay=0.5))
    state.run()
    state.choose("no/such.jpg")
    state._openings.wait(20)
    assert "no/such.jpg" in str(state.problem)
    state.choose(IMAGES / "cat.jpg")
    assert state.wait(20)
    threads.join()
    assert state.response.source.title == "astronaut"
    assert state.source.title == "cat.jpg"
    assert state.outdated is Outdated.IMAGE
    scripted.respond(response(delay=0.5))
    state.run()
    state.choose("no/such.jpg")
    assert state.wait(20)
    assert names(state.result) == []
    assert "no/such.jpg" in str(state.problem)  # the response does not hide it
