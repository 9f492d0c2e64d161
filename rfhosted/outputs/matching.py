"""What two answers about one picture have in common: objects, ranks, pixels. Classes go by name.

Ids are a model's own affair: two models may number the same classes in other ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rfhosted.outputs import masks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from rfhosted.outputs.values import ClassMap, Detection

    Floats = npt.NDArray[np.float64]
    Crop = tuple[npt.NDArray[np.bool_], int, int]

#: Classes of a ranking that are compared.
TOP = 5


def object_ious(
    a: Sequence[Detection], b: Sequence[Detection], picture: tuple[int, int], grid: tuple[int, int]
) -> Floats:
    """IoU of every object of A with every object of B, 0 where their classes differ.

    Masks are compared where both objects have one and their boxes meet, else boxes.

    Args:
        a: Objects of A.
        b: Objects of B.
        picture: (width, height) of the original picture.
        grid: (width, height) of the grid that masks are compared on.

    Returns:
        float64 of shape (len(a), len(b)).
    """
    names_a, names_b = ([item.class_name for item in found] for found in (a, b))
    same = np.array([[one == other for other in names_b] for one in names_a], dtype=bool)
    ious = np.where(same.reshape(len(a), len(b)), _box_ious(_boxes(a), _boxes(b)), 0.0)
    crops_a, crops_b = (
        [None if item.mask is None else masks.crop(item.mask, picture, grid) for item in found]
        for found in (a, b)
    )
    for i, j in np.argwhere(ious > 0):
        one, other = crops_a[i], crops_b[j]
        # A mask that is too small for the grid leaves the boxes to tell.
        if one is not None and other is not None and one[0].size and other[0].size:
            ious[i, j] = _mask_iou(one, other)
    return ious


def _boxes(found: Sequence[Detection]) -> Floats:
    return np.array([item.box for item in found], dtype=np.float64).reshape(-1, 4)


def _box_ious(a: Floats, b: Floats) -> Floats:
    left_top = np.maximum(a[:, None, :2], b[None, :, :2])
    right_bottom = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = (right_bottom - left_top).clip(0).prod(axis=2)
    area_a, area_b = ((box[:, 2:] - box[:, :2]).clip(0).prod(axis=1) for box in (a, b))
    union = area_a[:, None] + area_b[None, :] - common
    equal = (a[:, None] == b[None, :]).all(axis=2)  # also boxes without an area
    return np.where(equal, 1.0, common / np.maximum(union, 1e-9))


def _mask_iou(a: Crop, b: Crop) -> float:
    (bits_a, left_a, top_a), (bits_b, left_b, top_b) = a, b
    left, top = max(left_a, left_b), max(top_a, top_b)
    right = min(left_a + bits_a.shape[1], left_b + bits_b.shape[1])
    bottom = min(top_a + bits_a.shape[0], top_b + bits_b.shape[0])
    common = 0
    if left < right and top < bottom:
        part_a = bits_a[top - top_a : bottom - top_a, left - left_a : right - left_a]
        part_b = bits_b[top - top_b : bottom - top_b, left - left_b : right - left_b]
        common = int(np.count_nonzero(part_a & part_b))
    return common / (int(np.count_nonzero(bits_a)) + int(np.count_nonzero(bits_b)) - common)


def best_pairs(ious: Floats, least: float) -> list[tuple[int, int, float]]:
    """Pairs (row, column, IoU), one to one, the best first taken; in order of the rows.

    Args:
        ious: Of shape (n, m).
        least: IoU from which on two objects are one, more than 0.
    """
    candidates = np.argwhere(ious >= least)
    order = np.argsort(-ious[ious >= least], kind="stable")
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for i, j in candidates[order].tolist():
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return [(i, pairs[i], float(ious[i, pairs[i]])) for i in sorted(pairs)]


def average_overlap(a: Sequence[str], b: Sequence[str], top: int = TOP) -> float:
    """How far two rankings agree, 0 to 1.

    The share in common of the best 1, of the best 2, ... of the best ``top``, averaged: a
    difference in the first place counts most (Webber, Moffat and Zobel 2010 name it so).
    """
    depths = range(1, min(top, max(len(a), len(b))) + 1)
    if not depths:
        return 1.0
    return sum(len(set(a[:depth]) & set(b[:depth])) / depth for depth in depths) / len(depths)


def region_ious(a: ClassMap, b: ClassMap, grid: tuple[int, int]) -> tuple[dict[str, float], float]:
    """IoU of every class, and the share of pixels that both give the same class.

    Background and void are the same to both: no class.

    Args:
        a: Class map of A.
        b: Class map of B.
        grid: (width, height) of the grid that both are brought to.
    """
    names = sorted({*a.names.values(), *b.names.values()})
    codes = {name: code for code, name in enumerate(names, start=1)}
    kinds = len(names) + 1
    coded = (_coded(a, codes, grid), _coded(b, codes, grid))
    counts = np.bincount((coded[0] * kinds + coded[1]).ravel(), minlength=kinds * kinds)
    table = counts.reshape(kinds, kinds)  # pixels by class in A, by class in B
    common = np.diagonal(table)
    union = table.sum(axis=0) + table.sum(axis=1) - common
    ious = {name: float(common[code] / max(1, union[code])) for name, code in codes.items()}
    return ious, float(common.sum() / table.sum())


def _coded(
    segmentation: ClassMap, codes: dict[str, int], grid: tuple[int, int]
) -> npt.NDArray[np.int64]:
    table = np.zeros(256, dtype=np.int64)
    for class_id, name in segmentation.names.items():
        if class_id != segmentation.background:
            table[class_id] = codes[name]
    height, width = segmentation.class_ids.shape
    columns = ((np.arange(grid[0]) + 0.5) * width / grid[0]).astype(np.intp)
    rows = ((np.arange(grid[1]) + 0.5) * height / grid[1]).astype(np.intp)
    coded: npt.NDArray[np.int64] = table[segmentation.class_ids[rows[:, None], columns]]
    return coded
