"""Masks: against a slow reading of the format, against supervision, and against garbage."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfhosted.outputs import masks
from rfhosted.outputs.values import Polygon, Rle

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import supervision as sv


def counts_of(mask: np.ndarray) -> list[int]:
    """Run lengths the slow way: columns first, background first."""
    counts, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


def compress(counts: list[int]) -> str:
    """pycocotools' rleToString, line by line."""
    text = ""
    for i, count in enumerate(counts):
        x = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            group = x & 31
            x >>= 5
            more = x != -1 if group & 16 else x != 0
            text += chr((group | 32 if more else group) + 48)
    return text


def placed(crop, size):
    bits, x, y = crop
    grid = np.zeros(size[::-1], bool)
    grid[y : y + bits.shape[0], x : x + bits.shape[1]] = bits
    return grid


@st.composite
def grids(draw, most=24):
    height, width = draw(st.integers(1, most)), draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.random((height, width)) < draw(st.sampled_from([0.0, 0.02, 0.3, 0.9, 1.0]))


@given(st.lists(st.integers(0, 2**31 - 1), max_size=60))
def test_compressed_counts_come_back(counts):
    assert masks.decode_counts(compress(counts)).tolist() == counts
    assert masks.decode_counts(compress(counts).encode()).tolist() == counts
    assert masks.decode_counts(counts).tolist() == counts


@given(grids())
def test_counts_read_as_supervision_reads_them(grid):
    counts = counts_of(grid)
    mask = masks.rle(grid.shape, masks.decode_counts(compress(counts)))
    size = grid.shape[::-1]
    theirs = sv.rle_to_mask(np.array(counts), resolution_wh=size)
    ours = placed(masks.crop(mask, size, size), size)
    assert np.array_equal(ours, grid)
    assert np.array_equal(ours, np.array(theirs, bool))


@given(grids(), st.integers(1, 40), st.integers(1, 40))
def test_another_grid_takes_the_nearest_pixel(grid, width, height):
    mask = masks.rle(grid.shape, np.array(counts_of(grid)))
    rows = ((np.arange(height) + 0.5) * grid.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * grid.shape[1] / width).astype(int)
    expected = grid[rows[:, None], columns]
    bits, x, y = masks.crop(mask, (999, 7), (width, height))
    assert np.array_equal(placed((bits, x, y), (width, height)), expected)
    if not expected.any():
        assert bits.shape == (0, 0)
    else:  # tight on all four sides
        assert bits[0].any()
        assert bits[-1].any()
        assert bits[:, 0].any()
        assert bits[:, -1].any()


@given(grids(), st.integers(1, 40), st.integers(1, 40))
def test_the_area_is_that_of_the_mask_on_the_image(grid, width, height):
    mask = masks.rle(grid.shape, np.array(counts_of(grid)))
    bits, _, _ = masks.crop(mask, (width, height), (width, height))
    assert masks.area(mask, (width, height)) == bits.sum()
    corners = np.array(masks.outline(mask, (width, height))).reshape(-1, 2)
    assert (corners >= -0.5).all()
    assert (corners <= np.array([width, height]) - 0.5).all()


@pytest.mark.parametrize(
    "garbage",
    [
        [10**30], [2**31], [1.5], [float("nan")], [float("inf")], [[1, 2], [3]], [[1, 2]], ["5"],
        [True], [-1], None, {"a": 1}, 5, "é", b"\xff", "\x00", "o", "1o", "p" * 30, "ooooooooo0",
        "Q" + "P" * 12 + "1",  # 1 + 2**65: 1, in 64 bits
        "1" + "N",  # -2, the differences of COCO's older sisters
    ],
)  # fmt: skip
def test_garbage_is_a_value_error(garbage):
    with pytest.raises(ValueError):
        masks.decode_counts(garbage)


@given(st.one_of(st.text(max_size=30), st.binary(max_size=30)))
def test_any_text_is_lengths_or_a_value_error(text):
    try:
        lengths = masks.decode_counts(text)
    except ValueError:
        return
    assert lengths.dtype == np.int64
    assert (lengths >= 0).all()
    assert (lengths < 2**31).all()


@pytest.mark.parametrize(
    ("size", "counts"),
    [
        ((2, 3), [5]), ((2, 3), [7]), ((2, 3), []), ((0, 3), [0]), ((-2, -3), [6]),
        ((2, 2), [2**62] * 4 + [4]),  # 4, in 64 bits
        ((10**6, 10**6), [10**12]),
    ],
)  # fmt: skip
def test_lengths_must_fill_a_grid_of_sense(size, counts):
    with pytest.raises(ValueError):
        masks.rle(size, np.array(counts, np.int64))


@given(st.floats(5, 60), st.floats(5, 40), st.floats(3, 30), st.sampled_from([(80, 60), (40, 90)]))
@settings(max_examples=60)
def test_a_polygon_lies_where_its_corners_are(cx, cy, radius, target):
    image_size = (160, 120)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    points = np.stack([cx + radius * np.cos(angles), cy + radius * np.sin(angles)], 1)
    grid = placed(masks.crop(Polygon(points.astype(np.float32)), image_size, target), target)
    sx, sy = target[0] / image_size[0], target[1] / image_size[1]
    ys, xs = np.mgrid[: target[1], : target[0]]
    distance = np.hypot(xs / sx - cx, ys / sy - cy)
    slack = 1.5 / min(sx, sy)
    assert grid[distance < 0.98 * radius - slack].all()
    assert not grid[distance > radius + slack].any()


@pytest.mark.parametrize("wild", [1e30, -1e30, 1e9])
def test_wild_polygons_neither_fail_nor_leave_the_grid(wild):
    points = np.array([[wild, 0], [50, 50], [20, wild]], np.float32)
    bits, x, y = masks.crop(Polygon(points), (300, 200), (300, 200))
    assert x + bits.shape[1] <= 300
    assert y + bits.shape[0] <= 200
    out = np.array([[400, 10], [500, 10], [450, 90]], np.float32)
    assert masks.crop(Polygon(out), (300, 200), (300, 200))[0].shape == (0, 0)


def test_a_stack_is_dense_or_compact_and_says_the_same():
    ring = np.zeros((60, 80), bool)
    ring[10:50, 20:70] = True
    ring[25:35, 40:50] = False
    parts = [
        masks.rle(ring.shape, np.array(counts_of(ring))),
        None,
        Polygon(np.array([[0, 0], [79, 0], [0, 59]], np.float32)),
    ]
    dense = masks.stack(parts, (80, 60))
    compact = masks.stack(parts, (80, 60), dense_limit=0)
    assert isinstance(compact, sv.CompactMask)
    assert dense.dtype == bool
    assert dense.shape == compact.shape == (3, 60, 80)
    assert np.array_equal(dense[0], ring)
    assert not dense[1].any()
    assert np.array_equal(np.array([compact[i] for i in range(3)]), dense)
    boxes = np.array([[30, 20, 40, 30]] * 3, np.float32)  # smaller than the masks: nothing is lost
    kept = sv.Detections(xyxy=boxes, mask=compact)[np.array([0])]
    assert kept.mask[0].sum() == ring.sum()


def test_large_images_stay_compact_and_none_stay_none():
    mask = Rle((4, 4), np.array([5, 6, 5]))
    assert isinstance(masks.stack([mask] * 6, (4000, 3000)), sv.CompactMask)
    assert masks.stack([], (4000, 3000)).shape == (0, 3000, 4000)
