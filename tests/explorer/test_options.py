"""What can be chosen, and why something cannot; nothing is sent for any of it."""

from __future__ import annotations

import pytest

from rfhosted import Call, Client, HostedError, ModelNotFoundError, Task, hosted
from rfhosted.explorer import options
from rfhosted.hosted import IMAGE_TASKS, ApiVersion

V1, V2 = ApiVersion.V1, ApiVersion.V2
CANARY = "CANARYuv12WX34yz56AB78"


def clients(scripted):
    return {
        "local": Client(),
        "keyed": Client("a-key"),
        "eu": Client("a-key", region="eu"),
        "own": Client(base_url=scripted.url),
    }


@pytest.mark.parametrize("task", IMAGE_TASKS)
def test_every_model_that_is_offered_can_be_used(task, scripted):
    for client in clients(scripted).values():
        offered = options.models(task, client)
        names = [name for _, name in offered]
        assert len(set(names)) == len(names)
        assert hosted.LOCAL_MODELS[task] in names
        for name in names:
            assert options.task_of(name) is task
            assert options.why_not(client, Call(name, task, V2)) is None
    assert scripted.received == []


def test_the_local_model_comes_first_where_it_is_the_only_one(scripted):
    task = Task.OBJECT_DETECTION
    of = {name: options.models(task, client) for name, client in clients(scripted).items()}
    assert of["local"][0] == ("Local: local/object-detection", "local/object-detection")
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
    assert not any(name.startswith("yolov11") for name in names)  # the same models as yolo11


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
    ("who", "model", "task", "version", "hint"),
    [
        ("local", None, Task.OBJECT_DETECTION, V1, None),
        ("local", "yolov8n-640", Task.OBJECT_DETECTION, V2, None),  # a local stand-in
        ("local", "mine/3", Task.OBJECT_DETECTION, V2, "under More settings"),
        ("local", "local/dogs", None, V2, "local/object-detection"),
        ("local", "yolov8n-64", None, V2, "yolov8n-640"),
        ("keyed", None, Task.SEMANTIC_SEGMENTATION, V2, None),
        ("keyed", None, Task.SEMANTIC_SEGMENTATION, V1, "api_version='v2'"),
        ("keyed", "mine/3", None, V2, None),
        ("keyed", "mine/3", None, V1, "task="),
        ("keyed", "mine/3", Task.CLASSIFICATION, V1, None),
        ("keyed", "yolov8n-640", Task.CLASSIFICATION, V2, "object-detection"),
        ("keyed", "sam2/large", None, V1, "api_version='v2'"),
        ("keyed", "florence-2-base", None, V2, "prompt"),
        ("eu", None, Task.OBJECT_DETECTION, V1, "api_version='v2'"),
        ("eu", None, Task.OBJECT_DETECTION, V2, None),
        ("own", None, Task.SEMANTIC_SEGMENTATION, V1, "api_version='v2'"),
        ("own", "mine/3", Task.OBJECT_DETECTION, V1, None),
    ],
)
def test_why_not(scripted, who, model, task, version, hint):
    client, call = clients(scripted)[who], Call(model, task, version)
    reason = options.why_not(client, call)
    assert (reason is None) == (hint is None)
    if hint:
        assert hint in reason
        assert "nothing was sent" not in reason
        with pytest.raises((HostedError, ValueError)):
            client.route(call)
    assert scripted.received == []


@pytest.mark.parametrize(
    ("client", "model", "billable"),
    [
        ({}, None, False),
        ({"api_key": "a-key"}, None, True),
        ({"api_key": "a-key"}, "mine/3", True),
        ({"api_key": "a-key"}, "local/object-detection", False),
        ({"api_key": "a-key"}, "florence-2-base", True),  # cannot be sent; other calls can
        ({"api_key": "a-key", "base_url": "http://127.0.0.1:9001"}, None, False),
        ({"api_key": "a-key", "base_url": "https://serverless.roboflow.com"}, None, True),
        ({"api_key": "a-key", "base_url": "https://serverless.roboflow.eu/"}, "mine/3", True),
        ({"api_key": "a-key", "base_url": "https://detect.roboflow.com"}, None, True),
    ],
)
def test_hosted_calls_are_billable(client, model, billable):
    made = Client(**client)
    call = Call(model, Task.OBJECT_DETECTION, made.api_version)
    assert options.is_billable(made, call) is billable


@pytest.mark.parametrize(
    ("typed", "model"),
    [
        (" rfdetr-nano ", "rfdetr-nano"),
        ("proj/3", "proj/3"),
        ("ws/proj/3", "proj/3"),
        (f"https://detect.roboflow.com/proj/3?api_key={CANARY}", "proj/3"),
        (f"serverless.roboflow.com/proj/3?api_key={CANARY}", "proj/3"),
        (f"proj/3?api_key={CANARY}", "proj/3"),
        ("https://universe.roboflow.com/ws/proj/model/3", "proj/3"),
        ("https://app.roboflow.com/ws/proj/3", "proj/3"),
        (CANARY, None),
        (f"https://example.com/?api_key={CANARY}", None),
        (f"proj 3 api_key={CANARY}", None),
    ],
)
def test_only_what_is_understood_of_a_model_is_kept(typed, model):
    if model:
        assert options.understood(typed) == model
    else:
        with pytest.raises(ModelNotFoundError) as caught:
            options.understood(typed)
        assert CANARY not in str(caught.value)


def test_default_models_have_names():
    keyed = Client("a-key")
    for client, task, version, name in (
        (Client(), Task.CLASSIFICATION, V1, "local/classification"),
        (keyed, Task.OBJECT_DETECTION, V1, "yolov8n-640"),
        (keyed, Task.SEMANTIC_SEGMENTATION, V1, "none"),
    ):
        assert options.default_model(client, Call("mine/3", task, version)) == name


def test_sizes_are_never_larger_than_the_image():
    assert options.sizes((640, 400)) == [
        ("automatic", ""),
        *((f"{n} px", n) for n in (160, 320, 416, 512)),
        ("original (640 x 400)", "original"),
    ]
    assert [value for _, value in options.sizes(None)][-2:] == [2048, "original"]
    assert [value for _, value in options.sizes((100, 20))] == ["", "original"]


@pytest.mark.parametrize(
    ("task", "version", "shown", "requested"),
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
def test_the_requested_confidence_is_low_enough_to_go_down(task, version, shown, requested):
    call = Call(task=task, api_version=version)
    assert options.requested_confidence(call, shown) == requested
    default = hosted.default_confidence(task)
    assert options.requested_confidence(call, default) <= default
