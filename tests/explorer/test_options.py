"""What can be chosen, and the reasons why something cannot: nothing is sent for any of it."""

from __future__ import annotations

import pytest

from rfhosted import Client, Task, hosted
from rfhosted.explorer import options
from rfhosted.hosted import ApiVersion

V1, V2 = ApiVersion.V1, ApiVersion.V2


def clients(scripted):
    return {
        "local": Client(),
        "keyed": Client("a-key"),
        "eu": Client("a-key", region="eu"),
        "own": Client(base_url=scripted.url),
    }


@pytest.mark.parametrize("task", Task)
def test_every_model_that_is_offered_can_be_asked(task, scripted):
    for client in clients(scripted).values():
        offered = options.models(task, client)
        names = [name for _, name in offered]
        assert len(set(names)) == len(names)
        assert hosted.LOCAL_MODELS[task] in names
        for name in names:
            assert options.task_of(name) is task
            assert options.why_not(client, name, task, V2) is None
    assert scripted.received == []


def test_this_machine_comes_first_where_nobody_else_can_be_asked(scripted):
    task = Task.OBJECT_DETECTION
    of = {name: options.models(task, client) for name, client in clients(scripted).items()}
    assert of["local"][0] == ("This machine: local/object-detection", "local/object-detection")
    assert {label.endswith(" (needs a key)") for label, _ in of["local"][1:]} == {True}
    for name in ("keyed", "own"):
        assert of[name][-1][1] == "local/object-detection"
        assert not any("key" in label for label, _ in of[name])


def test_models_are_grouped_by_family_the_small_ones_first():
    labels = [label for label, _ in options.models(Task.OBJECT_DETECTION, Client("a-key"))][:-1]
    families = [label.partition(":")[0] for label in labels]
    assert families == sorted(families, key=families.index)
    assert families[0] == "RF-DETR"
    names = [label.partition(": ")[2] for label in labels]
    assert names.index("rfdetr-nano") < names.index("rfdetr-small") < names.index("rfdetr-base")
    assert names.index("yolov8n-640") < names.index("yolov8s-640") < names.index("yolov8n-1280")
    assert not any(name.startswith("yolov11") for name in names)  # yolo11 says the same


@pytest.mark.parametrize(
    ("name", "task"),
    [
        (None, None),
        ("yolov8n-640", Task.OBJECT_DETECTION),
        ("local/classification", Task.CLASSIFICATION),
        ("my-project/3", None),
        ("yolov8", None),
        ("", None),
        ("a b c", None),
    ],
)
def test_the_task_of_a_model(name, task):
    assert options.task_of(name) is task


@pytest.mark.parametrize(
    ("who", "model", "task", "version", "reason"),
    [
        ("local", None, Task.OBJECT_DETECTION, V1, None),
        ("local", "yolov8n-640", Task.OBJECT_DETECTION, V2, None),  # one of this machine stands in
        ("local", "mine/3", Task.OBJECT_DETECTION, V2, "there is no API key. Pass api_key="),
        (
            "local",
            "local/dogs",
            None,
            V2,
            "no local model 'local/dogs'. The local models are local/object-detection",
        ),
        ("local", "yolov8n-64", None, V2, "nor an id of two segments. Did you mean yolov8n-640"),
        ("keyed", None, Task.SEMANTIC_SEGMENTATION, V2, None),
        ("keyed", None, Task.SEMANTIC_SEGMENTATION, V1, "known on v1. Name a model of your own"),
        ("keyed", "mine/3", None, V2, None),
        ("keyed", "mine/3", None, V1, "the task of 'mine/3' is not known. Pass task="),
        ("keyed", "mine/3", Task.CLASSIFICATION, V1, None),
        ("keyed", "yolov8n-640", Task.CLASSIFICATION, V2, "a model for object-detection, not"),
        ("keyed", "sam2/large", None, V1, "is served by V2 only. Use api_version='v2'"),
        ("keyed", "florence-2-base", None, V2, "needs a prompt or is not a model"),
        ("eu", None, Task.OBJECT_DETECTION, V1, "v1 has no host in the region eu. Use"),
        ("eu", None, Task.OBJECT_DETECTION, V2, None),
        ("own", None, Task.SEMANTIC_SEGMENTATION, V1, "is known on v1"),
        ("own", "mine/3", Task.OBJECT_DETECTION, V1, None),
    ],
)
def test_why_not(scripted, who, model, task, version, reason):
    told = options.why_not(clients(scripted)[who], model, task, version)
    assert (told is None) == (reason is None)
    assert (reason or "") in (told or "")
    assert "nothing was sent" not in (told or "")
    assert scripted.received == []


def test_defaults_are_named():
    assert options.default_model(Client(), Task.CLASSIFICATION, V1) == "local/classification"
    keyed = Client("a-key")
    assert options.default_model(keyed, Task.OBJECT_DETECTION, V1) == "yolov8n-640"
    assert options.default_model(keyed, Task.SEMANTIC_SEGMENTATION, V1) == "none"


def test_sizes_are_never_larger_than_the_picture():
    assert options.sizes((640, 400)) == [
        ("automatic", ""),
        *((f"{n} px", n) for n in (160, 320, 416, 512)),
        ("original (640 x 400)", "original"),
    ]
    assert [value for _, value in options.sizes(None)][-2:] == [2048, "original"]
    assert [value for _, value in options.sizes((100, 20))] == ["", "original"]


@pytest.mark.parametrize(
    ("task", "version", "shown", "asked"),
    [
        (Task.OBJECT_DETECTION, V2, 0.4, 0.05),
        (Task.OBJECT_DETECTION, V1, 0.01, 0.01),
        (Task.KEYPOINT_DETECTION, V2, 0.9, 0.05),
        (Task.INSTANCE_SEGMENTATION, V2, 0.4, 0.2),
        (Task.INSTANCE_SEGMENTATION, V2, 0.1, 0.1),
        (Task.CLASSIFICATION, V1, 0.4, 0.0),
        (Task.SEMANTIC_SEGMENTATION, V2, 0.4, 0.0),
        (Task.SEMANTIC_SEGMENTATION, V1, 0.4, 0.4),
    ],
)
def test_it_is_asked_low_enough_to_go_down(task, version, shown, asked):
    assert options.confidence_asked(task, version, shown) == asked
    assert options.confidence_asked(task, version, options.confidence_shown(task)) <= (
        options.confidence_shown(task)
    )
