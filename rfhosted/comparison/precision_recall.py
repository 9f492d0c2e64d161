"""Precision and recall of one image's detections at every confidence threshold."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfhosted.comparison.pairing import check_iou, check_sizes
from rfhosted.display.tables import Row, Table
from rfhosted.display.units import counted, percent
from rfhosted.hosted import DEFAULT_CONFIDENCE
from rfhosted.outputs import matching
from rfhosted.outputs.values import check_fraction
from rfhosted.prediction import Prediction
from rfhosted.prediction.ground_truth import GroundTruth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfhosted.display.plots import Plot

#: Thresholds of the table that a notebook shows; ``rows`` has every one at which a number changes.
_SHOWN = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
#: A request at a higher threshold leaves out the part of the curve that is worth a look.
_LOW_ENOUGH = 0.1
_CURVE, _CURRENT = "#0072B2", "#D55E00"


@dataclass(frozen=True, slots=True)
class Point:
    """What is found at one confidence threshold.

    Attributes:
        threshold: Detections of this confidence or more count.
        found: Objects of the ground truth that were found (true positives).
        missed: Objects that were not (false negatives).
        invented: Detections that are no object of the ground truth (false positives).
    """

    threshold: float
    found: int
    missed: int
    invented: int

    @property
    def precision(self) -> float | None:
        """Share of the detections that are right; None without detections."""
        return _share(self.found, self.invented)

    @property
    def recall(self) -> float | None:
        """Share of the objects that were found; None without objects."""
        return _share(self.found, self.missed)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None without objects and detections."""
        return _share(2 * self.found, self.missed + self.invented)

    def words(self) -> str:
        """``At confidence 0.40: precision 80% (8 of 10), recall 67% (8 of 12)``."""
        return (
            f"At confidence {self.threshold:.2f}:"
            f" precision {percent(self.precision, missing='undefined')}"
            f" ({self.found} of {counted(self.found + self.invented, 'detection')}),"
            f" recall {percent(self.recall, missing='undefined')}"
            f" ({self.found} of {counted(self.found + self.missed, 'object')})"
        )


@dataclass(frozen=True, eq=False, repr=False)
class PrecisionRecallCurve(Table):
    """Precision and recall at every threshold; ``precision_recall_curve`` makes it.

    Attributes:
        points: One for each confidence that a detection has, the lowest threshold first.
        lowest: The threshold of the request: nothing is known below it.
        objects: How many objects the ground truth has.
        iou: Least IoU at which a detection and an object match.
    """

    points: tuple[Point, ...]
    lowest: float
    objects: int
    iou: float

    def at(self, threshold: float) -> Point:
        """What is found at a threshold; below the request's threshold, what is found there.

        Args:
            threshold: A fraction in [0, 1].

        Raises:
            ValueError, TypeError: Not a fraction.
        """
        check_fraction("threshold", threshold)
        threshold = max(float(threshold), self.lowest)
        place = bisect.bisect_left([point.threshold for point in self.points], threshold)
        if place == len(self.points):
            return Point(threshold, 0, self.objects, 0)
        nearest = self.points[place]
        return Point(threshold, nearest.found, nearest.missed, nearest.invented)

    def rows(self) -> list[Row]:
        """One dict for each threshold at which a number changes, the lowest first.

        ``threshold``; ``found``, ``missed`` and ``invented``, counts of true positives, false
        negatives and false positives; ``precision``, ``recall`` and ``f1``, fractions in [0, 1],
        None where they are not defined.
        """
        return [_row(point) for point in self.points]

    def plot(self, threshold: float | None = None) -> Plot:
        """Precision by recall, with the current threshold marked: a matplotlib Figure.

        Args:
            threshold: The threshold to mark, a fraction in [0, 1]; None for 0.4, or that of the
                request where it is higher.

        Raises:
            ValueError, TypeError: Not a fraction.
        """
        from rfhosted.display.plots import new_plot

        current = self.at(DEFAULT_CONFIDENCE if threshold is None else threshold)
        plot, axes = new_plot(current.words(), width=5.6, height=3.9)
        known = [
            (point.recall, point.precision, point.threshold)
            for point in self.points
            if point.recall is not None and point.precision is not None
        ]
        axes.plot(
            [recall for recall, *_ in known],
            [precision for _, precision, _ in known],
            color=_CURVE,
            marker=".",
            markersize=4,
            linewidth=1.2,
        )
        for recall, precision, at in _apart(known):
            axes.annotate(
                f"{at:.2f}",
                (recall, precision),
                xytext=(5, 4),
                textcoords="offset points",
                fontsize=8,
                color=_CURVE,
            )
        if current.recall is not None and current.precision is not None:
            place = (current.recall, current.precision)
            axes.plot(*place, color=_CURRENT, marker="D", markersize=9, clip_on=False)
            axes.annotate(
                f"threshold {current.threshold:.2f}",
                place,
                xytext=(-10, -16) if current.recall > 0.7 else (10, -14),
                textcoords="offset points",
                ha="right" if current.recall > 0.7 else "left",
                fontsize=9,
                color=_CURRENT,
            )
        axes.set(xlim=(0, 1.03), ylim=(0, 1.05))
        axes.set_xlabel("recall: share of the objects that were found", fontsize=9)
        axes.set_ylabel("precision: share of detections that are right", fontsize=9)
        return plot

    def _title(self) -> str:
        return self.at(DEFAULT_CONFIDENCE).words()

    def _notes(self) -> Sequence[str]:
        matching = (
            f"A detection is right where an object of its class has an IoU of {self.iou:.2f} or"
            " more with it; each object counts once."
        )
        notes = [matching]
        if self.lowest > _LOW_ENOUGH:
            notes.append(
                f"The request had a confidence threshold of {self.lowest:.2f}: predict with"
                " confidence=0.05 to see more of the curve."
            )
        return notes

    def _readable(self) -> list[Row]:
        shown = (at for at in _SHOWN if at >= self.lowest)
        return [
            {
                "confidence": f"{point.threshold:.2f}",
                "found": point.found,
                "missed": point.missed,
                "invented": point.invented,
                "precision": percent(point.precision, missing="-"),
                "recall": percent(point.recall, missing="-"),
            }
            for point in map(self.at, shown)
        ]

    def _example_row(self) -> Row:
        return _row(Point(0.5, 1, 1, 1))

    def _plots(self) -> Sequence[Plot]:
        return (self.plot(),)


