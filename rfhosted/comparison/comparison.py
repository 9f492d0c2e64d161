"""Two predictions of one picture side by side: what is in both, what in one, at what cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfhosted.display import html
from rfhosted.display.tables import Row, Table
from rfhosted.display.units import kilobytes, milliseconds
from rfhosted.hosted import Task
from rfhosted.images.upload import scaled
from rfhosted.outputs import matching
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

_SIDE = 640  # pixels of one picture in the HTML
_JPEG_BYTES = 30_000  # of one picture in the HTML; base64 adds a third
_SHOWN_ROWS, _UNFOLDED_ROWS = 40, 12
#: What a table of a task tells of either side, besides the class.
_FIELDS = {Task.CLASSIFICATION: ("rank", "confidence"), Task.SEMANTIC_SEGMENTATION: ("share",)}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Comparison(Table):
    """What two predictions of one picture have in common; ``compare`` makes it.

    Attributes:
        a: The first prediction.
        b: The second.
        both: (row of A, row of B, IoU) for each match, rows as ``Prediction.rows`` has them. For
            a ranking, which has no IoU, it is the smaller of the two scores over the larger.
        only_a: Rows of A without a match.
        only_b: Rows of B without a match.
        agreement: In [0, 1]; ``compare`` says how it is counted.
        notes: What a reader should know of this comparison.
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
        """The result in a few words: ``83 % agreement: 5 in both, 1 only in A, 0 only in B``."""
        return (
            f"{self.agreement:.0%} agreement: {len(self.both)} in both,"
            f" {len(self.only_a)} only in A, {len(self.only_b)} only in B"
        )

    def rows(self) -> list[Row]:
        """One dict a match or a lone row: ``where``, class, what A and B tell of it, IoU."""
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
        """What was asked and what it cost, as text, one dict a line: ``what``, ``A``, ``B``."""
        sides = (_side(self.a), _side(self.b))
        return [{"what": what, "A": sides[0][what], "B": sides[1][what]} for what in sides[0]]

    def html(self, *, max_bytes: int = _JPEG_BYTES, max_side: int = _SIDE) -> str:
        """Both pictures, what they cost and what is where, as HTML that stands alone.

        Args:
            max_bytes: Bytes of one picture as a JPEG; text form, in here, takes a third more.
            max_side: Longest side of one picture in pixels; less where ``max_bytes`` asks for it.
        """
        result, *rest = (html.escape(text) for text in (self.summary(), *self.notes))
        lines = [f"<strong>{result}</strong>", *(f"<em>{note}</em>" for note in rest)]
        figures = "".join(
            _figure(name, prediction, max_bytes, max_side)
            for name, prediction in (("A", self.a), ("B", self.b))
        )
        return (
            '<div class="rfhosted"><div style="display:flex;flex-wrap:wrap;gap:12px">'
            f'{figures}</div><p style="margin:4px 0">{"<br>".join(lines)}</p>'
            f"{html.table(self.sides(), 'Side by side')}{self._unfold()}</div>"
        )

    def _unfold(self) -> str:
        rows = self.rows()
        if not rows:
            return ""
        title = f"In both, only in A, only in B: {len(rows)} row{'s'[: len(rows) > 1]}"
        if len(rows) > _SHOWN_ROWS:
            title += f", the first {_SHOWN_ROWS} of them here"
        unfolded = " open" if len(rows) <= _UNFOLDED_ROWS else ""
        table = html.table(rows[:_SHOWN_ROWS], "What is where")
        return f"<details{unfolded}><summary>{title}</summary>{table}</details>"

    def _repr_html_(self) -> str:
        return self.html()

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n{html.text_table(self.sides())}"


