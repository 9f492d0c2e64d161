"""What can be known before anything is sent is said before anything is sent."""

from __future__ import annotations

import pytest

from rfhosted import errors, hosted
from rfhosted.endpoints.call import LOCAL, Call
from rfhosted.endpoints.routing import find_route, resolve
from rfhosted.hosted import IMAGE_TASKS, ApiVersion, Region, Task


def route(model=None, task=None, version="v2", region="us", base_url=None, has_key=True):
    return find_route(
        Call(model, task),
        ApiVersion(version),
        region=Region(region),
        base_url=base_url,
        has_key=has_key,
    )


def test_every_alias_resolves_to_two_segments() -> None:
    assert len(hosted.aliases()) > 150
    for name, model_id in hosted.aliases().items():
        assert resolve(name) == model_id
        assert model_id.count("/") == 1


def test_every_alias_has_a_task_or_is_v2_only() -> None:
    for name, model_id in hosted.aliases().items():
        assert (hosted.task_of(model_id) is None) == hosted.is_v2_only(model_id), name


@pytest.mark.parametrize(
    ("model", "task"),
    [("yolov8n-640", "object-detection"), ("rfdetr-seg-nano", "instance-segmentation"),
     ("yolov8n-pose-640", "keypoint-detection"), ("rfdetr-keypoint-preview", "keypoint-detection"),
     ("resnet50", "classification"), ("yolo26n-sem-1024", "semantic-segmentation")],
)  # fmt: skip
def test_tasks_of_public_models(model, task) -> None:
    assert route(model).task == task


@pytest.mark.parametrize(
    ("model", "near"),
    [("yolov8n-64", "yolov8n-640"), ("rf-detr-nano", "rfdetr-nano"), ("RFDETR-NANO", "rfdetr-nano"),
     ("resnet-50", "resnet50")],
)  # fmt: skip
def test_typos_name_their_neighbours(model, near) -> None:
    with pytest.raises(errors.ModelNotFoundError, match=near) as caught:
        route(model)
    assert caught.value.status is None


@pytest.mark.parametrize(
    "model",
    [
        "",
        "  ",
        "mine",
        "/3",
        "mine/",
        "a/b/c",
        "a/b/c/4",
        "a b/3",
        "../3",
        "http://a/3",
        "a/../3",
    ],
)
def test_ids_that_cannot_be_routed(model) -> None:
    with pytest.raises(errors.ModelNotFoundError, match="nothing was sent"):
        route(model)


SECRET = "S3CRETx" * 3


@pytest.mark.parametrize(
    "pasted",
    [
        "https://universe.roboflow.com/acme/mine/model/3",
        "https://universe.roboflow.com/acme/mine/3",
        "https://universe.roboflow.com/acme/mine/dataset/3/",
        "https://app.roboflow.com/acme/mine/models/mine/3",
        "app.roboflow.com/acme/mine/3#deploy",
        f"https://detect.roboflow.com/mine/3?api_key={SECRET}",
        f"https://outline.roboflow.com/mine/3?api_key={SECRET}&confidence=40",
        f" https://classify.roboflow.com/mine/3?api_key={SECRET} ",
        f"https://serverless.roboflow.com/mine/3?api_key={SECRET}",
        f"https://api.roboflow.com/acme/mine/3?api_key={SECRET}",
        f"mine/3?api_key={SECRET}",
    ],
)
def test_pasted_addresses_are_understood(pasted) -> None:
    assert route(pasted).model == "mine/3"
    assert SECRET not in repr(route(pasted))


@pytest.mark.parametrize(
    "typed",
    [
        SECRET,
        f"https://detect.roboflow.com/?api_key={SECRET}",
        f"https://universe.roboflow.com/acme/mine?key={SECRET}",
        f"https://{SECRET}@example.com/a/b/c/d",
        f"https://[{SECRET}/a/3",
        f"rf_{SECRET} mine/3",
    ],
)
def test_what_was_typed_is_not_repeated(typed) -> None:
    with pytest.raises(errors.ModelNotFoundError) as caught:
        route(typed)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("base_url", "version", "in_header"),
    [
        ("https://serverless.roboflow.com", ApiVersion.V2, True),
        ("https://serverless.roboflow.eu/", ApiVersion.V2, True),
        ("https://detect.roboflow.com", ApiVersion.V1, False),
        ("https://infer.roboflow.com", ApiVersion.V1, False),
    ],
)
def test_hosted_addresses_as_base_url_are_known(base_url, version, in_header) -> None:
    found = route("mine/3", "object-detection", base_url=base_url)
    assert (found.version, found.key_in_header, found.is_billable) == (version, in_header, True)
    assert not route("mine/3", base_url="http://localhost:9001").is_billable


def test_ids_that_can() -> None:
    assert route("mine/3").model == "mine/3"
    assert route("acme/mine/3").model == "mine/3"  # as the roboflow package writes it
    assert (
        route(" my-ws/slug-3-rfdetr-small-t2--9589f2 ").model
        == "my-ws/slug-3-rfdetr-small-t2--9589f2"
    )


@pytest.mark.parametrize(
    "model", ["florence-2-base", "qwen25-vl-7b", "yolo26n-depth-768", "sam3/sam3_final"]
)
def test_v2_only_models(model) -> None:
    with pytest.raises(errors.UnsupportedError, match="V2 only"):
        route(model, version="v1")
    with pytest.raises(errors.UnsupportedError, match="five tasks"):
        route(model)


def test_v1_needs_a_task() -> None:
    with pytest.raises(errors.UnsupportedError, match="task="):
        route("mine/3", version="v1")
    assert route("mine/3", "classification", "v1").host == "https://classify.roboflow.com"
    assert route("mine/3", version="v1", base_url="http://a").host == "http://a"  # one host for all


def test_v1_is_not_in_the_eu() -> None:
    with pytest.raises(errors.UnsupportedError, match="eu"):
        route("coco/3", version="v1", region="eu")


def test_a_task_that_contradicts_the_model() -> None:
    with pytest.raises(ValueError, match="object-detection"):
        route("yolov8n-640", "classification")


@pytest.mark.parametrize("task", IMAGE_TASKS)
@pytest.mark.parametrize("version", ApiVersion)
def test_defaults(task, version) -> None:
    here = route(None, task, version, has_key=False)
    assert here.model == f"local/{task}"
    assert here.host == LOCAL
    assert not here.stand_in
    if (task, version) == (Task.SEMANTIC_SEGMENTATION, ApiVersion.V1):
        with pytest.raises(errors.UnsupportedError, match="v2"):
            route(None, task, version)
        return
    assert route(None, task, version).task == task


def test_nothing_named_is_object_detection() -> None:
    assert route(has_key=False).model == "local/object-detection"


def test_without_a_key_public_models_have_stand_ins() -> None:
    found = route("rfdetr-nano", has_key=False)
    assert found.model == "local/object-detection"
    assert found.stand_in
    with pytest.raises(errors.AuthenticationError, match="no API key"):
        route("mine/3", has_key=False)


def test_local_models_are_here_whatever_the_key() -> None:
    assert route("local/classification").host == LOCAL
    assert route("local/classification", base_url="http://a").host == "http://a"
    with pytest.raises(errors.ModelNotFoundError, match="local/object-detection"):
        route("local/cats")
