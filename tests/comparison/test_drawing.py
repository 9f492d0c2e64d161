"""The differences of two predictions as an image: three styles, one place, one scale."""

from __future__ import annotations

import numpy as np
import pytest

from rfhosted import Task, compare
from rfhosted.display.differences import STYLES, Where
from support.predictions import class_map, objects, ranking, thing

SIZE = (400, 300)
LEFT, MIDDLE, RIGHT = (20, 60, 120, 260), (140, 60, 240, 260), (270, 60, 380, 260)


def pixels(image):
    return np.asarray(image).reshape(-1, 3)


def amount(image, where):
    """Pixels of the colour of a place."""
    return int((pixels(image) == STYLES[where].colour).all(axis=1).sum())


def three():
    p = objects(thing("dog", LEFT), thing("cat", MIDDLE), size=SIZE)
    q = objects(thing("dog", LEFT), thing("bird", RIGHT), size=SIZE)
    return compare(p, q)


def test_each_place_has_its_colour_and_its_line():
    c = three()
    image = c.draw()
    assert image.size == SIZE
    for where, x in ((Where.BOTH, LEFT[0]), (Where.ONLY_A, MIDDLE[0]), (Where.ONLY_B, RIGHT[0])):
        assert amount(image, where)
        # Down the left side of the box, away from labels: how often the line is interrupted.
        column = (np.asarray(image)[130:250, x] == STYLES[where].colour).all(axis=1)
        gaps = int((np.diff(column.astype(int)) == -1).sum())
        assert column.any()
        assert (gaps > 0) == (STYLES[where].dash is not None)
        if where is Where.ONLY_B:
            assert gaps > 10  # dots are closer than dashes


def test_one_side_has_what_it_has_at_the_same_place():
    c = three()
    a, b = c.draw(show="a"), c.draw(show="b")
    assert amount(a, Where.ONLY_A)
    assert not amount(a, Where.ONLY_B)
    assert amount(b, Where.ONLY_B)
    assert not amount(b, Where.ONLY_A)
    assert (np.asarray(a)[130:250, LEFT[0]] == np.asarray(b)[130:250, LEFT[0]]).all()
    assert c.draw(show="b", max_side=200).size == (200, 150)


def test_of_two_boxes_that_match_each_side_has_its_own():
    p, q = objects(thing(box=LEFT), size=SIZE), objects(thing(box=(30, 60, 130, 260)), size=SIZE)
    c = compare(p, q)
    colour = STYLES[Where.BOTH].colour
    for show, columns in (("a", {20}), ("b", {30}), ("both", {20, 30})):
        row = np.asarray(c.draw(show=show))[200]
        found = {int(x) for x in np.flatnonzero((row == colour).all(axis=1))}
        assert {x for x in (20, 30) if x in found} == columns


def test_marks_are_numbered_and_named_as_in_the_table():
    c = three()
    assert [(mark.name, mark.where, mark.class_name) for mark in c.marks] == [
        ("A1", "only A", "cat"),
        ("B1", "only B", "bird"),
        ("AB1", "both", "dog"),
    ]
    assert c.marks[2].boxes == (LEFT, LEFT)
    assert [row["mark"] for row in c.differences()] == ["A1", "B1", "AB1"]
    assert "A1    only A  cat" in repr(c)


def test_thousands_of_objects_are_drawn_differences_first():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 250, (6000, 2))
    crowd = [thing(f"class {i}", (x, y, x + 20, y + 20)) for i, (x, y) in enumerate(corners)]
    lone = thing("bird", RIGHT)
    c = compare(objects(*crowd, size=SIZE), objects(*crowd, lone, size=SIZE))
    assert amount(c.draw(), Where.ONLY_B)


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ValueError, match="'both' or 'a' or 'b', not 'c'"):
        three().draw(show="c")
    with pytest.raises(ValueError, match="max_side"):
        three().draw(max_side=0)


def test_nothing_on_either_side_is_the_image():
    p = objects(size=SIZE)
    assert (np.asarray(compare(p, p).draw()) == np.asarray(p.image)).all()


def test_pixels_have_a_pattern_for_each_place():
    names = {0: "background", 1: "cat", 2: "dog"}
    ids = np.zeros((100, 100), np.uint8)
    a, b = ids.copy(), ids.copy()
    a[:50, :50] = b[:50, :50] = 1  # both
    a[:50, 50:] = 1  # only A
    b[50:, :50] = 2  # only B
    a[50:, 50:], b[50:, 50:] = 1, 2  # another class
    a[95:] = b[95:] = 0
    c = compare(class_map(a, names, size=SIZE), class_map(b, names, size=SIZE))
    image = np.asarray(c.draw())
    assert image.shape[0] > SIZE[1]  # the legend
    quarters = {
        Where.ONLY_A: image[20:130, 220:380],
        Where.ONLY_B: image[170:270, 20:180],
        Where.OTHER_CLASS: image[170:270, 220:380],
    }
    for where, part in quarters.items():
        style = STYLES[where]
        colours = {tuple(map(int, pixel)) for pixel in part.reshape(-1, 3)}
        assert colours == {style.colour, style.halo}
    plain = image[20:130, 20:180].reshape(-1, 3)
    assert len(np.unique(plain, axis=0)) == 1
    assert c.draw(show="a").size[0] == image.shape[1]


def test_rankings_are_pairs_of_bars():
    p = ranking(("cat", 0.9), ("dog", 0.1), size=SIZE)
    q = ranking(("dog", 0.6), ("cat", 0.3), ("bird", 0.1), size=SIZE)
    image = compare(p, q).draw()
    below = image.crop((0, SIZE[1], *image.size))
    assert amount(below, Where.ONLY_A)
    assert amount(below, Where.ONLY_B)
    assert compare(ranking(size=SIZE), ranking(size=SIZE)).draw().size == SIZE
    assert compare(p, q).marks == ()


@pytest.mark.parametrize("task", [Task.INSTANCE_SEGMENTATION, Task.KEYPOINT_DETECTION])
def test_other_objects_are_drawn_by_their_boxes(task):
    p = objects(thing("dog", LEFT), size=SIZE, task=task)
    assert amount(compare(p, objects(size=SIZE, task=task)).draw(), Where.ONLY_A)
