"""Prompts of the panel: values, controls, points and boxes on the image, requests and code."""

from __future__ import annotations

import json

import pytest

from rfhosted.explorer.prompts import Prompt, Verb
from rfhosted.explorer.settings import Event, Outdated
from rfhosted.hosted import ApiVersion, Task
from support.explored import BOX
from support.panels import choose, shown, type_in
from support.scripted import Response

POLYGON = [[[10, 10], [60, 10], [60, 60], [10, 60]]]
MASK = {"masks": POLYGON, "confidence": 0.9, "format": "polygon"}


def by_place(*, objects=1):
    body = {"predictions": [MASK] * objects, "time": 0.1}
    return Response(json.dumps(body).encode())


def by_names(*counts):
    results = [
        {"prompt_index": i, "echo": {"prompt_index": i}, "predictions": [MASK] * count}
        for i, count in enumerate(counts)
    ]
    return Response(json.dumps({"prompt_results": results, "time": 0.1}).encode())


@pytest.fixture
def case(scripted):
    made = shown(scripted=scripted)
    made.server.received.clear()
    return made


def click(case, x, y, *, shift=False):
    widget = case.panel.image.view.widget
    count = widget.clicked.get("count", 0) + 1
    widget.set_state({"clicked": {"x": x, "y": y, "shift": shift, "count": count}})


def drag(case, x0, y0, x1, y1):
    widget = case.panel.image.view.widget
    count = widget.boxed.get("count", 0) + 1
    box = {"x0": x0, "y0": y0, "x1": x1, "y1": y1}
    widget.set_state({"boxed": {**box, "shift": False, "count": count}})


def body(case):
    return json.loads(case.server.received[-1].body)


def test_a_click_and_run_give_a_mask(case):
    case.server.respond(by_place())
    choose(case.panel.request.fields["task"], Verb.SEGMENT)
    assert case.panel.image.view.widget.mode == "box"
    assert case.panel.request.run.disabled
    click(case, 140, 100)
    assert not case.panel.request.run.disabled
    assert case.panel.image.view.widget.marks == [{"point": (140, 100), "belongs": True}]
    case.panel.request.run.click()
    assert case.state.problem is None
    assert case.state.result.task is Task.INSTANCE_SEGMENTATION
    assert len(case.state.result.detections) == 1
    assert case.server.received[-1].path.startswith("/sam3/visual_segment")


def test_points_boxes_and_undo(case):
    choose(case.panel.request.fields["task"], Verb.SEGMENT)
    form = case.panel.prompt
    click(case, 140, 100)
    click(case, 20, 30, shift=True)
    type_in(form.negative, True)
    click(case, 50, 60)
    drag(case, 60, 50, 220, 150)
    prompt = case.state.prompt
    assert prompt.points == ((140, 100, True), (20, 30, False), (50, 60, False))
    assert prompt.boxes == ((60, 50, 220, 150),)
    assert form.points.value == "140 100; 20 30 not; 50 60 not"
    assert form.boxes.value == "60 50 220 150"
    form.undo.click()
    form.undo.click()
    assert case.state.prompt.points == ((140, 100, True), (20, 30, False))
    assert case.state.prompt.boxes == ()


def test_numbers_are_points_and_boxes(case):
    choose(case.panel.request.fields["task"], Verb.SEGMENT)
    type_in(case.panel.prompt.points, "140, 100; 20 30 not")
    type_in(case.panel.prompt.boxes, "60 50 220 150")
    assert case.state.prompt.points == ((140, 100, True), (20, 30, False))
    assert case.state.prompt.boxes == ((60, 50, 220, 150),)
    for wrong in ("140", "1 2 3 4 5", "a b"):
        type_in(case.panel.prompt.points, wrong)
        assert isinstance(case.state.problem, ValueError)


def test_names_and_points_exclude_each_other(case):
    choose(case.panel.request.fields["task"], Verb.SEGMENT)
    form = case.panel.prompt
    type_in(form.names, "dog, red car, dog")
    assert case.state.prompt.names == ("dog", "red car")
    assert form.points.disabled
    assert form.boxes.disabled
    assert "off" in form.hint.value
    click(case, 140, 100)
    assert isinstance(case.state.problem, ValueError)
    assert case.state.prompt.points == ()
    type_in(form.names, "")
    click(case, 140, 100)
    assert form.names.disabled
    assert "off" in form.hint.value


def test_names_of_sam_3_and_code_with_the_same_result(case):
    case.server.respond(by_names(2, 1))
    choose(case.panel.request.fields["task"], Verb.SEGMENT)
    type_in(case.panel.prompt.names, "dog, red car")
    case.panel.request.run.click()
    assert [row["class_name"] for row in case.state.result.rows()] == ["dog", "dog", "red car"]
    python, curl = case.state.code
    sent = case.server.received[-1].body
    scope = {}
    exec(python.rsplit("\n", 1)[0], scope)
    assert case.server.received[-1].body == sent
    assert scope["p"].rows() == case.state.result.rows()
    assert "/sam3/concept_segment" in curl