def precision_recall_curve(
    truth: GroundTruth, prediction: Prediction, *, iou: float = 0.5
) -> PrecisionRecallCurve:
    """How precision and recall depend on the confidence threshold, for one image.

    Detections are matched to objects once, by falling confidence, as COCO's evaluation does it:
    of the same class, with an IoU of boxes of at least ``iou``, each object once. All classes are
    counted together; filter both for one class alone.

    Args:
        truth: What is in the image, from ``sample_truth`` or ``coco_truth``.
        prediction: Objects that a model found in it, requested at a low confidence.
        iou: Least IoU of a detection and an object that match, fraction in (0, 1].

    Raises:
        TypeError: An argument is of another kind, or the prediction is not one of objects.
        ValueError: The sizes of the images differ, or ``iou`` is out of range.

    Example:
        >>> truth = rfhosted.sample_truth("photo_wall")
        >>> p = rfhosted.predict(rfhosted.sample("photo_wall"), confidence=0.05)
        >>> rfhosted.precision_recall_curve(truth, p).plot(threshold=0.3)
    """
    if not isinstance(truth, GroundTruth):
        raise TypeError(
            f"truth is a {type(truth).__name__}. Pass what sample_truth or coco_truth returns."
        )
    found: Any = getattr(prediction, "objects", None)
    if not isinstance(prediction, Prediction) or found is None:
        kind = (
            f"a prediction of {prediction.task}"
            if isinstance(prediction, Prediction)
            else (f"a {type(prediction).__name__}")
        )
        raise TypeError(f"A curve needs a prediction of objects, and this is {kind}.")
    check_iou(iou)
    check_sizes(truth, prediction)
    right = matching.true_positives(truth.objects, found, iou)
    points = _points(len(truth.objects), [item.certainty for item in found], right)
    return PrecisionRecallCurve(points, prediction.confidence, len(truth.objects), float(iou))


def _points(objects: int, confidences: Sequence[float], right: Sequence[bool]) -> tuple[Point, ...]:
    points: list[Point] = []
    found = 0
    ranked = sorted(zip(confidences, right, strict=True), reverse=True)
    for number, (confidence, is_right) in enumerate(ranked, start=1):
        found += is_right
        if points and points[-1].threshold == confidence:  # a threshold keeps both or neither
            points.pop()
        points.append(Point(confidence, found, objects - found, number - found))
    return tuple(reversed(points))


def _row(point: Point) -> Row:
    return {
        "threshold": point.threshold,
        "found": point.found,
        "missed": point.missed,
        "invented": point.invented,
        "precision": point.precision,
        "recall": point.recall,
        "f1": point.f1,
    }


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None


def _apart(places: Sequence[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Some of the places, so far from each other that a label fits beside each."""
    kept: list[tuple[float, float, float]] = []
    for place in places:
        if all(abs(place[0] - r) > 0.12 or abs(place[1] - p) > 0.1 for r, p, _ in kept):
            kept.append(place)
    return kept
