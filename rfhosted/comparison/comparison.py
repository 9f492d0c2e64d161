"""What two predictions of one image have in common, as users see it: tables, images, HTML."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfhosted.comparison.drawing import drawn, marks_of
from rfhosted.display import html
from rfhosted.display.annotate import omissions
from rfhosted.display.differences import Mark, Where, legend_html
from rfhosted.display.tables import Row, Table, html_table, text_table, unfolding_table
from rfhosted.display.units import counted, kilobytes, milliseconds, percent
from rfhosted.hosted import Task
from rfhosted.prediction.base import DISPLAY_SIZE
from rfhosted.prediction.ground_truth import GroundTruth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from rfhosted.prediction import Prediction

    Pair = tuple[Row, Row, float]

_SIDE = 900  # pixels of the longest side of an image in the HTML
_JPEG_BYTES = 100_000  # of the three images in the HTML together; base64 adds a third
_ONE_SIDE = 640  # pixels, of A and of B: they stand beside each other
_SHOWN_ROWS, _OPENED_ROWS = 40, 20
_OBJECT_PLACES = (Where.ONLY_A, Where.ONLY_B, Where.BOTH)
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

    @functools.cached_property
    def marks(self) -> tuple[Mark, ...]:
        """The objects as ``draw`` numbers them: only in A, only in B, in both; else empty."""
        if self.a.task in _FIELDS:
            return ()
        return marks_of(self.both, self.only_a, self.only_b)

    @property
    def truth(self) -> str:
        """The side that is the ground truth, "A" or "B"; "" where none or both are."""
        sides = [n for n, p in (("A", self.a), ("B", self.b)) if isinstance(p, GroundTruth)]
        return sides[0] if len(sides) == 1 else ""

    def summary(self) -> str:
        """The result in a few words: ``83% agreement: 5 in both, 1 only in A, 0 only in B``.

        Beside a ground truth: ``8 of 12 objects found, 4 missed, 1 invented: recall 67%, precision
        89%``.
        """
        both, only_a, only_b = len(self.both), len(self.only_a), len(self.only_b)
        if not self.truth:
            return (
                f"{percent(self.agreement)} agreement: {both} in both, {only_a} only in A,"
                f" {only_b} only in B"
            )
        missed, invented = (only_a, only_b) if self.truth == "A" else (only_b, only_a)
        recall, precision = (
            percent(both / (both + rest) if both + rest else None, missing="undefined")
            for rest in (missed, invented)
        )
        objects = counted(both + missed, "object")
        return (
            f"{both} of {objects} found, {missed} missed, {invented} invented: recall {recall},"
            f" precision {precision}"
        )

    def rows(self) -> list[Row]:
        """One dict for each match, and for each row without a match.

        ``where``: "both", "only A" or "only B". ``class_name``. ``confidence_a`` and ``_b``; for a
        ranking ``rank_a`` and ``_b`` as well; for a class map only ``share_a`` and ``_b``, of the
        pixels. ``iou``, or ``score_ratio`` for a ranking; None where there is no match.
        """
        return [
            *(self._row(Where.BOTH, one, other, iou) for one, other, iou in self.both),
            *(self._row(Where.ONLY_A, row, {}, None) for row in self.only_a),
            *(self._row(Where.ONLY_B, {}, row, None) for row in self.only_b),
        ]

    def _row(self, where: Where, one: Row, other: Row, iou: float | None) -> Row:
        row: Row = {"where": str(where), "class_name": (one or other)["class_name"]}
        for field in _FIELDS.get(self.a.task, ("confidence",)):
            row |= {f"{field}_a": one.get(field), f"{field}_b": other.get(field)}
        last = "score_ratio" if self.a.task is Task.CLASSIFICATION else "iou"
        return row | {last: iou}

    def differences(self) -> list[Row]:
        """The rows as people read them, differences first, in the order of ``marks``.

        ``mark``, for objects: the name that ``draw`` writes; ``where``: "only A", or "missed …" and
        the like beside a ground truth; then as ``rows``.
        """
        places = self._places()
        rows = self.rows()
        ordered = [*rows[len(self.both) :], *rows[: len(self.both)]]
        for row in ordered:
            row["where"] = places[Where(row["where"])]
        if not self.marks:
            return ordered
        return [{"mark": m.name, **row} for m, row in zip(self.marks, ordered, strict=True)]

    def _readable(self) -> list[Row]:
        return self.differences()

    def _places(self) -> dict[Where, str]:
        """What it means to be there."""
        if not self.truth:
            return {where: str(where) for where in _OBJECT_PLACES}
        missed = f"missed (only {self.truth}, the ground truth)"
        invented = f"invented (only {'B' if self.truth == 'A' else 'A'})"
        texts = (missed, invented) if self.truth == "A" else (invented, missed)
        return dict(zip(_OBJECT_PLACES, (*texts, "found (both)"), strict=True))

    def _example_row(self) -> Row:
        side: Row = {"class_name": "", "rank": 1, "confidence": 0.0, "share": 0.0}
        return self._row(Where.BOTH, side, side, 0.0)

    def _title(self) -> str:
        return self.summary()

    def _notes(self) -> Sequence[str]:
        return self.notes

    def sides(self) -> list[Row]:
        """Request, result and latency as text; one dict for each: ``what``, ``A``, ``B``."""
        a, b = _side(self.a), _side(self.b)
        return [{"what": what, "A": a.get(what), "B": b.get(what)} for what in {**a, **b}]

    def draw(self, *, show: str = "both", max_side: int = DISPLAY_SIZE) -> Image.Image:
        """The image with the differences on it: PIL RGB, upright.

        Objects in both have solid black lines (AB), those only in A dashed blue ones (A), those
        only in B dotted orange ones (B). Rankings are pairs of bars, class maps are patterns on the
        pixels.

        Args:
            show: "both" for A and B over each other, "a" or "b" for one of them, at the same place
                and scale, so that one may flip between the two.
            max_side: Longest side of the image in pixels; never more than the image's own.

        Raises:
            ValueError, TypeError: An argument makes no sense.
        """
        return drawn(self.a, self.b, self.marks, show=show, max_side=max_side)

    def html(self, *, max_bytes: int = _JPEG_BYTES, max_side: int = _SIDE) -> str:
        """The differences, A and B as images, the list of differences and both requests.

        A and B are as wide as each other, so that they have the same scale.

        Args:
            max_bytes: Bytes of the three JPEGs together; in the HTML's text form a third more.
            max_side: Longest side of one image in pixels; less where ``max_bytes`` needs it.
        """
        half = max_bytes // 2
        what = f"of two results of {self.a.task}: {self.summary()}"
        return f"""\
