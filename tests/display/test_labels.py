"""Labels: readable, inside the image, clear of each other and of small objects."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfhosted.display.annotate import draw_objects
from rfhosted.display.labels import _by_importance
from rfhosted.display.palette import colour
from support.drawing import crowd, grey, label_places, of_colour, pixels, thing


@pytest.mark.parametrize("box", [(50, 40, 51, 41), (99, 79, 100, 80), (0, 0, 1, 1), (0, 79, 1, 80)])
def test_a_label_does_not_hide_a_box_of_a_pixel(box, monkeypatch):
    image = grey((400, 320))
    box = tuple(4 * v for v in box)
    drawn, (label,) = label_places(image, [thing(box=box)], monkeypatch)
    seen = of_colour(drawn, "dog")
    seen[int(label[1]) : int(label[3]) + 1, int(label[0]) : int(label[2]) + 1] = False
    assert seen.any()


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


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
def test_a_hundred_objects_leave_the_image_visible(size, named, monkeypatch):
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
    assert _by_importance(found) == [0, 3, 1, 2]


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
