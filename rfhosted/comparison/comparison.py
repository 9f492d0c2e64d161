"""Two predictions of one image side by side: what is in both, what is in one, at what cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfhosted.display import html
from rfhosted.display.annotate import omissions
from rfhosted.display.tables import Row, Table, html_table, text_table, unfolding_table
from rfhosted.display.units import counted, kilobytes, milliseconds, percent
from rfhosted.hosted import Task
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

if TYPE_CHECKING:
    from collections.abc import Sequence

    Pair = tuple[Row, Row, float]

_SIDE = 640  # pixels of one image in the HTML
_JPEG_BYTES = 30_000  # of one image in the HTML; base64 adds a third
_SHOWN_ROWS, _OPENED_ROWS = 40, 12
#: The columns of a task's table that each side has, besides the class.
_FIELDS = {Task.CLASSIFICATION: ("rank", "confidence"), Task.SEMANTIC_SEGMENTATION: ("share",)}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Comparison(Table):
    """What two predictions of one image have in common; ``compare`` makes it.

    Attributes:
        a: The first prediction.
        b: The second.
        both: (row of A, row of B, IoU) for each match, rows as ``Prediction.rows`` has them. For
            a ranking, which has no IoU, it is the smaller of the two scores over the larger.
        only_a: Rows of A without a match.
        only_b: Rows of B without a match.
        agreement: In [0, 1]; ``compare`` says how it is defined for each task.
        notes: What a reader should know about this comparison.
    """

    a: Prediction
    b: Prediction
    both: list[Pair]
    only_a: list[Row]
    only_b: list[Row]
    agreement: float
    notes: tuple[str, ...] = ()

    _terminal_rows = 10

    def summary(self) -> str:
        """The result in a few words: ``83% agreement: 5 in both, 1 only in A, 0 only in B``."""
        return (
            f"{percent(self.agreement)} agreement: {len(self.both)} in both,"
            f" {len(self.only_a)} only in A, {len(self.only_b)} only in B"
        )

    def rows(self) -> list[Row]:
        """One dict for each match, and for each row without a match.

        ``where``: "both", "only A" or "only B". ``class_name``. ``confidence_a`` and ``_b``; for a
        ranking ``rank_a`` and ``_b`` as well; for a class map only ``share_a`` and ``_b``, of the
        pixels. ``iou``, or ``score_ratio`` for a ranking; None where there is no match.
        """
        return [
            *(self._row("both", one, other, iou) for one, other, iou in self.both),
            *(self._row("only A", row, {}, None) for row in self.only_a),
            *(self._row("only B", {}, row, None) for row in self.only_b),
        ]

    def _row(self, where: str, one: Row, other: Row, iou: float | None) -> Row:
        row: Row = {"where": where, "class_name": (one or other)["class_name"]}
        for field in _FIELDS.get(self.a.task, ("confidence",)):
            row |= {f"{field}_a": one.get(field), f"{field}_b": other.get(field)}
        last = "score_ratio" if self.a.task is Task.CLASSIFICATION else "iou"
        return row | {last: iou}

    def _example_row(self) -> Row:
        side: Row = {"class_name": "", "rank": 1, "confidence": 0.0, "share": 0.0}
        return self._row("both", side, side, 0.0)

    def _title(self) -> str:
        return self.summary()

    def _notes(self) -> Sequence[str]:
        return self.notes

    def sides(self) -> list[Row]:
        """Request, result and latency as text; one dict for each: ``what``, ``A``, ``B``."""
        a, b = _side(self.a), _side(self.b)
        return [{"what": what, "A": a[what], "B": b[what]} for what in a]

    def html(self, *, max_bytes: int = _JPEG_BYTES, max_side: int = _SIDE) -> str:
        """Both images, their requests and results, and the matches, as HTML that stands alone.

        Args:
            max_bytes: Bytes of one image as a JPEG; in the HTML's text form it takes a third more.
            max_side: Longest side of one image in pixels; less where ``max_bytes`` needs it.
        """
        return f"""\
<div class="rfhosted">
<div style="display:flex;flex-wrap:wrap;gap:12px">
{_figure("A", self.a, max_bytes, max_side)}
{_figure("B", self.b, max_bytes, max_side)}
</div>
<p style="margin:4px 0">{html.caption_lines([self.summary()], self.notes)}</p>
{html_table(self.sides(), "Side by side")}
{self._matches()}
</div>"""

    def _matches(self) -> str:
        rows = self.rows()
        opened = len(rows) <= _OPENED_ROWS
        return unfolding_table(rows, "In both, only in A, only in B", _SHOWN_ROWS, opened=opened)

    def _repr_html_(self) -> str:
        return self.html()

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n{text_table(self.sides())}"


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

    Args:
        p: The first prediction, A.
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
    check_fraction("iou", iou)
    if iou == 0:
        raise ValueError("iou must be more than 0, else every object matches every other.")
    if p.task != q.task:
        raise ValueError(
            f"A is a prediction of {p.task}, B of {q.task}. Compare predictions of one task."
        )
    if p.source_image.size != q.source_image.size:
        (w, h), (v, g) = p.source_image.size, q.source_image.size
        raise ValueError(
            f"The image of A has {w} x {h} pixels, that of B {v} x {g}. Compare predictions of one"
            " image."
        )
    notes = _notes_on_conditions(p, q)
    if isinstance(p, ClassificationPrediction):
        return _compare_rankings(p, q, notes)
    if isinstance(p, SemanticPrediction):
        return _compare_regions(p, q, notes)
    return _compare_objects(p, q, iou, notes)


def _compare_objects(p: Any, q: Any, least: float, notes: list[str]) -> Comparison:
    size = p.source_image.size
    pairs, too_many = matching.object_pairs(
        p.objects, q.objects, size, scaled(size, DISPLAY_SIZE), least
    )
    if too_many:
        notes.append("So many masks overlap that boxes were compared instead.")
    rows_a, rows_b = p.rows(), q.rows()
    if isinstance(p, KeypointPrediction):
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
    return min(one, other) / max(one, other) if max(one, other) > 0 else 1.0


def _notes_on_conditions(p: Prediction, q: Prediction) -> list[str]:
    notes = []
    if p.confidence != q.confidence:
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


def _side(prediction: Prediction) -> dict[str, str]:
    width, height = prediction.upload.size
    load = prediction.timing.load
    loading = f", {milliseconds(load)} of it loading the model" if load else ""
    return {
        "result": prediction.summary(),
        "model": prediction.model,
        "server": prediction.host,
        "API version": str(prediction.api_version),
        "confidence threshold": f"{prediction.confidence:.2f}",
        "image sent": f"{width} x {height} pixels",
        "request size": kilobytes(prediction.upload.nbytes),
        "E2E": milliseconds(prediction.timing.e2e) + loading,
        "Exec": milliseconds(prediction.timing.exec),
    }


def _figure(name: str, prediction: Prediction, max_bytes: int, max_side: int) -> str:
    alt = f"{name}: image with the result of {prediction.task}: {prediction.summary()}"
    source = html.jpeg_data_uri(prediction.draw(max_side=max_side), max_bytes)
    notes = [*prediction.notes, *omissions(getattr(prediction, "objects", ()))]
    caption = html.caption_lines([name, *prediction.caption()[:2]], notes)  # more is in the table
    return f"""\
<figure style="margin:0;flex:1 1 200px;min-width:0">
{html.image_tag(source, alt)}
<figcaption>{caption}</figcaption>
</figure>"""
