"""Two predictions of one image matched: objects by class and IoU, classes by rank, pixels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rfhosted.comparison.comparison import Comparison
from rfhosted.display.units import counted
from rfhosted.images.upload import scaled
from rfhosted.outputs import matching
from rfhosted.outputs.text import short_name
from rfhosted.outputs.values import check_fraction
from rfhosted.prediction import (
    ClassificationPrediction,
    KeypointPrediction,
    Prediction,
    SemanticPrediction,
)
from rfhosted.prediction.base import DISPLAY_SIZE
from rfhosted.prediction.ground_truth import GroundTruth

if TYPE_CHECKING:
    from rfhosted.comparison.comparison import Pair
    from rfhosted.display.tables import Row


def compare(p: Prediction, q: Prediction, *, iou: float = 0.5) -> Comparison:
    """Compare two predictions of one image; no request is sent.

    The agreement is defined by task:

    - Objects (boxes, masks, keypoints): both / (both + only A + only B), and 1 where neither has
      any. Two objects match when they have the same class name and an IoU of at least ``iou``: of
      their masks where both have one, on a grid of at most 1024 pixels, else of their boxes. Each
      object is matched once, pairs of the highest IoU first.
    - Classification: the average overlap of the best 5: the share in common of the best 1, 2, 3,
      4 and 5, averaged. For multi-label models: both / (both + only A + only B) of the predicted
      classes.
    - Semantic segmentation: the share of pixels to which both give the same class (background and
      void count as one class), on the finer of the two grids, of at most 1024 pixels.

    A ground truth (``sample_truth``, ``coco_truth``) is compared with objects of any task, by their
    boxes: what is only in it was missed, what is only in the prediction was invented.

    Args:
        p: The first prediction or a ground truth, A.
        q: The second prediction, B: of another model, API version, image size or threshold, and of
            the same image and task.
        iou: Least IoU of two objects that match, fraction in (0, 1].

    Raises:
        TypeError: ``p`` or ``q`` is not a prediction, or ``iou`` not a number.
        ValueError: The tasks or the sizes of the images differ, or ``iou`` is out of range.

    Example:
        >>> c = rfhosted.compare(p, p.filter(confidence=0.6))
        >>> c.agreement, len(c.both), len(c.only_a)
    """
    for name, value in (("p", p), ("q", q)):
        if not isinstance(value, Prediction):
            raise TypeError(f"compare takes two predictions; {name} is a {type(value).__name__}.")
    check_iou(iou)
    boxes_alone = _has_truth(p, q) and hasattr(p, "objects") and hasattr(q, "objects")
    if p.task != q.task and not boxes_alone:
        raise ValueError(
            f"A is a prediction of {p.task}, B of {q.task}. Compare predictions of one task."
        )
    check_sizes(p, q)
    notes = _notes_on_conditions(p, q)
    if isinstance(p, ClassificationPrediction):
        return _compare_rankings(p, q, notes)
    if isinstance(p, SemanticPrediction):
        return _compare_regions(p, q, notes)
    return _compare_objects(p, q, iou, notes)


def _has_truth(p: Prediction, q: Prediction) -> bool:
    return isinstance(p, GroundTruth) or isinstance(q, GroundTruth)


def check_iou(iou: float) -> None:
    """Check the least IoU of two objects that match.

    Raises:
        TypeError: Not a number.
        ValueError: Outside (0, 1].
    """
    check_fraction("iou", iou)
    if iou == 0:
        raise ValueError("iou must be more than 0, else every object matches every other.")


def check_sizes(p: Prediction, q: Prediction) -> None:
    """Check that two predictions are of images of one size.

    Raises:
        ValueError: The sizes differ.
    """
    if p.source_image.size != q.source_image.size:
        (w, h), (v, g) = p.source_image.size, q.source_image.size
        raise ValueError(
            f"The image of A has {w} x {h} pixels, that of B {v} x {g}. Compare predictions of one"
            " image."
        )


def _compare_objects(p: Any, q: Any, least: float, notes: list[str]) -> Comparison:
    size = p.source_image.size
    pairs, too_many = matching.object_pairs(
        p.objects, q.objects, size, scaled(size, DISPLAY_SIZE), least
    )
    if too_many:
        notes.append("So many masks overlap that boxes were compared instead.")
    rows_a, rows_b = p.rows(), q.rows()
    if isinstance(p, KeypointPrediction) and isinstance(q, KeypointPrediction):
        notes += _note_on_keypoints([(rows_a[i], rows_b[j]) for i, j, _ in pairs])
    return _comparison(
        p,
        q,
        both=[(rows_a[i], rows_b[j], iou) for i, j, iou in pairs],
        only_a=_without(rows_a, {i for i, _, _ in pairs}),
        only_b=_without(rows_b, {j for _, j, _ in pairs}),
        notes=notes,
    )


def _compare_rankings(p: Any, q: Any, notes: list[str]) -> Comparison:
    several = p.multi_label or q.multi_label
    rows_a, rows_b = (
        [row for row in side.rows() if row["predicted"]] if several else side.rows()[: matching.TOP]
        for side in (p, q)
    )
    names_a, names_b = ([row["class_name"] for row in rows] for rows in (rows_a, rows_b))
    if names_a and names_b and not several and names_a[0] != names_b[0]:
        first_a, first_b = (short_name(names[0]) for names in (names_a, names_b))
        notes.append(f"A ranks {first_a} first, B ranks {first_b} first.")
    in_a, in_b = ({row["class_name"]: row for row in rows} for rows in (rows_a, rows_b))
    both = [
        (row, in_b[name], _ratio(row["confidence"], in_b[name]["confidence"]))
        for name, row in in_a.items()
        if name in in_b
    ]
    return _comparison(
        p,
        q,
        both=both,
        only_a=[row for row in rows_a if row["class_name"] not in in_b],
        only_b=[row for row in rows_b if row["class_name"] not in in_a],
        agreement=None if several else matching.average_overlap(names_a, names_b),
        notes=notes,
    )


def _compare_regions(p: Any, q: Any, notes: list[str]) -> Comparison:
    longest = max(*p.segmentation.class_ids.shape, *q.segmentation.class_ids.shape)
    grid = scaled(p.source_image.size, min(longest, DISPLAY_SIZE))
    ious, agreement = matching.region_ious(p.segmentation, q.segmentation, grid)
    rows_a, rows_b = ({row["class_name"]: row for row in side.rows()} for side in (p, q))
    both = [(row, rows_b[name], ious[name]) for name, row in rows_a.items() if name in rows_b]
    if both:
        mean = sum(iou for _, _, iou in both) / len(both)
        notes.append(f"Mean IoU of the classes that both have: {mean:.2f}.")
    return _comparison(
        p,
        q,
        both=both,
        only_a=[row for name, row in rows_a.items() if name not in rows_b],
        only_b=[row for name, row in rows_b.items() if name not in rows_a],
        agreement=agreement,
        notes=notes,
    )


def _comparison(
    p: Prediction,
    q: Prediction,
    *,
    both: list[Pair],
    only_a: list[Row],
    only_b: list[Row],
    notes: list[str],
    agreement: float | None = None,
) -> Comparison:
    if agreement is None:
        things = len(both) + len(only_a) + len(only_b)
        agreement = len(both) / things if things else 1.0
    return Comparison(
        a=p,
        b=q,
        both=both,
        only_a=only_a,
        only_b=only_b,
        agreement=agreement,
        notes=tuple(notes),
    )


def _without(rows: list[Row], matched: set[int]) -> list[Row]:
    return [row for i, row in enumerate(rows) if i not in matched]


def _ratio(one: float, other: float) -> float:
    # Cosine similarities may be negative.
    return max(0.0, min(one, other)) / max(one, other) if max(one, other) > 0 else 1.0


def _no_threshold(p: Prediction) -> bool:
    """Whether a threshold means nothing for its objects: they have no confidences."""
    return hasattr(p, "objects") and not p.has_confidences


def _notes_on_conditions(p: Prediction, q: Prediction) -> list[str]:
    notes = []
    if p.confidence != q.confidence and not any(map(_no_threshold, (p, q))):
        notes.append(
            f"A has a confidence threshold of {p.confidence:.2f}, B of {q.confidence:.2f}. Filter"
            " both with the same one for a fair comparison."
        )
    files = p.source_image.data, q.source_image.data
    if None not in files and files[0] != files[1]:
        notes.append("The two images have the same size, but are not the same file.")
    return notes


def _note_on_keypoints(pairs: list[tuple[Row, Row]]) -> list[str]:
    distances = [
        math.dist(one["key_points"][name][:2], other["key_points"][name][:2])
        for one, other in pairs
        for name in one["key_points"]
        if name in other["key_points"]
    ]
    if not distances:
        return []
    mean = sum(distances) / len(distances)
    both = counted(len(distances), "keypoint")
    return [f"Both have {both}, on average {mean:.1f} pixels of the original image apart."]
