"""Pairs of objects: against a slow search, in small blocks and in few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfhosted.outputs import masks, matching
from support.predictions import thing

COORDINATE = st.integers(0, 30)
BOXES = st.tuples(COORDINATE, COORDINATE, st.integers(0, 12), st.integers(0, 12)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)
THINGS = st.lists(st.builds(thing, st.sampled_from(["dog", "cat"]), BOXES), max_size=12)
SIZE = (100, 80)


def iou(a, b) -> float:
    if a.box == b.box:
        return 1.0
    across = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    down = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
    common = max(0, across) * max(0, down)
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (a.box, b.box)]
    return common / (sum(areas) - common) if common else 0.0


def slow_pairs(a, b, least):
    """Always the best of all pairs that are left."""
    left = {
        (i, j): value
        for i, one in enumerate(a)
        for j, other in enumerate(b)
        if one.class_name == other.class_name and (value := iou(one, other)) >= least
    }
    pairs = []
    while left:
        best = max(left, key=lambda pair: (left[pair], -pair[0], -pair[1]))
        pairs.append((*best, left[best]))
        left = {pair: v for pair, v in left.items() if pair[0] != best[0] and pair[1] != best[1]}
    return sorted(pairs)


@pytest.mark.parametrize("bounds", [(4_000_000, 256, 4_000_000), (6, 2, 3)])
@settings(deadline=None)
@given(a=THINGS, b=THINGS, least=st.sampled_from([0.1, 0.5, 1.0]))
def test_pairs_are_those_of_a_slow_search(bounds, a, b, least):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in zip(("_BLOCK", "_ROWS", "_MOST_CANDIDATES"), bounds, strict=True):
            patch.setattr(matching, name, value)
        pairs, too_many = matching.object_pairs(a, b, SIZE, SIZE, least)
    assert not too_many
    expected = slow_pairs(a, b, least)
    # Equal IoUs may be taken in another order, which may leave other objects over.
    assert len({i for i, _, _ in pairs}) == len({j for _, j, _ in pairs}) == len(pairs)
    for i, j, value in pairs:
        assert value == pytest.approx(iou(a[i], b[j]))
        assert value >= least
    if len({value for *_, value in expected}) == len(expected):
        assert max([0, *(v for *_, v in pairs)]) == pytest.approx(
            max([0, *(v for *_, v in expected)])
        )
    for i, one in enumerate(a):  # nothing that fits is left over on both sides
        for j, other in enumerate(b):
            free = i not in {p[0] for p in pairs} and j not in {p[1] for p in pairs}
            assert not (free and one.class_name == other.class_name and iou(one, other) >= least)


def test_masks_that_are_too_many_are_compared_by_their_boxes(monkeypatch):
    counts = np.array([0, 40, 40])
    a = [thing(box=(0, 0, 10, 10), mask=masks.rle((8, 10), counts)) for _ in range(3)]
    for name in ("_MOST_MASK_PAIRS", "_MOST_PIXELS"):
        with monkeypatch.context() as patch:
            patch.setattr(matching, name, 5)
            pairs, too_many = matching.object_pairs(a, a, SIZE, SIZE, 0.5)
        assert too_many
        assert pairs == [(i, i, 1.0) for i in range(3)]
    assert matching.object_pairs(a, a, SIZE, SIZE, 0.5) == (pairs, False)
