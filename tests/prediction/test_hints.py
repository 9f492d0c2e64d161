"""Hints: given where they help, and only there."""

from __future__ import annotations

import pytest

from rfhosted import sample_truth
from rfhosted.prediction.hints import TILING, tiling_hint
from support.predictions import class_map, objects, ranking, thing

LARGE, SMALL = (0, 0, 50, 40), (0, 0, 4, 4)  # of an image of 100 x 80 pixels


@pytest.mark.parametrize(
    ("large", "small", "helps"),
    [(0, 0, False), (19, 0, False), (20, 0, True), (0, 4, False), (0, 5, True), (6, 5, False), (5, 5, True)],
)  # fmt: skip
def test_many_and_small_objects(large, small, helps):
    p = objects(*[thing(box=LARGE)] * large, *[thing(box=SMALL)] * small)
    assert tiling_hint(p) == (TILING if helps else None)


def test_samples():
    assert tiling_hint(sample_truth("running_cats"))
    assert tiling_hint(sample_truth("photo_wall")) is None


def test_other_results_have_no_objects():
    assert tiling_hint(ranking(("a", 1.0))) is None
    assert tiling_hint(class_map([[1]], {1: "cat"}, size=(1, 1))) is None


def test_the_hint_says_what_a_tile_costs():
    assert "request" in TILING