def compare(p: Prediction, q: Prediction, *, iou: float = 0.5) -> Comparison:
    """Compare two predictions of one picture; nothing is sent.

    The agreement is, for

    - objects (boxes, masks, key points): both / (both + only A + only B), and 1 where there are
      none at all. Two objects are one where they have the same class name and an IoU of at least
      ``iou``: of their masks where both have one, on a grid of at most 1024 pixels, else of their
      boxes. Each is matched once, best pairs first.
    - classification: the average overlap of the best 5: the share in common of the best 1, 2, 3,
      4 and 5, averaged. Where several classes may be present: both / (both + only A + only B) of
      those that are called present.
    - semantic segmentation: the share of pixels that both give the same class (none counts as
      one), on the finer of the two grids, of at most 1024 pixels.

    Args:
        p: A.
        q: B: another model, version, image size or threshold, and the same picture and task.
        iou: Least IoU of two objects that are one, fraction in (0, 1].

    Raises:
        ValueError: The tasks or the sizes of the pictures differ, or ``iou`` makes no sense.
    """
    check_fraction("iou", iou)
    if iou == 0:
        raise ValueError("iou is more than 0: else everything would match everything.")
    if p.task != q.task:
        raise ValueError(
            f"A answers {p.task} and B {q.task}: only predictions of one task compare."
        )
    if p.source_image.size != q.source_image.size:
        sizes = " and ".join(f"{w} x {h}" for w, h in (p.source_image.size, q.source_image.size))
        raise ValueError(f"The pictures have {sizes} pixels: compare predictions of one picture.")
    notes = _notes_on_conditions(p, q)
    if isinstance(p, ClassificationPrediction):
        return _compare_rankings(p, q, notes)
    if isinstance(p, SemanticPrediction):
        return _compare_regions(p, q, notes)
    return _compare_objects(p, q, iou, notes)


def _compare_objects(p: Any, q: Any, least: float, notes: list[str]) -> Comparison:
    size = p.source_image.size
    ious = matching.object_ious(p.objects, q.objects, size, scaled(size, DISPLAY_SIZE))
    pairs = matching.best_pairs(ious, least)
    rows_a, rows_b = p.rows(), q.rows()
    if isinstance(p, KeypointPrediction):
        notes += _note_on_key_points([(rows_a[i], rows_b[j]) for i, j, _ in pairs])
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
        notes.append(f"A ranks {names_a[0]} first, B {names_b[0]}.")
    in_b = {row["class_name"]: row for row in rows_b}
    both = [
        (row, in_b[name], _ratio(row["confidence"], in_b[name]["confidence"]))
        for name, row in zip(names_a, rows_a, strict=True)
        if name in in_b
    ]
    return _comparison(
        p,
        q,
        both=both,
        only_a=[row for row in rows_a if row["class_name"] not in in_b],
        only_b=[row for row in rows_b if row["class_name"] not in names_a],
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
        notes.append(f"Mean IoU of the classes in both: {mean:.2f}.")
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
            f"A shows what is above {p.confidence:.2f}, B what is above {q.confidence:.2f}: filter"
            " both alike for a fair comparison."
        )
    files = p.source_image.data, q.source_image.data
    if None not in files and files[0] != files[1]:
        notes.append("The two pictures are of one size, but not the same file.")
    return notes


def _note_on_key_points(pairs: list[tuple[Row, Row]]) -> list[str]:
    distances = [
        math.dist(one["key_points"][name][:2], other["key_points"][name][:2])
        for one, other in pairs
        for name in one["key_points"]
        if name in other["key_points"]
    ]
    if not distances:
        return []
    mean = sum(distances) / len(distances)
    told = f"{len(distances)}, on average {mean:.1f} pixels of the picture apart"
    return [f"Key points that both have: {told}."]


def _side(prediction: Prediction) -> dict[str, str]:
    width, height = prediction.upload.size
    load = prediction.timing.load
    loading = f", {milliseconds(load)} of it loading the model" if load else ""
    return {
        "found": prediction.summary(),
        "model": f"{prediction.model} on {prediction.host}",
        "version": str(prediction.api_version),
        "confidence from": f"{prediction.confidence:.2f}",
        "sent": f"{width} x {height} pixels",
        "request": kilobytes(prediction.upload.nbytes),
        "E2E": milliseconds(prediction.timing.e2e) + loading,
        "Exec": milliseconds(prediction.timing.exec),
    }


def _figure(name: str, prediction: Prediction, max_bytes: int, max_side: int) -> str:
    source = html.jpeg_data_uri(prediction.draw(max_side=max_side), max_bytes)
    alt = f"{name}, the picture with the result of {prediction.task}: {prediction.summary()}"
    caption = html.escape(" · ".join(prediction.caption()[:2]))  # the rest is in the table
    return (
        '<figure style="margin:0;flex:1 1 200px;min-width:0">'
        f'<img alt="{html.escape(alt)}" src="{source}" style="max-width:100%;height:auto">'
        f"<figcaption><strong>{name}</strong> {caption}</figcaption></figure>"
    )