def test_open_vocabulary_detection(case):
    found = BOX | {"class": "dog", "class_id": 0, "confidence": 0.07}
    case.server.respond(
        Response(
            json.dumps(
                {"predictions": [found], "image": {"width": 512, "height": 512}, "time": 0.1}
            ).encode()
        )
    )
    choose(case.panel.request.fields["task"], Verb.DETECT)
    type_in(case.panel.prompt.names, "dog")
    case.panel.request.run.click()
    assert case.state.problem is None
    assert body(case)["text"] == ["dog"]
    assert len(case.state.result.detections) == 1  # YOLO-World's scores are low


def test_a_verb_without_v1_takes_v2_and_says_why(case):
    case.state.change(api_version=ApiVersion.V1)
    choose(case.panel.request.fields["task"], Verb.SEGMENT)
    assert case.state.call.api_version is ApiVersion.V2
    case.state.set_prompt(Prompt(verb=Verb.SEGMENT, model="sam3", names=("dog",)))
    assert case.panel.request.fields["api_version"].disabled
    assert "V2 only" in case.panel.request.no_v1.value
    choose(case.panel.request.fields["task"], Verb.DETECT)
    assert not case.panel.request.fields["api_version"].disabled


def test_another_image_has_no_points(case):
    choose(case.panel.request.fields["task"], Verb.SEGMENT)
    click(case, 140, 100)
    case.state.choose_sample("cat")
    assert case.state.prompt.points == ()
    assert case.panel.image.view.widget.marks == []
    assert case.panel.prompt.undo.disabled


def test_back_to_a_task_of_predict(case):
    choose(case.panel.request.fields["task"], Verb.SEGMENT)
    assert case.panel.prompt.widget.layout.display is None
    choose(case.panel.request.fields["task"], Task.CLASSIFICATION)
    assert case.state.prompt is None
    assert case.panel.prompt.widget.layout.display == "none"
    assert case.panel.image.view.widget.mode == "view"


def test_a_402_is_shown(case):
    case.server.respond(Response(b'{"message": "Upgrade your plan"}', status=402))
    choose(case.panel.request.fields["task"], Verb.SEGMENT)
    click(case, 140, 100)
    case.panel.request.run.click()
    assert case.state.problem.status == 402
    assert "PaymentRequiredError" in case.panel.results.status.value


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({}, True),
        ({"names": ("dog",)}, False),
        ({"points": ((1, 2, True),)}, False),
        ({"points": ((1, 2, False),)}, True),
        ({"boxes": ((1, 2, 3, 4), (5, 6, 7, 8))}, False),
        ({"names": ("dog",), "points": ((1, 2, True),)}, True),
        ({"points": ((1, 2, True),), "boxes": ((1, 2, 3, 4), (5, 6, 7, 8))}, True),
        ({"model": "sam2", "names": ("dog",)}, True),
    ],
)
def test_what_cannot_go_together(fields, missing):
    prompt = Prompt(**{"verb": Verb.SEGMENT, "model": "sam3"} | fields)
    assert bool(prompt.why_not()) is missing


def test_changed_prompts_are_outdated(case):
    case.server.respond(by_place())
    choose(case.panel.request.fields["task"], Verb.SEGMENT)
    click(case, 140, 100)
    case.panel.request.run.click()
    assert case.state.outdated is None
    click(case, 150, 100)
    assert case.state.outdated is Outdated.CALL
    assert case.events.count(Event.RESPONSE) == 1


SIZE = {"width": 512, "height": 512}
LINE = BOX | {"class": "EXIT", "confidence": 0.9}
OD = {"<OD>": {"bboxes": [[1, 2, 30, 40]], "labels": ["cat"]}}


@pytest.mark.parametrize(
    ("prompt", "response"),
    [
        (
            {"verb": Verb.CLASSIFY, "model": "clip", "names": ("cat", "dog")},
            {"similarity": [0.2, 0.3]},
        ),
        ({"verb": Verb.READ, "model": "pp-ocr"}, {"result": "EXIT", "predictions": [LINE]}),
        ({"verb": Verb.ASK, "model": "florence-2-base"}, {"response": {"<CAPTION>": "a cat"}}),
        (
            {"verb": Verb.ASK, "model": "florence-2-base", "task": "object-detection"},
            {"response": OD},
        ),
        (
            {"verb": Verb.ASK, "model": "qwen3vl-2b-instruct", "text": "What is it?"},
            {"response": "a cat"},
        ),
    ],
)
def test_every_verb_shows_its_result_and_its_code(case, prompt, response):
    case.server.respond(Response(json.dumps({"image": SIZE, "time": 0.1} | response).encode()))
    case.state.set_prompt(Prompt(**prompt))
    case.panel.request.run.click()
    assert case.state.problem is None
    assert case.state.outdated is None
    for name in ("Table", "Time", "JSON", "Code"):
        case.panel.results.open(name)
    scope = {}
    exec(case.state.code[0].rsplit("\n", 1)[0], scope)
    assert scope["p"].rows() == case.state.result.rows()
    assert case.state.problem is None
