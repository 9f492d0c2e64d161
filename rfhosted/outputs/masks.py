"""Masks on any grid: COCO run lengths, polygons and class maps, cut to where they are.

A mask of a 12-megapixel image is 12 MB as an array, so one is made only when it is needed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rfhosted.outputs.limits import LONGEST_SIDE, MOST_RUNS
from rfhosted.outputs.values import Polygon, Rle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    Bits: TypeAlias = npt.NDArray[np.bool_]
    Mask: TypeAlias = Polygon | Rle
    #: A tight cut-out of a mask, and its left and top pixel on the grid.
    Crop: TypeAlias = tuple[Bits, int, int]

#: Elements of a stack of masks up to which it is an ordinary array.
_DENSE_LIMIT = 64_000_000
#: Run lengths from here on are not those of an image, and two of them could overflow.
_LONGEST_RUN = 2**31


def decode_counts(counts: Any) -> npt.NDArray[np.int64]:
    """COCO's compressed counts, a str or bytes, or a plain list of numbers, as run lengths, int64.

    Each number is a little-endian chain of 5-bit groups, one a character, and from the fourth on
    the difference to the one two places before (pycocotools, maskApi.c, rleFrString). Not by
    supervision, which would take a second to import and raises errors of many kinds.

    Raises:
        ValueError: Not such a string, too long, or lengths that are not whole, negative or absurd.
    """
    if isinstance(counts, (str, bytes, list, tuple)) and len(counts) > MOST_RUNS:
        raise ValueError("a mask has too many runs")
    if isinstance(counts, (str, bytes)):
        lengths = _decompress(counts.encode("ascii") if isinstance(counts, str) else counts)
    else:
        lengths = np.asarray(counts)
        if lengths.dtype.kind not in "iu" and lengths.size:  # an empty list is of floats
            raise ValueError("the run lengths of a mask are not whole numbers")
    if lengths.ndim != 1 or (lengths < 0).any() or (lengths >= _LONGEST_RUN).any():
        raise ValueError("the run lengths of a mask are not a flat list of numbers from 0 up")
    return lengths.astype(np.int64)


def _decompress(text: bytes) -> npt.NDArray[np.int64]:
    groups = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - 48
    if not len(groups):
        return groups
    last = np.flatnonzero(groups & 32 == 0)  # the characters that end a number
    first = np.concatenate(([0], last[:-1] + 1)).astype(np.intp)
    size = last - first + 1
    whole = len(last) and last[-1] == len(groups) - 1
    # Seven groups hold every length that is allowed; sums of more could overflow unseen.
    if not whole or groups.min() < 0 or groups.max() > 63 or size.max() > 7:
        raise ValueError("the run lengths of a mask are not in COCO's compressed form")
    place = np.arange(len(groups)) - np.repeat(first, size)
    numbers = np.add.reduceat((groups & 31) << (5 * place), first)
    numbers -= np.where(groups[last] & 16, np.int64(1) << (5 * size), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return np.asarray(numbers, dtype=np.int64)


def rle(size: tuple[int, int], counts: npt.NDArray[np.int64]) -> Rle:
    """A mask on a grid of ``size`` (height, width).

    Raises:
        ValueError: The run lengths do not fill the grid, or it is too large for any image.
    """
    height, width = size
    if not (1 <= height <= LONGEST_SIDE and 1 <= width <= LONGEST_SIDE):
        raise ValueError(f"a mask has a grid of {height} x {width}")
    area = height * width
    if area >= _LONGEST_RUN or counts.max(initial=0) > area or counts.sum() != area:
        raise ValueError(f"run lengths for {counts.sum()} pixels do not fill {height} x {width}")
    return Rle(size, counts.astype(np.int32))


def union(parts: Iterable[Mask], image_size: tuple[int, int], grid_size: tuple[int, int]) -> Rle:
    """Several masks as one.

    Args:
        parts: The masks.
        image_size: (width, height) of the original image.
        grid_size: (width, height) of the new mask's grid.
    """
    width, height = grid_size
    runs = np.concatenate([_runs(crop(part, image_size, grid_size), height) for part in parts])
    starts, ends = runs[np.argsort(runs[:, 0])].T
    # Where the runs that overlap or touch begin and end: no canvas of the whole grid is needed.
    reach = np.maximum.accumulate(ends)
    apart = starts[1:] > reach[:-1]
    first, last = np.append(True, apart), np.append(apart, True)
    if not len(starts):
        first = last = np.zeros(0, dtype=bool)
    bounds = np.stack([starts[first], reach[last]], axis=1).ravel()
    counts = np.diff(bounds, prepend=0, append=width * height)
    return Rle((height, width), counts.astype(np.int32))


def _runs(part: Crop, height: int) -> npt.NDArray[np.int64]:
    """The runs of a cut-out within its columns, int64 (n, 2): first pixel and end on the grid."""
    bits, left, top = part
    edges = np.diff(np.pad(bits, ((1, 1), (0, 0))).astype(np.int8), axis=0).T
    columns, rows = np.nonzero(edges)
    return ((left + columns) * height + top + rows).astype(np.int64).reshape(-1, 2)


def cover(mask: Polygon | Rle, image_size: tuple[int, int]) -> float:
    """The part of the image within the mask's bounds, of an RLE mask within its columns.

    Args:
        mask: The mask.
        image_size: (width, height) of the original image.
    """
    if isinstance(mask, Rle):
        first, last = _columns(mask)
        return (last - first) / mask.size[1]
    across, down = np.ptp(mask.points.clip(0, image_size), axis=0) / image_size
    return float(across * down)


def area(mask: Polygon | Rle, image_size: tuple[int, int]) -> int:
    """Pixels of the original image that the mask covers.

    Args:
        mask: The mask.
        image_size: (width, height) of the original image.
    """
    if isinstance(mask, Polygon):
        return int(np.count_nonzero(_crop_polygon(mask, image_size, image_size)[0]))
    height, width = mask.size
    # How many pixels of the image take their value from each column and row of the grid, and from
    # all before it.
    columns, rows = (
        np.bincount(_nearest(0, size, size, target)[0], minlength=size + 1)
        for size, target in zip((width, height), image_size, strict=True)
    )
    before_column, before_row = np.cumsum(columns) - columns, np.cumsum(rows) - rows
    ends = np.cumsum(mask.counts)
    column, row = np.divmod(np.concatenate(([0], ends)), height)
    pixels = before_column[column] * image_size[1] + columns[column] * before_row[row]
    return int(np.diff(pixels)[1::2].sum())


def outline(mask: Polygon | Rle, image_size: tuple[int, int]) -> list[tuple[float, float]]:
    """The corners (x, y) of a mask's largest part, in pixels of the original image; no holes.

    Args:
        mask: The mask.
        image_size: (width, height) of the original image.
    """
    import cv2

    if isinstance(mask, Polygon):
        corners = mask.points.astype(float)
    else:
        # On the smaller of the two grids: a larger one has no more to show.
        grid = min(mask.size[::-1], image_size, key=math.prod)
        bits, left, top = crop(mask, image_size, grid)
        if not bits.size:
            return []
        parts, _ = cv2.findContours(
            np.ascontiguousarray(bits, dtype=np.uint8),
            cv2.RETR_EXTERNAL,
            cv2.CHAIN_APPROX_SIMPLE,
        )
        pixels = max(parts, key=cv2.contourArea)[:, 0] + [left, top]
        corners = (pixels + 0.5) * image_size / np.array(grid) - 0.5  # centres of pixels
    return [(float(x), float(y)) for x, y in corners]


def crop(mask: Mask, image_size: tuple[int, int], grid_size: tuple[int, int]) -> Crop:
    """A mask on a grid that covers the whole image, cut to where it is.

    Args:
        mask: The mask.
        image_size: (width, height) of the original image.
        grid_size: (width, height) of the grid wanted.

    Returns:
        bool array (height, width) of the tight cut-out, and its left and top pixel on the grid.
        A mask that is empty on that grid is an array of shape (0, 0).
    """
    if isinstance(mask, Polygon):
        return _tight(_crop_polygon(mask, image_size, grid_size))
    first, last = _columns(mask)
    return _tight(_scaled(_decoded(mask, first, last), first, mask.size[1], grid_size))


def _tight(part: Crop) -> Crop:
    bits, left, top = part
    columns, rows = np.flatnonzero(bits.any(axis=0)), np.flatnonzero(bits.any(axis=1))
    if not len(columns):
        return np.zeros((0, 0), dtype=bool), 0, 0
    tight = bits[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return tight, left + int(columns[0]), top + int(rows[0])


def _columns(mask: Rle) -> tuple[int, int]:
    """The columns of the grid from the mask's first pixel to its last, the end exclusive."""
    ends = np.cumsum(mask.counts)[1::2]
    starts = ends - mask.counts[1::2]
    some = np.flatnonzero(ends > starts)
    if not len(some):
        return 0, 0
    height = mask.size[0]
    return int(starts[some[0]] // height), int((ends[some[-1]] - 1) // height) + 1


def _decoded(mask: Rle, first: int, last: int) -> Bits:
    """Some columns of the mask, bool (height, columns)."""
    height = mask.size[0]
    ends = (np.cumsum(mask.counts) - first * height).clip(0, (last - first) * height)
    inside = np.arange(len(ends)) % 2 == 1  # background first
    return np.repeat(inside, np.diff(ends, prepend=0)).reshape(last - first, height).T


def _scaled(bits: Bits, first: int, width: int, grid_size: tuple[int, int]) -> Crop:
    """Some columns of a mask, brought to another grid: each pixel takes the nearest.

    Args:
        bits: bool (height, columns).
        first: Their first column.
        width: Columns of the whole grid.
        grid_size: (width, height) of the grid wanted.
    """
    columns, rows = np.flatnonzero(bits.any(axis=0)), np.flatnonzero(bits.any(axis=1))
    if not len(columns):
        return np.zeros((0, 0), dtype=bool), 0, 0
    start, stop = first + int(columns[0]), first + int(columns[-1]) + 1
    across, left = _nearest(start, stop, width, grid_size[0])
    down, top = _nearest(int(rows[0]), int(rows[-1]) + 1, bits.shape[0], grid_size[1])
    by_columns = np.take(bits.T, across - first, axis=0)  # the order of run lengths: faster
    return np.take(by_columns, down, axis=1).T, left, top


def _nearest(start: int, stop: int, size: int, target: int) -> tuple[npt.NDArray[np.intp], int]:
    """For the target pixels with centres in start..stop: the source pixels, and the first pixel."""
    first = int(np.ceil(start * target / size - 0.5))
    cells = np.arange(first, int(np.ceil(stop * target / size - 0.5)))
    source = ((cells + 0.5) * size / target).astype(np.intp)
    return source.clip(start, stop - 1), first


def resized_ids(class_ids: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A class map on another grid: the nearest id, because there is nothing between two ids.

    Args:
        class_ids: uint8 (height, width).
        size: (width, height) of the grid wanted.
    """
    # Not by OpenCV, which takes another neighbour where two are equally near.
    down, across = (
        _nearest(0, old, old, new)[0] for old, new in zip(class_ids.shape, size[::-1], strict=True)
    )
    return np.take(np.take(class_ids, down, axis=0), across, axis=1)


def _crop_polygon(mask: Polygon, image_size: tuple[int, int], grid_size: tuple[int, int]) -> Crop:
    import cv2

    points = np.rint(mask.points * (np.array(grid_size) / np.array(image_size)))
    points = points.clip(-1e6, 1e6).astype(np.int32)  # OpenCV fails at wilder corners
    left, top = points.min(axis=0).clip(0)
    right, bottom = np.minimum(points.max(axis=0) + 1, grid_size)
    if right <= left or bottom <= top:
        return np.zeros((0, 0), dtype=bool), 0, 0
    canvas = np.zeros((bottom - top, right - left), dtype=np.uint8)
    cv2.fillPoly(canvas, [points - np.array([left, top], dtype=np.int32)], 1)
    return canvas.astype(bool), int(left), int(top)


def stack(
    masks: Sequence[Mask | None],
    image_size: tuple[int, int],
    grid_size: tuple[int, int] | None = None,
    *,
    dense_limit: int = _DENSE_LIMIT,
) -> Any:
    """Masks as ``sv.Detections.mask`` takes them; one that is None is empty.

    Args:
        masks: The masks.
        image_size: (width, height) of the original image.
        grid_size: (width, height) of the grid wanted; None for the image's own.
        dense_limit: Elements up to which the result is an ordinary array.

    Returns:
        bool array (n, height, width), or a ``supervision.CompactMask`` of that shape.
    """
    size = grid_size or image_size
    empty: Crop = np.zeros((0, 0), dtype=bool), 0, 0
    # One at a time: together the cut-outs may be larger than the memory.
    crops = (empty if mask is None else crop(mask, image_size, size) for mask in masks)
    return _stacked(crops, len(masks), size, dense_limit)


def stack_classes(
    class_ids: npt.NDArray[np.uint8], chosen: Sequence[int], image_size: tuple[int, int]
) -> Any:
    """Some classes of a class map as masks, one each, in the form that ``stack`` returns.

    Args:
        class_ids: uint8 (height, width), on a grid that covers the whole image.
        chosen: The ids.
        image_size: (width, height) of the grid wanted: the original image's.
    """
    width = class_ids.shape[1]
    crops = (_tight(_scaled(class_ids == i, 0, width, image_size)) for i in chosen)
    return _stacked(crops, len(chosen), image_size, _DENSE_LIMIT)


def _stacked(crops: Iterable[Crop], count: int, size: tuple[int, int], dense_limit: int) -> Any:
    width, height = size
    if count and count * width * height > dense_limit:
        return _compact(crops, (height, width))
    dense = np.zeros((count, height, width), dtype=bool)
    for layer, (bits, x, y) in zip(dense, crops, strict=True):
        layer[y : y + bits.shape[0], x : x + bits.shape[1]] = bits
    return dense


def _compact(crops: Iterable[Crop], shape: tuple[int, int]) -> Any:
    from supervision import CompactMask

    parts = []
    for bits, x, y in crops:
        some = bits if bits.size else np.zeros((1, 1), dtype=bool)
        rows, columns = some.shape
        box = np.array([[0, 0, columns - 1, rows - 1]])  # supervision's last pixel is inside
        part = CompactMask.from_dense(some[None], box, image_shape=some.shape)
        parts.append(part.with_offset(x, y, new_image_shape=shape))
    return CompactMask.merge(parts)


def boxes(stacked: Any) -> npt.NDArray[np.float32]:
    """The bounds of each mask of a stack, float32 (n, 4): first and last pixel across and down."""
    if not isinstance(stacked, np.ndarray):
        return np.asarray(stacked.bbox_xyxy, dtype=np.float32)
    ends = []
    for axis in (1, 2):  # columns that hold something, then rows
        some = np.any(stacked, axis=axis)
        last = some.shape[1] - 1 - some[:, ::-1].argmax(axis=1)
        ends.append((some.argmax(axis=1), np.where(some.any(axis=1), last, 0)))
    (left, right), (top, bottom) = ends
    return np.stack([left, top, right, bottom], axis=1).astype(np.float32)
