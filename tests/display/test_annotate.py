"""Drawn images, by what is in them: colours at places, not "it did not fail"."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import supervision as sv
from PIL import Image

from rfhosted.display import annotate
from rfhosted.display.annotate import draw_class_map, draw_objects, draw_scores
from rfhosted.display.palette import colour
from rfhosted.hosted import COCO_KEY_POINTS
from rfhosted.outputs.values import ClassScore, KeyPoint, Polygon
from support.drawing import GREY, bounds, crowd, grey, of_colour, painted, pixels, ring, thing
from support.predictions import objects

# Boxes


def test_a_box_is_drawn_where_the_object_is_at_the_size_that_is_shown():
    drawn = draw_objects(
        grey((400, 300)), [thing(box=(1000, 1000, 3000, 2000))], (4000, 3000), labels=False
    )
    assert drawn.size == (400, 300)
    edge = of_colour(drawn, "dog")
    assert edge[150, 100]
    assert edge[150, 300]
    assert edge[100, 200]
    assert edge[200, 200]
    assert np.abs(np.array(bounds(edge)) - (100, 100, 300, 200)).max() <= 2
    assert not painted(drawn)[110:190, 110:290].any()


def test_the_given_image_is_not_changed():
    image = grey((100, 80))
    draw_objects(image, [thing(mask=ring())], (100, 80))
    draw_class_map(image, np.ones((80, 100), np.uint8), {1: "dog"}, 0)
    draw_scores(image, [ClassScore("dog", 0, 0.9)])
    assert not painted(image).any()


def test_the_image_keeps_its_colours():
    red = Image.new("RGB", (100, 80), (200, 60, 10))
    ids = np.zeros((80, 100), np.uint8)
    ids[:8, :8] = 1
    for drawn in (
        draw_objects(red, [thing(mask=ring())], (100, 80), labels=False),
        draw_class_map(red, ids, {1: "dog"}, 0),
        draw_scores(red, [ClassScore("dog", 0, 0.9)]),
    ):
        left = (drawn.width - 100) // 2
        assert drawn.getpixel((left + 95, 75)) == (200, 60, 10)


def test_without_objects_the_image_is_the_same():
    image = grey((100, 80))
    for drawn in (
        draw_objects(image, [], (100, 80)),
        draw_scores(image, []),
        draw_class_map(image, np.zeros((80, 100), np.uint8), {}, 0),
    ):
        assert drawn is not image
        assert drawn.size == (100, 80)
        assert not painted(drawn).any()


@pytest.mark.parametrize(
    "box",
    [
        (50, 40, 51, 41),
        (50, 40, 50, 40),
        (99, 79, 100, 80),
        (0, 0, 1, 1),
        (50.2, 40.2, 50.4, 40.3),
        (60, 50, 50, 40),
    ],
)
def test_a_box_of_a_pixel_can_be_seen(box):
    drawn = draw_objects(grey((100, 80)), [thing(box=box)], (100, 80), labels=False)
    left, top, right, bottom = bounds(of_colour(drawn, "dog"))
    assert left <= min(box[0], 99) <= right + 1
    assert top <= min(box[1], 79) <= bottom + 1
    assert right - left <= 6


@pytest.mark.parametrize("box", [(-50, -40, 150, 120), (-1, -1, 101, 81), (-9e9, -1e7, 9e9, 1e7)])
def test_a_box_over_the_edge_is_closed_at_the_edge(box):
    drawn = draw_objects(grey((100, 80)), [thing(box=box)], (100, 80), labels=False)
    assert bounds(of_colour(drawn, "dog")) == (0, 0, 99, 79)
    assert not painted(drawn)[5:75, 5:95].any()


def test_the_small_is_drawn_over_the_large():
    big, small = thing("dog", (0, 0, 99, 79)), thing("cat", (0, 0, 30, 30))
    for found in ([big, small], [small, big]):
        assert of_colour(draw_objects(grey((100, 80)), found, (100, 80), labels=False), "cat")[
            0, 15
        ]


@pytest.mark.parametrize(
    ("size", "least", "most"),
    [
        ((200, 200), 1, 2),
        ((1024, 768), 3, 5),
        ((1024, 128), 1, 3),
        ((4000, 500), 4, 7),
        ((4032, 3024), 9, 13),
    ],
)
def test_lines_and_labels_grow_with_the_image(size, least, most):
    width, height = size
    box = (width * 0.2, height * 0.4, width * 0.8, height * 0.9)
    bare = draw_objects(grey(size), [thing(box=box)], size, labels=False)
    line = int(of_colour(bare, "dog")[:, width // 2].sum()) / 2
    assert least <= line <= most
    label = painted(draw_objects(grey(size), [thing(box=box)], size)) & ~painted(bare)
    _, top, _, bottom = bounds(label)
    assert bottom - top >= 12  # pixels: readable
    assert bottom - top >= 3 * line
    assert bottom - top <= 0.2 * height


def test_line_width_is_the_given_one():
    drawn = draw_objects(
        grey((200, 150)), [thing(box=(50, 50, 150, 100))], (200, 150), line_width=7, labels=False
    )
    assert 7 <= of_colour(drawn, "dog")[75, 30:70].sum() <= 9  # OpenCV rounds the ends


# Masks


def test_a_hole_in_a_mask_stays_unpainted():
    drawn = draw_objects(
        grey((50, 50)), [thing(mask=ring())], (100, 100), layers=["masks"], labels=False
    )
    where = painted(drawn)
    assert where[12:18, 12:38].all()
    assert not where[21:29, 21:29].any()
    assert not where[:9].any()
    blend = (1 - annotate._OPACITY) * GREY + annotate._OPACITY * np.array(colour("dog"))
    assert np.abs(pixels(drawn)[15, 25] - blend).max() <= 1


def test_a_mask_is_painted_beyond_its_box():
    drawn = draw_objects(
        grey((100, 100)),
        [thing(box=(45, 45, 55, 55), mask=ring())],
        (100, 100),
        layers=["masks"],
        labels=False,
    )
    assert bounds(painted(drawn)) == (20, 20, 79, 79)


def test_masks_and_boxes_are_drawn_by_default():
    triangle = Polygon(np.array([[20, 20], [80, 20], [20, 80]], np.float32))
    found = [thing(box=(20, 20, 80, 80), mask=triangle), thing("cat", (5, 5, 10, 10))]
    both = draw_objects(grey((100, 100)), found, (100, 100), labels=False)
    assert painted(both)[40, 30]
    assert not painted(both)[70, 70]
    assert of_colour(both, "dog")[80, 60]
    assert of_colour(both, "cat").any()
    boxes = draw_objects(grey((100, 100)), found, (100, 100), labels=False, layers={"boxes"})
    assert not painted(boxes)[40, 30]
    outline = draw_objects(grey((100, 100)), found, (100, 100), labels=False, layers="polygons")
    assert of_colour(outline, "dog")[50, 50]
    assert not painted(outline)[30, 30]
    assert not of_colour(outline, "dog")[80, 60]


def test_layers_that_the_objects_do_not_have_paint_nothing():
    drawn = draw_objects(
        grey((100, 80)),
        [thing()],
        (100, 80),
        layers=["masks", "polygons", "keypoints"],
        labels=False,
    )
    assert not painted(drawn).any()


def test_an_unknown_layer_is_an_error_that_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'keypoints'"):
        draw_objects(grey((10, 10)), [], (10, 10), layers=["keypoint"])


# Keypoints


def person(**places):
    return tuple(KeyPoint(x, y, 0.9, COCO_KEY_POINTS.index(n), n) for n, (x, y) in places.items())


def test_a_person_has_the_skeleton():
    points = person(
        left_shoulder=(40.0, 40.0), right_shoulder=(160.0, 40.0), left_hip=(40.0, 120.0)
    )
    drawn = draw_objects(
        grey((200, 160)),
        [thing("man", (10, 10, 190, 150), key_points=points)],
        (200, 160),
        labels=False,
        layers=["keypoints"],
    )
    assert of_colour(drawn, "man")[40, 100]  # shoulder to shoulder
    assert of_colour(drawn, "man")[80, 40]  # shoulder to hip
    assert of_colour(drawn, "man")[120, 40]
    assert not painted(drawn)[80, 100]
    assert not painted(drawn)[:20].any()  # nothing runs to a corner for the points that are missing


def test_skeletons_are_those_of_supervision():
    rng = np.random.default_rng(3)
    found, xy = [], np.zeros((20, 17, 2), np.float32)
    for row in xy:
        for slot in np.flatnonzero(rng.random(17) < 0.9):
            row[slot] = rng.uniform(-50, 450), rng.uniform(-50, 350)
        points = {n: tuple(map(float, p)) for n, p in zip(COCO_KEY_POINTS, row, strict=True)}
        found.append(thing("man", (0, 0, 1, 1), key_points=person(**points)))
    drawn = draw_objects(
        grey((400, 300)), found, (400, 300), labels=False, layers=["keypoints"], line_width=2
    )
    points, shade = sv.KeyPoints(xy=xy), sv.Color(*colour("man"))
    scene = np.full((300, 400, 3), GREY, np.uint8)
    for annotator in (
        sv.EdgeAnnotator(color=shade, thickness=3),  # finds the skeleton by its 17 points
        sv.VertexAnnotator(color=sv.Color.WHITE, radius=5),
        sv.VertexAnnotator(color=shade, radius=4),
    ):
        scene = annotator.annotate(scene, points)
    assert (pixels(drawn) == scene[:, :, ::-1]).all()


def test_slots_follow_the_names_and_not_the_order_of_the_model():
    points = person(left_shoulder=(40.0, 40.0), right_shoulder=(160.0, 40.0))
    other = tuple(replace(p, class_id=i) for i, p in enumerate(points))
    drawn = draw_objects(
        grey((200, 160)),
        [thing("man", key_points=other)],
        (200, 160),
        labels=False,
        layers=["keypoints"],
    )
    assert of_colour(drawn, "man")[40, 100]


def test_no_other_creature_has_a_persons_bones():
    points = (
        *person(nose=(40.0, 40.0), left_eye=(160.0, 40.0)),
        KeyPoint(100.0, 120.0, 0.9, 2, "tail"),
    )
    drawn = draw_objects(
        grey((200, 160)),
        [thing("cat", key_points=points)],
        (200, 160),
        labels=False,
        layers=["keypoints"],
    )
    assert not painted(drawn)[40, 100]
    for x, y in ((40, 40), (160, 40), (100, 120)):
        assert of_colour(drawn, "cat")[y, x]
        assert painted(drawn)[y - 6 : y + 7, x - 6 : x + 7].sum() < 120


def test_missing_and_far_away_points_draw_nothing():
    points = person(nose=(0.0, 0.0), left_eye=(1e12, -1e12), right_eye=(100.0, 80.0))
    points += tuple(replace(p, class_id=-3) for p in person(left_ear=(-500.0, 80.0)))
    drawn = draw_objects(
        grey((200, 160)),
        [thing("man", key_points=points), thing("man")],
        (200, 160),
        labels=False,
        layers=["keypoints"],
    )
    assert of_colour(drawn, "man")[80, 100]
    assert not painted(drawn)[:10, :10].any()


def test_above_a_limit_the_objects_of_the_highest_confidence_are_drawn(monkeypatch):
    boxes = [(10 * i, 10, 10 * i + 8, 40) for i in range(1, 10)]
    found = [thing(f"class {i}", box, i / 10) for i, box in enumerate(boxes)]
    monkeypatch.setattr(annotate, "MOST_DRAWN_OBJECTS", 3)
    drawn = draw_objects(grey((100, 50)), found, (100, 50), labels=False)
    assert bounds(painted(drawn))[0] >= 69
    assert len(annotate.omissions(found)) == 1
    assert annotate.omissions(found[:3]) == []


def test_above_a_limit_some_keypoints_are_drawn(monkeypatch):
    skeleton = [KeyPoint(10.0 * i, 25.0, 0.9, i, f"joint {i}") for i in range(1, 10)]
    found = [thing("cat", key_points=tuple(skeleton))] * 3
    monkeypatch.setattr(annotate, "MOST_DRAWN_KEYPOINTS", 4)
    drawn = draw_objects(grey((100, 50)), found, (100, 50), labels=False, layers=["keypoints"])
    assert 40 < bounds(painted(drawn))[2] < 50
    assert len(annotate.omissions(found)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": 3},
        {"layers": ["boxes", 3]},
        {"layers": [["boxes"]]},
        {"layers": "boxes, masks"},
        {"line_width": 2.5},
        {"line_width": 0},
        {"line_width": True},
        {"line_width": "3"},
        {"line_width": 10**9},
        {"labels": ["dog"]},
        {"confidences": "no"},
    ],
)
def test_arguments_that_make_no_sense_are_named(wrong):
    (name,) = wrong
    for found in ([], [thing()]):
        with pytest.raises((TypeError, ValueError), match=name.removesuffix("s")):
            draw_objects(grey((100, 80)), found, (100, 80), **wrong)


@pytest.mark.parametrize("wrong", [2.5, -1, "5", None, 10**6])
def test_the_number_of_bars_is_a_whole_number(wrong):
    with pytest.raises((TypeError, ValueError), match="top is a whole number of classes"):
        draw_scores(grey((100, 80)), [], top=wrong)


def test_labels_of_a_class_map_are_on_or_off():
    with pytest.raises(TypeError, match="labels is True or False"):
        draw_class_map(grey((8, 8)), np.ones((8, 8), np.uint8), {1: "dog"}, 0, labels="no")


def test_numbers_of_numpy_are_numbers():
    found, size, one = [thing()], (100, 80), np.int64(1)
    for line in (np.int64(7), np.uint8(7)):
        wide = draw_objects(grey(size), found, size, line_width=line, labels=np.True_)
        assert (pixels(wide) == pixels(draw_objects(grey(size), found, size, line_width=7))).all()
    assert draw_scores(grey(size), [ClassScore("dog", 0, 0.9)], top=one).height > 80
    boxes = objects(thing(), thing())
    assert max(boxes.draw(max_side=np.int32(50)).size) == 50
    assert "first 1 of 2 rows" in boxes.html(table_rows=one, max_bytes=np.int64(9999))


# Semantic segmentation


def test_regions_have_a_legend_below_and_void_stays_as_it_was():
    ids = np.zeros((120, 300), np.uint8)
    ids[:60, :150], ids[60:, :150], ids[:, 290:] = 1, 2, 255
    image = grey((300, 120))
    drawn = draw_class_map(image, ids, {0: "background", 1: "dog", 2: "cat"}, 0)
    where = painted(drawn)
    assert where[:120, :150].all()
    assert not where[:120, 150:].any()
    assert drawn.width == 300
    assert 120 < drawn.height < 170
    legend = drawn.crop((0, 120, 300, drawn.height))
    assert of_colour(legend, "dog").any()
    assert of_colour(legend, "cat").any()
    assert not painted(draw_class_map(image, ids, {0: "background"}, 0)).any()
    assert draw_class_map(image, ids, {1: "dog"}, 0, labels=False).size == (300, 120)


def test_a_model_without_background_paints_id_0():
    assert painted(
        draw_class_map(grey((100, 80)), np.zeros((80, 100), np.uint8), {0: "road"}, None)
    )[:80].all()


@pytest.mark.parametrize("size", [(60, 60), (200, 150), (1024, 128), (1024, 768)])
def test_a_legend_of_many_classes_stays_on_the_panel(size):
    ids = (np.arange(size[1])[:, None] * 7 + np.arange(size[0])) % 40
    names = {i: f"class of things {i}" for i in range(40)}
    drawn = draw_class_map(grey(size), ids.astype(np.uint8), names, None)
    strip = (pixels(drawn) != 255).any(axis=2)[size[1] :]
    assert strip.any(axis=1).sum() > 40  # several lines
    assert not strip[:, -2:].any()  # nothing is cut off at the right
    assert not strip[-2:].any()
    assert all(
        of_colour(drawn.crop((0, size[1], *drawn.size)), name).any() for name in names.values()
    )


# Classification


@pytest.mark.parametrize("size", [(20, 20), (200, 150), (1024, 128), (100, 1024), (1024, 768)])
def test_bars_are_below_the_image_and_as_long_as_the_scores(size):
    ranked = [
        ClassScore("person", 0, 0.8),
        ClassScore("dog", 1, 0.4),
        ClassScore("a very, very long name of a class indeed", 2, 0.0),
    ]
    drawn = draw_scores(grey(size), ranked)
    left = (drawn.width - size[0]) // 2
    assert not painted(drawn.crop((left, 0, left + size[0], size[1]))).any()  # the subject is whole
    assert drawn.width >= 190  # readable, however small the image
    panel = drawn.crop((0, size[1], *drawn.size))
    lengths = [
        bounds(of_colour(panel, name))[2] - bounds(of_colour(panel, name))[0] + 1
        for name in ("person", "dog")
    ]
    assert lengths[0] == pytest.approx(2 * lengths[1], abs=4)
    assert lengths[0] >= 25
    assert not (pixels(panel) != 255).any(axis=2)[:, -2:].any()


def test_bars_are_top_at_most_and_never_too_long():
    ranked = [ClassScore(f"class {i}", i, 7.5 - i) for i in range(9)]
    three, nine = (draw_scores(grey((200, 150)), ranked, top=n) for n in (3, 9))
    assert (nine.height - 150) / (three.height - 150) == pytest.approx(3, abs=0.4)
    panel = three.crop((0, 150, 200, three.height))
    beds = bounds(of_colour(panel, "class 0"))
    assert beds[2] < 200 - 30  # the score stands beside it
    assert draw_scores(grey((200, 150)), ranked, top=0).size == (200, 150)


# The whole


def test_supervision_is_loaded_when_it_is_needed_and_not_before():
    code = "import sys, rfhosted.display.annotate, rfhosted.outputs.masks, rfhosted.display.html; sys.exit('supervision' in sys.modules or 'matplotlib' in sys.modules)"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


def test_a_hundred_masks_of_a_phone_photo_are_painted_on_the_small_image():
    found = [replace(item, mask=ring()) for item in crowd(100, (4032, 3024))]
    drawn = draw_objects(grey((512, 384)), found, (4032, 3024), layers=["masks"], labels=False)
    assert drawn.size == (512, 384)
    assert bounds(painted(drawn)) == (102, 77, 409, 306)  # 20 to 79 % of the image
