"""Pictures, by what is in them: colours at places, not "it did not fail"."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rfhosted.display import annotate
from rfhosted.display.annotate import draw_class_map, draw_objects, draw_scores
from rfhosted.display.palette import colour
from rfhosted.hosted import COCO_KEY_POINTS
from rfhosted.outputs import masks
from rfhosted.outputs.values import ClassScore, Detection, KeyPoint, Polygon

GREY = 128


def grey(size):
    return Image.new("RGB", size, (GREY,) * 3)


def thing(name="dog", box=(20, 20, 80, 60), confidence=0.9, **more):
    return Detection(name, 3, confidence, box, **more)


def pixels(image):
    return np.asarray(image).astype(int)


def painted(image):
    return (pixels(image) != GREY).any(axis=2)


def of_colour(image, name):
    return (pixels(image) == colour(name)).all(axis=2)


def bounds(where):
    ys, xs = np.nonzero(where)
    return int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())


def ring(size=(100, 100)):
    """A mask with a hole: columns and rows 20 to 79, less 40 to 59."""
    grid = np.zeros(size[::-1], bool)
    grid[20:80, 20:80] = True
    grid[40:60, 40:60] = False
    flat = grid.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    return masks.rle(grid.shape, np.diff(np.concatenate(([0], edges, [flat.size]))))


def label_places(image, found, monkeypatch, **options):
    """Where the labels are (left, top, right, bottom), in the order of writing."""
    places = []
    real = annotate.ImageDraw.Draw

    def spy(canvas):
        pen = real(canvas)
        rectangle = pen.rectangle
        pen.rectangle = lambda area, **k: (places.append(area), rectangle(area, **k))
        return pen

    monkeypatch.setattr(annotate.ImageDraw, "Draw", spy)
    drawn = draw_objects(image, found, image.size, **options)
    monkeypatch.undo()
    return drawn, places


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


def test_the_picture_that_was_given_stays_as_it_was():
    image = grey((100, 80))
    draw_objects(image, [thing(mask=ring())], (100, 80))
    draw_class_map(image, np.ones((80, 100), np.uint8), {1: "dog"}, 0)
    draw_scores(image, [ClassScore("dog", 0, 0.9)])
    assert not painted(image).any()


def test_the_picture_keeps_its_colours():
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


def test_nothing_found_is_the_picture_itself():
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


@pytest.mark.parametrize("box", [(50, 40, 51, 41), (99, 79, 100, 80), (0, 0, 1, 1), (0, 79, 1, 80)])
def test_a_label_does_not_hide_a_box_of_a_pixel(box, monkeypatch):
    image = grey((400, 320))
    box = tuple(4 * v for v in box)
    drawn, (label,) = label_places(image, [thing(box=box)], monkeypatch)
    seen = of_colour(drawn, "dog")
    seen[int(label[1]) : int(label[3]) + 1, int(label[0]) : int(label[2]) + 1] = False
    assert seen.any()


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
def test_lines_and_labels_grow_with_the_picture(size, least, most):
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


def test_line_width_is_what_was_asked_for():
    drawn = draw_objects(
        grey((200, 150)), [thing(box=(50, 50, 150, 100))], (200, 150), line_width=7, labels=False
    )
    assert 7 <= of_colour(drawn, "dog")[75, 30:70].sum() <= 9  # OpenCV rounds the ends


# Labels


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def crowd(count, size, seed=0):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 0.85, (count, 2)) * size
    sides = rng.uniform(0.03, 0.15, (count, 2)) * size
    return [
        thing(f"class {i % 9}", (*a, *(a + b)), float(rng.uniform(0.3, 1)))
        for i, (a, b) in enumerate(zip(corners, sides, strict=True))
    ]


@given(
    st.lists(
        st.tuples(
            *[st.floats(-200, 700)] * 4,
            st.sampled_from(["dog", "a", "x" * 80, "安全帽", "", "a\nb", "\ud800"]),
        ),
        max_size=12,
    ),
    st.sampled_from([(200, 200), (500, 60), (40, 400), (30, 20), (1, 1), (640, 480)]),
)
@settings(max_examples=60, deadline=None)
def test_labels_stay_inside_and_clear_of_each_other(boxes, size):
    found = [thing(name, tuple(box)) for *box, name in boxes]
    with pytest.MonkeyPatch.context() as patch:
        drawn, labels = label_places(grey(size), found, patch)
    assert drawn.size == size
    for i, (left, top, right, bottom) in enumerate(labels):
        assert 0 <= left < right <= size[0] - 1
        assert 0 <= top < bottom <= size[1] - 1
        assert not any(overlap(labels[i], other) for other in labels[:i])


@pytest.mark.parametrize(("size", "named"), [((1024, 768), 90), ((200, 150), 8), ((1024, 128), 15)])
def test_a_hundred_objects_leave_the_picture_to_be_seen(size, named, monkeypatch):
    found = crowd(100, size)
    drawn, labels = label_places(grey(size), found, monkeypatch)
    assert len(labels) >= named
    covered = sum((right - left) * (bottom - top) for left, top, right, bottom in labels)
    assert covered <= 0.3 * size[0] * size[1]
    for i in range(9):  # each class is there, by its colour
        assert of_colour(drawn, f"class {i}").any()


def test_each_class_is_named_before_any_is_named_twice():
    found = [
        thing("dog", confidence=0.9),
        thing("dog", confidence=0.8),
        thing("cat", confidence=0.1),
        thing("cat", confidence=0.2),
    ]
    assert annotate._most_telling(found) == [0, 3, 1, 2]


def test_labels_and_percentages_can_be_left_out(monkeypatch):
    image, found = grey((400, 300)), [thing(box=(100, 100, 300, 200))]
    _, (full,) = label_places(image, found, monkeypatch)
    _, (bare,) = label_places(image, found, monkeypatch, confidences=False)
    _, none = label_places(image, found, monkeypatch, labels=False)
    assert full[2] - full[0] > bare[2] - bare[0]
    assert not none


def test_a_label_has_the_colour_of_its_class_and_letters_of_good_contrast():
    drawn = pixels(
        draw_objects(grey((400, 300)), [thing("person", (100, 100, 300, 200))], (400, 300))
    )
    label = drawn[84:96, 102:150]
    assert (label == colour("person")).all(axis=2).mean() > 0.4
    assert (label == 0).all(axis=2).any()  # black on vermilion


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


def test_masks_and_boxes_are_drawn_unless_something_else_is_asked_for():
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


def test_an_unknown_layer_is_refused_with_the_near_one():
    with pytest.raises(ValueError, match="did you mean 'keypoints'"):
        draw_objects(grey((10, 10)), [], (10, 10), layers=["keypoint"])


# Key points


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
def test_bars_stand_below_the_picture_and_are_as_long_as_the_scores(size):
    ranked = [
        ClassScore("person", 0, 0.8),
        ClassScore("dog", 1, 0.4),
        ClassScore("a very, very long name of a class indeed", 2, 0.0),
    ]
    drawn = draw_scores(grey(size), ranked)
    left = (drawn.width - size[0]) // 2
    assert not painted(drawn.crop((left, 0, left + size[0], size[1]))).any()  # the subject is whole
    assert drawn.width >= 190  # readable, however small the picture
    panel = drawn.crop((0, size[1], *drawn.size))
    lengths = [
        bounds(of_colour(panel, name))[2] - bounds(of_colour(panel, name))[0] + 1
        for name in ("person", "dog")
    ]
    assert lengths[0] == pytest.approx(2 * lengths[1], abs=4)
    assert lengths[0] >= 25
    assert not (pixels(panel) != 255).any(axis=2)[:, -2:].any()


def test_bars_are_no_more_than_asked_for_and_never_longer_than_whole():
    ranked = [ClassScore(f"class {i}", i, 7.5 - i) for i in range(9)]
    three, nine = (draw_scores(grey((200, 150)), ranked, top=n) for n in (3, 9))
    assert (nine.height - 150) / (three.height - 150) == pytest.approx(3, abs=0.4)
    panel = three.crop((0, 150, 200, three.height))
    beds = bounds(of_colour(panel, "class 0"))
    assert beds[2] < 200 - 30  # the score stands beside it
    assert draw_scores(grey((200, 150)), ranked, top=0).size == (200, 150)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0%"), (0.004, "<1%"), (0.006, "1%"), (0.126, "13%"), (1.0, "100%")]
)
def test_small_is_not_nothing(value, text):
    assert annotate._percent(value) == text


# The whole


def test_supervision_is_loaded_when_it_is_needed_and_not_before():
    code = "import sys, rfhosted.display.annotate, rfhosted.outputs.masks, rfhosted.display.html; sys.exit('supervision' in sys.modules or 'matplotlib' in sys.modules)"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


def test_a_hundred_masks_of_a_phone_photo_are_painted_on_the_small_picture():
    found = [replace(item, mask=ring()) for item in crowd(100, (4032, 3024))]
    drawn = draw_objects(grey((512, 384)), found, (4032, 3024), layers=["masks"], labels=False)
    assert drawn.size == (512, 384)
    assert bounds(painted(drawn)) == (102, 77, 409, 306)  # 20 to 79 % of the picture
