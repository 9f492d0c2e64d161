"""Florence-2 and other vision-language models, against recordings of the real server software."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfhosted.endpoints import florence2
from rfhosted.endpoints.prompted import Scale
from rfhosted.errors import UnexpectedAnswerError
from rfhosted.hosted import PROMPTED_MODELS, Task
from rfhosted.outputs.values import Text
from support.recordings import RECORDINGS

FOLDER = RECORDINGS / "prompted"
IMAGE = {"type": "base64", "value": "…"}
SIZE = (640, 480)
REGION = (59.52, 49.92, 219.52, 149.76)
#: Recording: the arguments, and the task and number of objects (or the text) of its response.
FLORENCE = {
    "caption": ({}, "A picture of 5 blocks on a grey ground."),
    "detailed-caption": ({"task": "detailed-caption"}, Task.TEXT),
    "more-detailed-caption": ({"task": "more-detailed-caption"}, Task.TEXT),
    "od": ({"task": "object-detection"}, 5),
    "od-none": ({"task": "object-detection"}, 0),
    "exif-rotated-od": ({"task": "object-detection"}, 5),
    "dense-region-caption": ({"task": "object-detection-and-caption"}, 5),
    "region-proposal": ({"task": "region-proposal"}, 5),
    "phrase-grounding": (
        {
            "prompt": "a red block and a green block and a dog",
            "task": "phrase-grounded-object-detection",
        },
        3,
    ),
    "open-vocabulary": (
        {"prompt": ["red block", "green block"], "task": "open-vocabulary-object-detection"},
        3,
    ),
    "referring-segmentation": (
        {"prompt": "red block", "task": "phrase-grounded-instance-segmentation"},
        1,
    ),
    "region-to-segmentation": (
        {"region": REGION, "task": "detection-grounded-instance-segmentation"},
        1,
    ),
    "region-to-category": (
        {"region": REGION, "task": "detection-grounded-classification"},
        "red block",
    ),
    "region-to-description": (
        {"region": REGION, "task": "detection-grounded-caption"},
        "a red block on a grey ground",
    ),
    "region-to-ocr": (
        {"region": (16, 25.2, 120, 59.4), "task": "detection-grounded-ocr"},
        "MIND",
    ),
    "ocr": ({"task": "ocr"}, "MINDTHEGAPplatform42"),
    "ocr-none": ({"task": "ocr"}, ""),
    "ocr-with-region": ({"task": "ocr-with-text-detection"}, 5),
    "fine-tuned": ({"task": "object-detection", "model": "acme/parts-3-florence-2-base-t1"}, 5),
}
LANGUAGE = {
    "qwen25-text": "There are 5 blocks of colour.",
    "qwen35-thinking": "There are 5 blocks of colour.",
    "paligemma-text": "There are 5 blocks of colour.",
    "glm-ocr-text": "MIND THE GAP platform 42",
    "key-in-body-ok": "There are 1 blocks of colour.",
}


def exchange(name):
    data = json.loads(Path(FOLDER / f"{name}.json").read_text())
    return data["request"]["body"]["json"], json.loads(data["response"]["body_text"])


def size_of(response):
    return (response["image"]["width"], response["image"]["height"])


@pytest.mark.parametrize("name", FLORENCE)
def test_recorded_tasks(name):
    arguments, expected = FLORENCE[name]
    sent, received = exchange(f"florence2/{name}")
    size = size_of(received)
    call = florence2.call(**arguments)
    call.check(size)
    (body,) = call.bodies(sent["image"], Scale(size, size))
    assert body == sent | {"max_new_tokens": 1024}
    double = (2 * size[0], 2 * size[1])
    parsed = call.read([received], Scale(double, size))
    assert parsed.exec == received["time"]
    if isinstance(parsed.output, Text):
        assert parsed.task is Task.TEXT
        assert expected in (Task.TEXT, parsed.output.text)
        return
    assert len(parsed.output) == expected
    masked = "segmentation" in arguments["task"]
    assert parsed.task is (Task.INSTANCE_SEGMENTATION if masked else Task.OBJECT_DETECTION)
    for item in parsed.output:
        assert item.confidence is None
        assert item.class_name
        assert (item.mask is not None) == masked
        assert max(item.box[0::2]) <= double[0]
        assert max(item.box[1::2]) <= double[1]


def test_places_are_scaled_to_the_original_image():
    _, received = exchange("florence2/od")
    call = florence2.call(task="object-detection")
    found = call.read([received], Scale((1280, 960), SIZE)).output
    assert found[0].box == (160, 540, 520, 878)


def test_turned_text_keeps_its_corners():
    _, received = exchange("florence2/ocr-with-region")
    found = florence2.call(task="ocr-with-text-detection").read(
        [received], Scale((400, 180), (400, 180))
    )
    assert [item.class_name for item in found.output] == ["MIND", "THE", "GAP", "platform", "42"]
    assert found.output[0].corners == ((24, 29), (112, 29), (112, 54), (24, 54))


def test_a_response_about_another_size_is_not_drawn():
    _, received = exchange("florence2/od")
    call = florence2.call(task="object-detection")
    parsed = call.read([received | {"image": {"width": 320, "height": 320}}], Scale(SIZE, SIZE))
    assert parsed.output == ()
    assert "320 x 320" in parsed.notes[0]


@pytest.mark.parametrize("name", LANGUAGE)
def test_recorded_texts_of_other_models(name):
    sent, received = exchange(f"vlm/{name}")
    call = florence2.call(sent["prompt"], model=sent["model_id"])
    assert call.family in PROMPTED_MODELS
    (body,) = call.bodies(sent["image"], Scale(SIZE, SIZE))
    extra = {"api_key", "enable_thinking"}
    assert body == {k: v for k, v in sent.items() if k not in extra} | {"max_new_tokens": 1024}
    parsed = call.read([received], Scale(SIZE, SIZE))
    assert (parsed.task, parsed.output.text) == (Task.TEXT, LANGUAGE[name])


def test_moondream_reports_detections():
    _, received = exchange("vlm/moondream2-detects")
    call = florence2.call("red block", model="moondream2/moondream2_2b_jul24")
    parsed = call.read([received], Scale((1280, 960), SIZE))
    assert call.family == "moondream2"
    assert parsed.task is Task.OBJECT_DETECTION
    assert parsed.output[0].box == (120, 100, 442, 302)


@pytest.mark.parametrize(
    "arguments",
    [
        {"prompt": "How many dogs?"},
        {"prompt": "a dog", "task": "caption"},
        {"task": "phrase-grounded-object-detection"},
        {"task": "open-vocabulary-object-detection", "prompt": []},
        {"task": "phrase-grounded-object-detection", "prompt": " "},
        {"task": "phrase-grounded-object-detection", "prompt": "dog<loc_3>"},
        {"task": "detection-grounded-ocr"},
        {"task": "detection-grounded-ocr", "region": (5, 5, 1, 1)},
        {"task": "ocr", "region": (1, 1, 5, 5)},
        {"task": "captions"},
        {"task": "caption", "model": "qwen3vl-2b-instruct"},
        {"prompt": "", "model": "qwen3vl-2b-instruct"},
        {"max_new_tokens": 1025},
        {"max_new_tokens": 0},
    ],
)
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(ValueError, match=r"."):
        florence2.call(**arguments)


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(ValueError, match="detailed-caption"):
        florence2.call(task="detailed-captoin")


def test_a_region_outside_of_the_image_is_refused():
    call = florence2.call(task="detection-grounded-ocr", region=(600, 10, 700, 20))
    with pytest.raises(ValueError, match="inside the image"):
        call.check(SIZE)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {},
        {"response": {}},
        {"response": {"<OD>": 3}},
        {"response": {"<OD>": {"bboxes": "no", "labels": []}}},
        {"response": {"<OD>": {"bboxes": [[1, 2, 3]], "labels": ["a"]}}},
        {"response": {"<OD>": {"bboxes": [[1, 2, float("nan"), 4]], "labels": ["a"]}}},
        {"response": {"<OD>": "some words"}},
    ],
)
def test_broken_responses_are_one_kind_of_error(raw):
    with pytest.raises(UnexpectedAnswerError) as caught:
        florence2.call(task="object-detection").read([raw], Scale(SIZE, SIZE))
    assert caught.value.raw == raw or raw is None


@given(
    st.integers(100, 3000),
    st.integers(100, 3000),
    st.tuples(*[st.floats(0, 0.45)] * 2, *[st.floats(0.55, 1)] * 2),
)
def test_a_region_is_thousandths_of_the_original_sides(width, height, shares):
    region = tuple(share * side for share, side in zip(shares, (width, height) * 2, strict=True))
    call = florence2.call(task="detection-grounded-ocr", region=region)
    (body,) = call.bodies(IMAGE, Scale((width, height), (64, 48)))
    places = [int(part) for part in body["prompt"].replace(">", "").split("<loc_")[1:]]
    for place, share in zip(places, shares, strict=True):
        assert 0 <= place <= 999
        assert abs(place / 1000 - share) <= 0.0011


@given(st.integers(50, 3000), st.integers(50, 3000), st.integers(50, 1000), st.integers(50, 1000))
def test_boxes_cover_the_same_share_of_both_images(width, height, sent_width, sent_height):
    box = [0, 0, sent_width, sent_height]
    raw = {"response": {"<OD>": {"bboxes": [box], "labels": ["all"]}}}
    scale = Scale((width, height), (sent_width, sent_height))
    (found,) = florence2.call(task="object-detection").read([raw], scale).output
    assert found.box == pytest.approx((0, 0, width, height))
