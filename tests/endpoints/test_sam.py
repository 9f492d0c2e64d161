"""SAM 3 and SAM 2: the prompts that are refused, the requests, and what responses say."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfhosted import Client, errors, hosted
from rfhosted.endpoints import sam
from rfhosted.endpoints.prompted import Scale
from rfhosted.hosted import Task
from rfhosted.outputs import masks
from rfhosted.outputs.values import Rle
from support.recordings import prompted_image, prompted_recordings
from support.scripted import Response

RECORDED = {
    r.name: r
    for r in prompted_recordings(
        "sam3-concept", "sam3-visual", "sam3-embed", "sam3-proxied", "sam2"
    )
}
#: Answers of routes that the library does not call, and of a format that it does not ask for.
NOT_CALLED = {"sam2/embed", "sam3-embed/embed", "sam2/binary-npz"}
SCALE = Scale((640, 480), (640, 480))
IMAGE = {"type": "base64", "value": "…"}
BOX = (60, 50, 220, 150)


def bodies(call, scale=SCALE) -> list[dict]:
    return call.bodies(IMAGE, scale)


def concept(*results: list) -> dict:
    entries = [
        {"prompt_index": i, "echo": {}, "predictions": result} for i, result in enumerate(results)
    ]
    return {"prompt_results": entries, "time": 0.25}


def polygon(*parts: list, confidence=0.9) -> dict:
    return {"masks": list(parts), "confidence": confidence, "format": "polygon"}


def rle(bits: np.ndarray, confidence=0.9) -> dict:
    flat = bits.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False))
    counts = np.diff(edges, prepend=0, append=flat.size).tolist()
    return {
        "masks": {"size": list(bits.shape), "counts": counts},
        "confidence": confidence,
        "format": "rle",
    }


SQUARE = [[10, 20], [10, 40], [50, 40], [50, 20]]


# --- What is refused before anything is sent -------------------------------------------------


@pytest.mark.parametrize(
    ("prompts", "error"),
    [
        ({}, ValueError),
        ({"names": ["a"], "box": BOX}, ValueError),
        ({"points": [(1, 1)], "boxes": [BOX]}, ValueError),
        ({"names": ["a"], "points": [(1, 1)]}, ValueError),
        ({"points": [], "box": BOX}, ValueError),
        ({"names": ["a"], "like": BOX}, ValueError),
        ({"box": BOX, "boxes": [BOX]}, ValueError),
        ({"unlike": BOX}, ValueError),
        ({"points": [(1, 1)], "unlike": BOX}, ValueError),
        ({"names": []}, ValueError),
        ({"names": ""}, ValueError),
        ({"names": ["a", " "]}, ValueError),
        ({"names": [3]}, TypeError),
        ({"boxes": []}, ValueError),
        ({"boxes": BOX}, TypeError),
        ({"like": []}, ValueError),
        ({"like": 3}, TypeError),
        ({"box": (220, 50, 60, 150)}, ValueError),
        ({"box": (1, 2, 3)}, TypeError),
        ({"box": (0, 0, float("nan"), 5)}, ValueError),
        ({"points": []}, ValueError),
        ({"points": (1, 1)}, TypeError),
        ({"points": [(1, 1, False)]}, ValueError),
        ({"points": [(1, 1, True, 4)]}, TypeError),
        ({"names": ["a"], "confidence": 40}, ValueError),
        ({"names": ["a"], "model": "clip"}, ValueError),
        ({"names": ["a"], "model": None}, TypeError),
        ({"box": BOX, "model": "sam2/huge"}, ValueError),
        ({"names": ["a"], "model": "sam2"}, errors.UnsupportedError),
        ({"like": BOX, "model": "sam2/hiera_tiny"}, errors.UnsupportedError),
    ],
)
def test_prompts_that_make_no_sense_are_refused(prompts, error) -> None:
    with pytest.raises(error) as caught:
        sam.call(**prompts)
    assert str(caught.value)


@pytest.mark.parametrize(
    "prompts",
    [
        {"box": (0, 0, 641, 10)},
        {"boxes": [(0, 0, 1, 1), (-1, 0, 5, 5)]},
        {"like": (0, 470, 10, 490)},
        {"names": "a", "unlike": [(0, 470, 10, 490)]},
        {"points": [(10, 481)]},
        {"points": [(10, 10), (-3, 10, False)]},
        {"points": [(float("nan"), 10)]},
    ],
)
def test_a_prompt_outside_of_the_image_is_refused(prompts) -> None:
    with pytest.raises(ValueError, match="640 x 480"):
        sam.call(**prompts).check((640, 480))


@pytest.mark.parametrize(
    ("given", "family", "by_names", "by_points"),
    [
        ("sam3", "sam3", "sam3/sam3_final", "sam3/sam3_interactive"),
        ("sam3/sam3_final", "sam3", "sam3/sam3_final", "sam3/sam3_interactive"),
        ("sam3/mine", "sam3-fine-tuned", "sam3/mine", "sam3/mine"),
        ("acme/blocks-4", "sam3-fine-tuned", "acme/blocks-4", "acme/blocks-4"),
        ("sam2", "sam2", None, "sam2/hiera_large"),
        ("sam2/hiera_tiny", "sam2", None, "sam2/hiera_tiny"),
    ],
)
def test_models(given, family, by_names, by_points) -> None:
    calls = [sam.call(points=[(1, 1)], model=given)]
    assert calls[0].model == by_points
    if by_names:
        calls.append(sam.call(names="a", model=given))
        assert calls[1].model == by_names
    for call in calls:
        assert call.family == family
        assert call.family in hosted.PROMPTED_MODELS
        call.check((640, 480))


# --- Requests --------------------------------------------------------------------------------


def same_request(name: str, call) -> dict:
    """The body built for a recorded request, which has all that the recorded one has."""
    recorded = RECORDED[name].request
    assert call.path == recorded["path"]
    (body,) = bodies(call)
    expected = recorded["body"]["json"]
    assert body["format"] == "rle"
    for field in expected.keys() - {"image", "format", "prompts", "multimask_output"}:
        assert body[field] == expected[field]
    prompts = expected["prompts"]
    prompts = prompts["prompts"] if isinstance(prompts, dict) else prompts
    # The type is always sent, also where the recorded request has none.
    assert [{"type": "visual"} | p if "boxes" in p else p for p in prompts] == body["prompts"]
    return body


@pytest.mark.parametrize(
    ("name", "prompts"),
    [
        ("sam3-concept/rle-several", {}),
        ("sam3-concept/exemplar-box-xywh", {"like": BOX}),
        ("sam3-concept/text-and-negative-box", {"unlike": [(360, 280, 480, 450)]}),
        ("sam3-concept/rle-hole", {}),
        ("sam3-concept/fine-tuned-501", {"model": "acme/blocks-4-sam3-t1"}),
        ("sam3-visual/one-point", {}),
        ("sam3-visual/positive-and-negative-point", {}),
        ("sam3-visual/box-centre-anchored", {}),
        ("sam2/point-tiny", {"model": "sam2/hiera_tiny"}),
        ("sam2/box-rle", {"model": "sam2"}),
    ],
)
def test_requests_match_the_recorded_ones(name, prompts) -> None:
    given = RECORDED[name].request["body"]["json"]["prompts"]
    given = given["prompts"] if isinstance(given, dict) else given
    names = [prompt["text"] for prompt in given if "text" in prompt]
    if names:
        prompts = prompts | {"names": names}
    elif "points" in given[0]:
        points = [(p["x"], p["y"], p["positive"]) for p in given[0]["points"]]
        prompts = prompts | {"points": points}
    elif "box" in given[0]:
        box = given[0]["box"]
        x, y = box["x"] - box["width"] / 2, box["y"] - box["height"] / 2
        prompts = prompts | {"box": (x, y, x + box["width"], y + box["height"])}
    same_request(name, sam.call(**prompts))


def test_many_names_are_several_requests_merged_in_order() -> None:
    names = [f"thing {i}" for i in range(33)]
    call = sam.call(names=names)
    sent = bodies(call)
    assert [len(body["prompts"]) for body in sent] == [16, 16, 1]
    assert [p["text"] for body in sent for p in body["prompts"]] == names
    assert {p["type"] for body in sent for p in body["prompts"]} == {"text"}
    responses = [concept(*([polygon(SQUARE)] for _ in body["prompts"])) for body in sent]
    parsed = call.read(responses, SCALE)
    assert [(d.class_name, d.class_id) for d in parsed.output] == [
        (name, i) for i, name in enumerate(names)
    ]
    assert parsed.exec == pytest.approx(0.75)


def test_seventeen_names_are_two_requests() -> None:
    assert len(bodies(sam.call(names=[str(i) for i in range(17)]))) == 2


def test_each_box_is_a_request() -> None:
    call = sam.call(boxes=[(0, 0, 10, 20), (10, 10, 30, 30), (5, 5, 6, 7)])
    sent = bodies(call)
    assert [body["prompts"] for body in sent] == [
        [{"box": {"x": 5, "y": 10, "width": 10, "height": 20}}],
        [{"box": {"x": 20, "y": 20, "width": 20, "height": 20}}],
        [{"box": {"x": 5.5, "y": 6, "width": 1, "height": 2}}],
    ]
    none = {"predictions": [polygon([])], "time": None}
    one = {"predictions": [polygon(SQUARE)], "time": 0.5}
    parsed = call.read([one, none, one], SCALE)
    assert [(d.class_name, d.class_id) for d in parsed.output] == [("object 1", 0), ("object 3", 2)]
    assert parsed.exec is None


def test_points_say_more_of_the_object_in_a_box() -> None:
    call = sam.call(box=(0, 0, 10, 20), points=[(3, 4, False)])
    (body,) = bodies(call)
    assert body["prompts"] == [
        {
            "points": [{"x": 3, "y": 4, "positive": False}],
            "box": {"x": 5, "y": 10, "width": 10, "height": 20},
        }
    ]


def test_examples_and_counterexamples_have_labels() -> None:
    call = sam.call(like=[(0, 0, 10, 20), (10, 10, 30, 30)], unlike=(1, 2, 3, 4))
    (body,) = bodies(call)
    (prompt,) = body["prompts"]
    assert prompt["type"] == "visual"
    assert prompt["box_labels"] == [1, 1, 0]
    assert prompt["boxes"][2] == {"x": 1, "y": 2, "width": 2, "height": 2}
    parsed = call.read([concept([polygon(SQUARE), polygon(SQUARE)])], SCALE)
    assert [(d.class_name, d.class_id) for d in parsed.output] == [("object 1", 0), ("object 2", 1)]


@pytest.mark.parametrize(("given", "sent"), [(None, 0.5), (0, 0.01), (0.3, 0.3), (1, 1)])
def test_confidence(given, sent) -> None:
    call = sam.call(names="a", confidence=given)
    assert bodies(call)[0]["output_prob_thresh"] == sent


def test_masks_of_points_below_the_confidence_are_left_out() -> None:
    raw = {"predictions": [polygon(SQUARE, confidence=0.6)], "time": 0.1}
    assert len(sam.call(box=BOX).read([raw], SCALE).output) == 1
    parsed = sam.call(box=BOX, confidence=0.7).read([raw], SCALE)
    assert parsed.output == ()
    assert parsed.notes


# --- Responses -------------------------------------------------------------------------------


def call_for(recording) -> sam.ByConcept | sam.ByPlace:
    """A call that its response fits."""
    if recording.request["path"] == "/sam3/concept_segment":
        prompts = recording.request["body"]["json"]["prompts"]
        names = [p.get("text") for p in prompts]
        return sam.call(names=names) if all(names) else sam.call(like=(0, 0, 5, 5))
    model = "sam2" if "sam2" in recording.request["path"] else "sam3"
    return sam.call(box=(0, 0, 5, 5), model=model)


def shown_masks(recording) -> list:
    """The masks in a response that are not empty."""
    raw = recording.json
    results = raw.get("prompt_results", [raw])
    found = [item["masks"] for result in results for item in result["predictions"]]
    return [each for each in found if each != [[]]]


def answered(scripted, recording, call):
    scripted.respond(Response(recording.body, recording.status, recording.headers))
    image = prompted_image(recording.request.get("body", {}).get("image_file") or "one.jpg")
    return Client(api_key="key", base_url=scripted.url, retries=0).run(call, image)


@pytest.mark.parametrize(
    "name", [n for n, r in RECORDED.items() if r.status == 200 and n not in NOT_CALLED]
)
def test_recorded_responses_are_read(scripted, name) -> None:
    recording = RECORDED[name]
    prediction = answered(scripted, recording, call_for(recording))
    expected = shown_masks(recording)
    assert prediction.task is Task.INSTANCE_SEGMENTATION
    assert len(prediction.detections) == len(expected)
    width, height = prediction.source_image.size
    for item, mask in zip(prediction.objects, expected, strict=True):
        several = isinstance(mask, list) and len(mask) > 1
        assert isinstance(item.mask, Rle) == (isinstance(mask, dict) or several)
        x0, y0, x1, y1 = item.box
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert masks.area(item.mask, (width, height)) > 0
    assert prediction.timing.exec == recording.json["time"]
    (received,) = scripted.received
    assert received.path == recording.request["path"]
    assert "key" not in received.body.decode()


@pytest.mark.parametrize("name", [n for n, r in RECORDED.items() if r.status != 200])
def test_recorded_failures_are_the_right_error(scripted, name) -> None:
    recording = RECORDED[name]
    kinds = {
        400: errors.InvalidRequestError,
        401: errors.AuthenticationError,
        402: errors.PaymentRequiredError,
        404: errors.ModelNotFoundError,
        422: errors.InvalidRequestError,
        423: errors.PaymentRequiredError,
        500: errors.ServiceError,
        501: errors.UnsupportedError,
    }
    with pytest.raises(kinds[recording.status]) as caught:
        answered(scripted, recording, sam.call(names="a"))
    assert caught.value.status == recording.status
    assert "/9j/" not in str(caught.value)  # the image that a 422 repeats


def test_a_failure_behind_the_server_may_be_the_plan(scripted) -> None:
    with pytest.raises(errors.ServiceError) as caught:
        answered(scripted, RECORDED["sam3-proxied/proxy-fails-500"], sam.call(names="a"))
    assert "plan" in caught.value.advice
    assert len(scripted.received) == 1  # billable: not repeated unasked


def test_a_hole_stays_a_hole() -> None:
    bits = np.zeros((48, 64), dtype=bool)
    bits[10:30, 20:50] = True
    bits[15:20, 30:40] = False
    scale = Scale((640, 480), (64, 48))
    (item,) = sam.call(names="a").read([concept([rle(bits)])], scale).output
    assert item.box == (200, 100, 500, 300)
    assert masks.area(item.mask, (640, 480)) == bits.sum() * 100


def test_an_empty_run_length_mask_is_dropped_silently() -> None:
    parsed = sam.call(box=BOX).read(
        [{"predictions": [rle(np.zeros((48, 64), dtype=bool))], "time": 0.1}], SCALE
    )
    assert parsed.output == parsed.notes == ()


def test_what_the_embedded_server_says_is_a_note() -> None:
    raw = concept([polygon(SQUARE)]) | {"derived": "By GrabCut, not by SAM 3."}
    assert sam.call(names="a").read([raw], SCALE).notes == ("By GrabCut, not by SAM 3.",)


def test_an_unreadable_mask_beside_a_good_one_is_noted() -> None:
    bad = {"masks": {"size": [480, 640], "counts": "?"}, "confidence": 0.5}
    parsed = sam.call(names=["a", "b"]).read([concept([polygon(SQUARE), bad], [])], SCALE)
    assert len(parsed.output) == 1
    assert len(parsed.notes) == 1


BROKEN = [
    None,
    3,
    [],
    {},
    {"prompt_results": None, "predictions": None},
    {"prompt_results": [], "predictions": {}},
    {"message": "busy"},
    *(
        concept([item]) | {"predictions": [item]}
        for item in (
            None,
            {},
            "mask",
            {"masks": None, "confidence": 0.5},
            {"masks": "abc", "confidence": 0.5},
            {"masks": [3], "confidence": 0.5},
            {"masks": {"size": [10**9, 10**9], "counts": "a"}, "confidence": 0.5},
            {"masks": {"size": [480, 640], "counts": "é\x00"}, "confidence": 0.5},
            {"masks": {"size": [480, 640], "counts": []}, "confidence": 0.5},
            polygon(SQUARE, confidence=None),
            polygon(SQUARE, confidence=float("nan")),
            polygon(SQUARE, confidence=40),
            polygon([[1e300, 1], [1, 1e300], [float("inf"), 3]]),
            polygon([[1], [2, 3, 4], "x", None]),
        )
    ),
]


@pytest.mark.parametrize("raw", BROKEN)
@pytest.mark.parametrize("prompts", [{"names": "a"}, {"box": BOX}])
def test_a_response_that_cannot_be_read_is_kept(raw, prompts) -> None:
    with pytest.raises(errors.UnexpectedAnswerError) as caught:
        sam.call(**prompts).read([raw], SCALE)
    assert caught.value.raw is raw


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["masks", "confidence", "size", "counts", "predictions"]), inner
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)  # no test depends on the time it takes
@given(json_values, json_values)
def test_no_response_fails_in_another_way(item, confidence) -> None:
    for raw in (concept([item]), concept([{"masks": item, "confidence": confidence}])):
        for call in (sam.call(names="a"), sam.call(box=BOX)):
            with contextlib.suppress(errors.UnexpectedAnswerError):
                call.read([raw | {"predictions": raw["prompt_results"][0]["predictions"]}], SCALE)


# --- Original and sent pixels ----------------------------------------------------------------

sides = st.integers(8, 4000)
sizes = st.tuples(sides, sides)
fractions = st.tuples(*[st.floats(0, 0.45)] * 2, *[st.floats(0.55, 1)] * 2)


@settings(deadline=None)  # no test depends on the time it takes
@given(sizes, sizes, fractions)
def test_prompts_are_sent_in_pixels_of_the_sent_image(original, sent, place) -> None:
    scale = Scale(original, sent)
    box = tuple(part * side for part, side in zip(place, original * 2, strict=True))
    expected = [part * side for part, side in zip(place, sent * 2, strict=True)]
    by_place = sam.call(box=box)
    by_place.check(original)
    centre = bodies(by_place, scale)[0]["prompts"][0]["box"]
    half = centre["width"] / 2, centre["height"] / 2
    x, y = centre["x"], centre["y"]
    assert [x - half[0], y - half[1], x + half[0], y + half[1]] == pytest.approx(expected, abs=1e-6)
    corner = bodies(sam.call(like=box), scale)[0]["prompts"][0]["boxes"][0]
    x, y = corner["x"], corner["y"]
    corners = [x, y, x + corner["width"], y + corner["height"]]
    assert corners == pytest.approx(expected, abs=1e-6)
    (point,) = bodies(sam.call(points=[box[:2]]), scale)[0]["prompts"][0]["points"]
    assert [point["x"], point["y"]] == pytest.approx(expected[:2], abs=1e-6)
    assert point["positive"] is True


@settings(deadline=None)  # no test depends on the time it takes
@given(sizes, st.tuples(st.integers(8, 200), st.integers(8, 200)), fractions)
def test_masks_come_back_in_pixels_of_the_original(original, sent, place) -> None:
    """A mask that fills the box of the prompt, as polygon, in parts and as run lengths."""
    x0, y0, x1, y1 = (int(part * side) for part, side in zip(place, sent * 2, strict=True))
    bits = np.zeros(sent[::-1], dtype=bool)
    bits[y0:y1, x0:x1] = True
    expected = [
        edge * whole / part
        for edge, whole, part in zip((x0, y0, x1, y1), original * 2, sent * 2, strict=True)
    ]
    outline = [[x0, y0], [x0, y1], [x1, y1], [x1, y0]]
    scale = Scale(original, sent)
    forms = [rle(bits), polygon(outline), polygon(outline, outline)]
    parsed = sam.call(names="a").read([concept(forms)], scale)
    pixel = max(original[0] / sent[0], original[1] / sent[1])
    for item, tolerance in zip(parsed.output, (1e-6, 0.01, 1.01 * pixel), strict=True):
        assert item.box == pytest.approx(expected, abs=max(tolerance, 1e-4 * max(original)))


shapes = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 20), st.integers(1, 12), st.integers(1, 12)),
    min_size=1,
    max_size=5,
)


@settings(deadline=None)  # no test depends on the time it takes
@given(shapes)
def test_a_union_of_masks_is_what_a_canvas_holds(rectangles) -> None:
    canvas, parts = np.zeros((24, 36), dtype=bool), []
    for x, y, width, height in rectangles:
        part = np.zeros_like(canvas)
        part[y : y + height, x : x + width] = True
        canvas |= part
        flat = rle(part)["masks"]["counts"]
        parts.append(masks.rle((24, 36), np.array(flat)))
    union = masks.union(parts, (36, 24), (36, 24))
    assert (masks.stack([union], (36, 24))[0] == canvas).all()


def test_bodies_are_json() -> None:
    """Numpy's numbers, as a detection's box has them, are numbers of JSON in the end."""
    box = np.array([1, 2, 30, 40], dtype=np.float32)
    for call in (sam.call(box=box), sam.call(like=box), sam.call(boxes=[box], model="sam2")):
        assert json.loads(json.dumps(bodies(call)))
    assert json.dumps(bodies(sam.call(points=np.array([[1, 2]]))))