<div class="rfhosted">
<figure style="margin:0">
{html.image_tag(self._jpeg("both", half, max_side), f"Differences {what}")}
<figcaption style="padding:4px 0">{self.caption_html()}
</figcaption>
</figure>
{self._matches()}
<div style="display:flex;flex-wrap:wrap;align-items:flex-start;gap:12px">
{self._figure("A", self.a, half // 2, max_side)}
{self._figure("B", self.b, half // 2, max_side)}
</div>
{html_table(self.sides(), "Side by side")}
</div>"""

    def _jpeg(self, show: str, max_bytes: int, max_side: int) -> str:
        return html.jpeg_data_uri(self.draw(show=show, max_side=max_side), max(1, max_bytes))

    def _figure(self, name: str, one: Prediction, max_bytes: int, max_side: int) -> str:
        alt = f"{name}: image with the result of {one.task}: {one.summary()}"
        source = self._jpeg(name.lower(), max_bytes, min(max_side, _ONE_SIDE))
        notes = [*one.notes, *omissions(getattr(one, "objects", ()))]
        caption = html.caption_lines([name, *one.caption()[:2]], notes)  # more is in the table
        return f"""\
<figure style="margin:0;flex:1 1 300px;min-width:0">
<img alt="{html.escape(alt)}" src="{source}" style="width:100%;height:auto">
<figcaption>{caption}</figcaption>
</figure>"""

    def caption_html(self) -> str:
        """The summary, the notes, and the styles of the marks with how many there are of each."""
        caption = html.caption_lines([self.summary()], self.notes)
        if not self.marks:
            return caption
        counts = Counter(mark.where for mark in self.marks)
        entries = [(where, f"{text}: {counts[where]}") for where, text in self._places().items()]
        return f"{caption}<br>{legend_html(entries)}"

    def _matches(self) -> str:
        rows = self.differences()
        opened = len(rows) <= _OPENED_ROWS
        return unfolding_table(rows, "Differences first", _SHOWN_ROWS, opened=opened)

    def _repr_html_(self) -> str:
        return self.html()

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n{text_table(self.sides())}"


def _side(prediction: Prediction) -> dict[str, str]:
    if isinstance(prediction, GroundTruth):
        return {"result": prediction.summary(), "model": prediction.model}
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
