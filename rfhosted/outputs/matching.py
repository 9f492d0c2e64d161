"""What two outputs for one image have in common: objects, ranks, pixels. Classes go by name.

Ids belong to a model: two models may number the same classes differently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rfhosted.outputs import masks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from rfhosted.outputs.values import ClassMap, Detection

    Floats = npt.NDArray[np.float32]
    #: Places in A and in B, and the IoU of the two.
    Pair = tuple[int, int, float]

#: Classes of a ranking that are compared.
TOP = 5
#: IoUs that are held at once, in so many rows, and pairs of which the best are then chosen.
_BLOCK, _ROWS, _MOST_CANDIDATES = 4_000_000, 256, 4_000_000
#: Beyond these, in one class, boxes are compared instead of masks: pairs of masks that meet, and
#: pixels of all masks together.
_MOST_MASK_PAIRS, _MOST_PIXELS = 200_000, 2**28


def object_pairs(
    a: Sequence[Detection],
    b: Sequence[Detection],
    image_size: tuple[int, int],
    grid_size: tuple[int, int],
    least: float,
) -> tuple[list[Pair], bool]:
    """Pairs of objects of one class, one to one, the best first taken.

    Masks are compared where both objects have one, else boxes. Memory is bounded: no more than a
    block of the IoUs of a class is held at once.

    Args:
        a: Objects of A.
        b: Objects of B.
        image_size: (width, height) of the original image.
        grid_size: (width, height) of the grid that masks are compared on.
        least: IoU from which on two objects are a pair, in (0, 1].

    Returns:
        The pairs in the order of A, and whether a class had so many masks that its boxes were
        compared instead.
    """
    places_a, places_b = _by_class(a), _by_class(b)
    pairs, too_many = [], False
    for name in places_a.keys() & places_b.keys():
        rows, columns = places_a[name], places_b[name]
        some_a, some_b = [a[i] for i in rows], [b[j] for j in columns]
        mask_ious = None
        if any(item.mask for item in some_a) and any(item.mask for item in some_b):
            mask_ious = _mask_ious(some_a, some_b, image_size, grid_size)
            too_many = too_many or mask_ious is None
        found = _best_pairs(_boxes(some_a), _boxes(some_b), mask_ious, least)
        pairs += [(rows[i], columns[j], iou) for i, j, iou in found]
    return sorted(pairs), too_many


def true_positives(
    truth: Sequence[Detection], found: Sequence[Detection], least: float
) -> list[bool]:
    """Which detections are right, matched as COCO's evaluation does it, by boxes.

    Detections take turns by falling confidence: each takes the object of its class, of those that
    are left, that its box fits best. So the matches above any threshold are those of all
    detections, without those below it.

    Args:
        truth: The objects that are in the image.
        found: Detections.
        least: IoU from which on a detection fits an object, in (0, 1].
    """
    right = [False] * len(found)
    objects, detections = _by_class(truth), _by_class(found)
    for name in objects.keys() & detections.keys():
        boxes = _boxes([truth[i] for i in objects[name]])
        turns = sorted(detections[name], key=lambda j: -found[j].certainty)
        free = np.ones(len(boxes), dtype=bool)
        step = max(1, _BLOCK // len(boxes))
        for start in range(0, len(turns), step):
            block = turns[start : start + step]
            found_boxes = _boxes([found[j] for j in block])
            for j, box, ious in zip(block, found_boxes, _box_ious(found_boxes, boxes), strict=True):
                ious[(boxes == box).all(axis=1)] = 1  # also of boxes that have no area
                best = int(np.where(free, ious, -1).argmax())
                if free[best] and ious[best] >= least:
                    free[best], right[j] = False, True
    return right


def _by_class(found: Sequence[Detection]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for i, item in enumerate(found):
        places.setdefault(item.class_name, []).append(i)
    return places


def _boxes(found: Sequence[Detection]) -> Floats:
    return np.array([item.box for item in found], dtype=np.float32).reshape(-1, 4)


def _best_pairs(a: Floats, b: Floats, mask_ious: Floats | None, least: float) -> list[Pair]:
    """Pairs of places in A and B: of all that are free, always the one with the best IoU."""
    # No IoU is better than that of equal boxes; this also pairs boxes that have no area.
    pairs = _equal_boxes(a, b) if mask_ious is None else []
    complete = False
    while not complete:
        free_a = np.setdiff1d(np.arange(len(a)), [i for i, _, _ in pairs])
        free_b = np.setdiff1d(np.arange(len(b)), [j for _, j, _ in pairs])
        ious = None if mask_ious is None else mask_ious[np.ix_(free_a, free_b)]
        rows, columns, values, complete = _candidates(a[free_a], b[free_b], ious, least)
        taken_a, taken_b = np.zeros(len(free_a), bool), np.zeros(len(free_b), bool)
        for k in np.lexsort((columns, rows, -values)).tolist():
            i, j = rows[k], columns[k]
            if not (taken_a[i] or taken_b[j]):
                taken_a[i] = taken_b[j] = True
                pairs.append((int(free_a[i]), int(free_b[j]), float(values[k])))
    return pairs


def _equal_boxes(a: Floats, b: Floats) -> list[Pair]:
    places: dict[bytes, list[int]] = {}
    for j in range(len(b) - 1, -1, -1):
        places.setdefault(b[j].tobytes(), []).append(j)
    equal = ((i, places.get(box.tobytes())) for i, box in enumerate(a))
    return [(i, found.pop(), 1.0) for i, found in equal if found]


def _candidates(
    a: Floats, b: Floats, mask_ious: Floats | None, least: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats, bool]:
    """Rows, columns and IoUs of the best pairs, and whether these are all from ``least`` up."""
    if mask_ious is not None:
        equal = (a[:, None] == b[None, :]).all(axis=2)  # also boxes that have no area
        box_ious = np.where(equal, np.float32(1), _box_ious(a, b))
        ious = np.where(np.isnan(mask_ious), box_ious, mask_ious)
        rows, columns = np.nonzero(ious >= least)
        return rows, columns, ious[rows, columns], True
    rows, columns = np.zeros(0, np.intp), np.zeros(0, np.intp)
    values, complete = np.zeros(0, np.float32), True
    for i, j in _neighbours(a, b):
        ious = _box_ious(a[i], b[j])
        found = np.nonzero(ious >= least)
        rows = np.concatenate((rows, i[found[0]]))
        columns = np.concatenate((columns, j[found[1]]))
        values = np.concatenate((values, ious[found]))
        if len(values) > _MOST_CANDIDATES:
            complete = False
            best = np.argpartition(-values, _MOST_CANDIDATES // 2)[: _MOST_CANDIDATES // 2]
            rows, columns, values = rows[best], columns[best], values[best]
            least = float(values.min())
    return rows, columns, values, complete


def _neighbours(
    a: Floats, b: Floats
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Some places in A from left to right, and all in B that may overlap them across."""
    order_a, order_b = np.argsort(a[:, 0], kind="stable"), np.argsort(b[:, 0], kind="stable")
    lefts, rights = b[order_b, 0], b[order_b, 2]
    for start in range(0, len(a), _ROWS):
        some = order_a[start : start + _ROWS]
        begun = np.searchsorted(lefts, a[some, 2].max(), side="right")
        near = order_b[:begun][rights[:begun] >= a[some, 0].min()]
        for first in range(0, len(near), _BLOCK // _ROWS):
            yield some, near[first : first + _BLOCK // _ROWS]


def _box_ious(a: Floats, b: Floats) -> Floats:
    from supervision import box_iou_batch

    ious: Floats = box_iou_batch(a, b)
    return ious


def _mask_ious(
    a: Sequence[Detection],
    b: Sequence[Detection],
    image_size: tuple[int, int],
    grid_size: tuple[int, int],
) -> Floats | None:
    """IoUs of the masks, NaN where one has none on that grid; None where they are too many."""
    from supervision import mask_iou_batch

    if len(a) * len(b) > _BLOCK:
        return None
    stacks = [
        masks.stack([item.mask for item in found], image_size, grid_size, dense_limit=0)
        for found in (a, b)
    ]
    bounds = [stacked.bbox_xyxy + np.array([0, 0, 1, 1]) for stacked in stacks]
    area = sum(int(np.prod(box[:, 2:] - box[:, :2], axis=1).sum()) for box in bounds)
    if area > _MOST_PIXELS or (_box_ious(*bounds) > 0).sum() > _MOST_MASK_PAIRS:
        return None
    ious: Floats = mask_iou_batch(*stacks).astype(np.float32)
    ious[stacks[0].area == 0, :] = np.nan
    ious[:, stacks[1].area == 0] = np.nan
    return ious


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
    names = _names(a, b)
    kinds = len(names) + 1
    coded = class_codes(a, b, grid)
    counts = np.bincount((coded[0] * kinds + coded[1]).ravel(), minlength=kinds * kinds)
    table = counts.reshape(kinds, kinds)  # pixels by class in A, by class in B
    common = np.diagonal(table)
    union = table.sum(axis=0) + table.sum(axis=1) - common
    ious = {name: float(common[i] / max(1, union[i])) for i, name in enumerate(names, start=1)}
    return ious, float(common.sum() / table.sum())


def class_codes(
    a: ClassMap, b: ClassMap, grid: tuple[int, int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Both class maps on a grid, with one number for each class name; 0 is no class.

    Args:
        a: Class map of A.
        b: Class map of B.
        grid: (width, height) of the grid that both are brought to.
    """
    codes = {name: code for code, name in enumerate(_names(a, b), start=1)}
    return _coded(a, codes, grid), _coded(b, codes, grid)


def _names(a: ClassMap, b: ClassMap) -> list[str]:
    return sorted({*a.names.values(), *b.names.values()})


def _coded(
    segmentation: ClassMap, codes: dict[str, int], grid: tuple[int, int]
) -> npt.NDArray[np.int64]:
    table = np.zeros(256, dtype=np.int64)
    for class_id, name in segmentation.names.items():
        if class_id != segmentation.background:
            table[class_id] = codes[name]
    coded: npt.NDArray[np.int64] = table[masks.resized_ids(segmentation.class_ids, grid)]
    return coded
