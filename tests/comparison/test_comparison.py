"""Two predictions of one image: matched by class name and IoU, by rank, by pixel."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import rfhosted
from rfhosted import Client, Task, compare
from rfhosted.images.sources import load
from rfhosted.outputs import matching
from rfhosted.outputs.masks import rle
from rfhosted.outputs.values import KeyPoint, Polygon
from support.html_tree import EVIL, Tree, decoded
from support.predictions import class_map, objects, ranking, thing
from support.scripted import Response


def test_objects_of_one_class_that_overlap_are_one():
    p = objects(thing(box=(0, 0, 10, 10)), thing("cat", (50, 50, 60, 60)))
    q = objects(thing(box=(0, 0, 10, 8), class_id=7), thing("bird", (50, 50, 60, 60)))
    c = compare(p, q)
    ((one, other, iou),) = c.both
    assert (one, other) == (p.rows()[0], q.rows()[0])
    assert iou == pytest.approx(0.8)
    assert c.only_a == p.rows()[1:]
    assert c.only_b == q.rows()[1:]
    assert c.agreement == pytest.approx(1 / 3)
    assert c.summary() == "33% agreement: 1 in both, 1 only in A, 1 only in B"


def test_the_least_iou_can_be_chosen():
    p, q = objects(thing(box=(0, 0, 10, 10))), objects(thing(box=(0, 0, 10, 4)))
    assert compare(p, q).agreement == 0
    assert compare(p, q, iou=0.4).agreement == 1  # of exactly that IoU, too
    for bad in (0, -1, 1.5, 50):
        with pytest.raises(ValueError, match="iou"):
            compare(p, q, iou=bad)


def test_each_object_is_matched_once_the_best_pairs_first():
    p = objects(thing(box=(0, 0, 10, 10)), thing(box=(0, 0, 10, 9)))
    q = objects(thing(box=(0, 0, 10, 9)))
    c = compare(p, q)
    assert [(one, iou) for one, _, iou in c.both] == [(p.rows()[1], 1.0)]
    assert c.only_a == p.rows()[:1]
    assert c.agreement == 0.5


def test_nothing_agrees_with_nothing():
    none, some = objects(), objects(thing())
    assert compare(none, none).agreement == 1
    assert compare(none, some).agreement == compare(some, none).agreement == 0
    assert compare(none, some).only_b == some.rows()
    assert compare(ranking(), ranking()).agreement == 1
    assert compare(ranking(), ranking(("a", 1.0))).agreement == 0


BOXES = st.tuples(*[st.integers(0, 99)] * 4).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)
THINGS = st.lists(st.builds(thing, st.sampled_from(["dog", "cat"]), BOXES), max_size=8)


@settings(deadline=None)
@given(a=THINGS, b=THINGS)
def test_every_object_is_somewhere_and_turning_it_round_changes_nothing(a, b):
    p, q = objects(*a), objects(*b)
    c, turned = compare(p, q), compare(q, p)
    assert len(c.both) + len(c.only_a) == len(a)
    assert len(c.both) + len(c.only_b) == len(b)
    assert 0 <= c.agreement <= 1
    assert all(
        one["class_name"] == other["class_name"] and 0.5 <= iou <= 1 for one, other, iou in c.both
    )
    same = compare(p, objects(*a))
    assert same.agreement == 1
    assert all(iou == 1 for *_, iou in same.both)
    # Ties may be broken in another way, but the best pair is always one.
    assert bool(c.both) == bool(turned.both)
    assert max((iou for *_, iou in c.both), default=0) == max(
        (iou for *_, iou in turned.both), default=0
    )


def square(x1, y1, x2, y2):
    return Polygon(np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float32))


def bits_as_rle(bits):
    flat = bits.T.ravel()
    ends = np.concatenate((np.flatnonzero(np.diff(flat)) + 1, [flat.size]))
    lengths = np.diff(np.concatenate(([0], ends)))
    return rle(bits.shape, np.concatenate(([0], lengths)) if flat[0] else lengths)


def paired(a, b, size, grid=None):
    pairs, too_many = matching.object_pairs(a, b, size, grid or size, 0.1)
    assert not too_many
    return pairs


def test_masks_are_compared_where_both_have_one():
    task, box = Task.INSTANCE_SEGMENTATION, (0, 0, 40, 40)
    left, right = np.zeros((80, 100), bool), np.zeros((80, 100), bool)
    left[0:40, 0:30] = True
    right[0:40, 10:40] = True
    one = thing(box=box, mask=bits_as_rle(left))
    other = thing(box=box, mask=bits_as_rle(right))
    bare = thing(box=box)
    assert paired([one], [other], (100, 80)) == [(0, 0, pytest.approx(20 / 40))]  # masks
    assert paired([one], [bare], (100, 80)) == [(0, 0, 1.0)]  # boxes
    assert paired([one], [other, bare], (100, 80)) == [(0, 1, 1.0)]
    assert compare(objects(one, task=task), objects(other, task=task)).agreement == 1
    assert compare(objects(one, task=task), objects(other, task=task), iou=0.6).agreement == 0


def test_a_polygon_and_run_lengths_of_one_mask_are_equal_on_any_grid():
    bits = np.zeros((800, 1000), bool)
    bits[100:501, 200:601] = True
    a = thing(box=(200, 100, 600, 500), mask=bits_as_rle(bits))
    b = thing(box=(200, 100, 600, 500), mask=square(200, 100, 600, 500))
    for grid in ((1000, 800), (500, 400), (250, 200)):
        assert paired([a], [b], (1000, 800), grid)[0][2] > 0.97


def test_a_mask_that_is_too_small_for_the_grid_leaves_the_boxes_to_tell():
    bits = np.zeros((800, 1000), bool)
    bits[1, 1] = True
    a = thing(box=(0, 0, 10, 10), mask=bits_as_rle(bits))
    assert paired([a], [a], (1000, 800), (10, 8)) == [(0, 0, 1.0)]


def test_keypoints_that_both_have_are_measured():
    def person(*points):
        key_points = tuple(KeyPoint(x, y, 0.9, i, name) for i, (name, x, y) in enumerate(points))
        return thing("person", (0, 0, 50, 50), key_points=key_points)

    task = Task.KEYPOINT_DETECTION
    p = objects(person(("nose", 10, 10), ("left_eye", 20, 20)), task=task)
    q = objects(person(("nose", 13, 14), ("right_eye", 9, 9)), task=task)
    (note,) = compare(p, q).notes
    assert "1 keypoint" in note
    assert "5.0 pixels" in note
    assert compare(p, objects(task=task)).notes == ()


def test_rankings_agree_by_their_best_five():
    p = ranking(("a", 0.5), ("b", 0.2), ("c", 0.1), ("d", 0.1), ("e", 0.05), ("f", 0.05))
    q = ranking(("b", 0.4), ("a", 0.25), ("c", 0.1), ("d", 0.1), ("x", 0.05), ("e", 0.0))
    c = compare(p, q)
    assert c.agreement == pytest.approx((0 + 1 + 1 + 1 + 4 / 5) / 5)
    assert [(one["rank"], other["rank"]) for one, other, _ in c.both] == [
        *((1, 2), (2, 1), (3, 3), (4, 4)),
    ]
    assert c.both[0][2] == pytest.approx(0.5)  # the smaller of 0.5 and 0.25 over the larger
    assert [row["class_name"] for row in c.only_a] == ["e"]
    assert [row["class_name"] for row in c.only_b] == ["x"]
    assert len(c.notes) == 1  # the first ones differ
    assert compare(p, p).agreement == 1


def test_two_classes_in_the_other_order_do_not_agree_fully():
    assert (
        compare(ranking(("a", 0.6), ("b", 0.4)), ranking(("b", 0.6), ("a", 0.4))).agreement == 0.5
    )
    assert compare(ranking(("a", 0.0)), ranking(("a", 0.0))).both[0][2] == 1


def test_of_several_labels_those_that_are_present_count():
    p = ranking(("a", 0.9), ("b", 0.8), ("c", 0.1), multi={"a", "b"})
    q = ranking(("b", 0.9), ("c", 0.8), ("a", 0.1), multi={"b", "c"})
    c = compare(p, q)
    assert c.agreement == pytest.approx(1 / 3)
    assert [[row["class_name"] for row in rows] for rows in (c.only_a, c.only_b)] == [["a"], ["c"]]
    assert c.notes == ()


def test_class_maps_agree_by_pixel_and_by_name():
    p = class_map([[0, 1], [1, 2]], {0: "background", 1: "cat", 2: "dog"}, size=(2, 2))
    q = class_map([[9, 4], [5, 5]], {9: "nothing", 4: "cat", 5: "sofa"}, 9, size=(2, 2))
    c = compare(p, q)
    assert c.agreement == 0.5  # the background, and one pixel of the cat
    ((one, other, iou),) = c.both
    assert one["class_name"] == other["class_name"] == "cat"
    assert iou == 0.5
    assert [row["class_name"] for row in c.only_a] == ["dog"]
    assert [row["class_name"] for row in c.only_b] == ["sofa"]
    (note,) = c.notes
    assert "0.50" in note


def test_class_maps_of_other_grids_are_brought_to_the_finer():
    fine = np.zeros((40, 60), np.uint8)
    fine[:, 30:] = 1
    names = {0: "background", 1: "cat"}
    p = class_map(fine, names, size=(600, 400))
    q = class_map(fine[::20, ::10], names, size=(600, 400))
    assert compare(p, q).agreement == compare(q, p).agreement == 1
    assert compare(p, q).both[0][2] == 1


def test_void_and_background_are_no_class():
    p = class_map([[255, 1]], {1: "road"}, None, size=(2, 1))
    q = class_map([[0, 1]], {0: "background", 1: "road"}, 0, size=(2, 1))
    assert compare(p, q).agreement == 1
    filtered = p.filter(classes=["sky"])
    assert compare(p, filtered).agreement == 0.5
    assert [row["class_name"] for row in compare(p, filtered).only_a] == ["road"]


def test_what_cannot_be_compared_is_an_error_with_a_reason():
    with pytest.raises(ValueError, match="object-detection, B of keypoint-detection"):
        compare(objects(), objects(task=Task.KEYPOINT_DETECTION))
    with pytest.raises(ValueError, match="100 x 80 pixels, that of B 80 x 100"):
        compare(objects(), objects(size=(80, 100)))


def test_other_thresholds_and_other_files_are_noted():
    p = objects(thing())
    (note,) = compare(p, p.filter(confidence=0.6)).notes
    assert "0.40" in note
    assert "0.60" in note

    files = load(rfhosted.sample("cat"))
    other = replace(files, data=files.data + b" ")
    (note,) = compare(replace(p, source_image=files), replace(p, source_image=other)).notes
    assert "not the same file" in note


def test_rows_for_each_kind_of_task():
    p, q = objects(thing(), thing("cat")), objects(thing(confidence=0.5), thing("bird"))
    where = {"where": "both", "class_name": "dog", "confidence_a": 0.9, "confidence_b": 0.5}
    rows = compare(p, q).rows()
    assert rows[0] == where | {"iou": 1.0}
    assert rows[1]["where"] == "only A"
    assert rows[1]["confidence_b"] is None
    assert rows[2]["where"] == "only B"
    assert rows[2]["class_name"] == "bird"
    assert list(compare(ranking(("a", 1.0)), ranking(("a", 1.0))).rows()[0]) == [
        *("where", "class_name", "rank_a", "rank_b", "confidence_a", "confidence_b"),
        "score_ratio",
    ]
    same = class_map([[1]], {1: "cat"}, size=(1, 1))
    assert list(compare(same, same).to_pandas().columns) == [
        *("where", "class_name", "share_a", "share_b", "iou"),
    ]


def test_request_and_latency_are_side_by_side():
    p = objects(thing())
    q = replace(
        p,
        api_version=rfhosted.ApiVersion.V1,
        upload=replace(p.upload, size=(50, 40), nbytes=98_700),
        timing=replace(p.timing, e2e=0.5, exec=None, load=0.25),
    )
    sides = {row["what"]: (row["A"], row["B"]) for row in compare(p, q).sides()}
    assert sides["API version"] == ("v2", "v1")
    assert sides["image sent"] == ("100 x 80 pixels", "50 x 40 pixels")
    assert sides["request size"] == ("1.2 kB", "99 kB")
    assert sides["E2E"] == ("250 ms", "500 ms, 250 ms of it loading the model")
    assert sides["Exec"] == ("125 ms", "not reported")
    assert sides["confidence threshold"] == ("0.40", "0.40")


def test_the_three_images_have_a_description_and_few_bytes():
    rng = np.random.default_rng(0)
    noise = load(Image.fromarray(rng.integers(0, 255, (900, 1200, 3), np.uint8)))
    many = [thing(f"class {i}", (i, i, i + 50, i + 50)) for i in range(100)]
    p = objects(*many, size=(1200, 900), source_image=noise)
    q = objects(*many[:-1], size=(1200, 900), source_image=noise)
    shown = compare(p, q)._repr_html_()
    assert len(shown) < 160_000
    tree = Tree(shown)
    both, one, other = images = tree.all("img")
    assert both["alt"].startswith("Differences of two results of object-detection: 99% agreement")
    assert one["alt"].startswith("A: image with the result of object-detection: 100 objects")
    assert other["alt"].startswith("B: image with the result of object-detection: 99 objects")
    for most in (100_000, 24_000):
        images = Tree(compare(p, q).html(max_bytes=most, max_side=400)).all("img")
        assert sum(len(decoded(image["src"])[0]) for image in images) <= most
    assert tree.text["summary"] == "Table of the first 40 of 100 rows"


def test_each_image_has_the_notes_of_its_prediction(monkeypatch):
    monkeypatch.setattr("rfhosted.display.annotate.MOST_DRAWN_OBJECTS", 2)
    p = objects(*[thing()] * 3, notes=("A note.",))
    tree = Tree(compare(p, p.filter(classes="cat")).html())
    assert tree.text["figcaption"].count("A note.") == 2
    assert tree.text["figcaption"].count("2 objects of the highest confidence, of 3") == 1


def test_a_and_b_have_the_same_scale_whatever_is_on_them():
    rng = np.random.default_rng(0)
    noise = load(Image.fromarray(rng.integers(0, 255, (900, 1200, 3), np.uint8)))
    crowd = [thing(f"class {i}", (i * 9, i, i * 9 + 80, i + 50)) for i in range(100)]
    few = objects(thing(), size=(1200, 900), source_image=noise)
    c = compare(objects(*crowd, size=(1200, 900), source_image=noise), few)
    _, one, other = Tree(c.html(max_bytes=30_000)).all("img")
    assert one["style"] == other["style"] == "width:100%;height:auto"
    assert c.draw(show="a").size == c.draw(show="b").size == c.draw().size


def test_names_are_text_and_never_markup():
    p = objects(thing(EVIL))
    tree = Tree(compare(p, replace(p, model=EVIL, notes=(EVIL,)))._repr_html_())
    assert not tree.all("script")


def test_a_terminal_sees_it_too():
    text = repr(compare(objects(thing()), objects()))
    assert text.startswith("0% agreement: 0 in both, 1 only in A, 0 only in B\nmark ")
    assert "only A  dog" in text
    assert "E2E  " in text


def test_responses_of_two_models_compare_by_name(scripted):
    def response(name, class_id):
        item = {"x": 5, "y": 5, "width": 8, "height": 8, "confidence": 0.9}
        item |= {"class": name, "class_id": class_id}
        return Response(
            json.dumps(
                {"predictions": [item], "image": {"width": 20, "height": 10}, "time": 0.01}
            ).encode()
        )

    client = Client(base_url=scripted.url)
    scripted.respond(response("dog", 16), response("dog", 1))
    image = np.zeros((10, 20, 3), np.uint8)
    p, q = (client.predict(image, f"some/{i}", task="object-detection") for i in (1, 2))
    c = compare(p, q)
    assert c.agreement == 1
    assert math.isclose(c.both[0][2], 1)
    assert (c.both[0][0]["class_id"], c.both[0][1]["class_id"]) == (16, 1)
