"""Two predictions of one image, drawn on it: what both have, what only one has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfhosted.display.annotate import extended
from rfhosted.display.differences import (
    Mark,
    Where,
    draw_marks,
    draw_pixels,
    draw_score_pairs,
)
from rfhosted.images.upload import scaled
from rfhosted.outputs.matching import TOP, class_codes
from rfhosted.outputs.values import check_whole
from rfhosted.prediction import ClassificationPrediction, Prediction, SemanticPrediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from rfhosted.display.tables import Row
    from rfhosted.outputs.values import Box

#: What ``draw`` can show, and which marks it then draws.
SHOWN = {"both": tuple(Where), "a": (Where.BOTH, Where.ONLY_A), "b": (Where.BOTH, Where.ONLY_B)}


def marks_of(
    both: Sequence[tuple[Row, Row, float]], only_a: Sequence[Row], only_b: Sequence[Row]
) -> tuple[Mark, ...]:
    """The objects of a comparison, differences first, numbered within each kind."""
    groups: dict[Where, list[tuple[Row, ...]]] = {
        Where.ONLY_A: [(row,) for row in only_a],
        Where.ONLY_B: [(row,) for row in only_b],
        Where.BOTH: [(one, other) for one, other, _ in both],
    }
    letters = {Where.ONLY_A: "A", Where.ONLY_B: "B", Where.BOTH: "AB"}
    return tuple(
        Mark(f"{letters[where]}{number}", where, rows[0]["class_name"], tuple(map(_box, rows)))
        for where, group in groups.items()
        for number, rows in enumerate(group, start=1)
    )


def _box(row: Row) -> Box:
    return row["x1"], row["y1"], row["x2"], row["y2"]


def drawn(
    a: Prediction, b: Prediction, marks: Sequence[Mark], *, show: str, max_side: int
) -> Image.Image:
    """The image with both results, or one of them, in the styles of the comparison.

    Raises:
        ValueError: ``show`` is none of "both", "a" and "b".
    """
    if show not in SHOWN:
        raise ValueError(f"show is {' or '.join(map(repr, SHOWN))}, not {show!r}.")
    check_whole("max_side", max_side, "pixels")
    size = a.source_image.size
    if isinstance(a, (ClassificationPrediction, SemanticPrediction)):
        return _with_room(a, b, show, max_side)
    image = (b if show == "b" else a).source_image.at(scaled(size, min(max_side, max(size))))
    chosen = [_seen(mark, show) for mark in marks if mark.where in SHOWN[show]]
    return draw_marks(image, chosen, size)


def _seen(mark: Mark, show: str) -> Mark:
    """A mark as one result has it: of two boxes that match, its own."""
    if show == "both" or len(mark.boxes) == 1:
        return mark
    own = mark.boxes[0] if show == "a" else mark.boxes[1]
    return Mark(mark.name, mark.where, mark.class_name, (own,))


def _with_room(a: Any, b: Any, show: str, max_side: int) -> Image.Image:
    """Results with bars or a legend below: each has room for the largest, so that none moves."""
    photo = a.source_image.at(scaled(a.source_image.size, min(max_side, max(a.source_image.size))))
    both = _scores if isinstance(a, ClassificationPrediction) else _pixels
    made = {
        "both": both(photo, a, b),
        "a": a.draw(max_side=max_side),
        "b": b.draw(max_side=max_side),
    }
    width, height = (max(side) for side in zip(*(one.size for one in made.values()), strict=True))
    return extended(made[show], height - made[show].height, width)


def _scores(image: Image.Image, a: Any, b: Any) -> Image.Image:
    """The best classes of both, with both scores."""
    sides = [{score.class_name: score for score in one.scores} for one in (a, b)]
    best = [score for one in (a, b) for score in one.scores[:TOP]]
    entries = {
        score.class_name: tuple(
            own[score.class_name].confidence if score.class_name in own else None for own in sides
        )
        for score in best
    }
    ids = {score.class_name: score.class_id for score in best}
    ranked = sorted(entries, key=lambda name: -max(value or 0.0 for value in entries[name]))
    rows = [(name, ids[name], *entries[name]) for name in ranked]
    return draw_score_pairs(image, rows, similarity=a.similarity or b.similarity)


def _pixels(image: Image.Image, a: Any, b: Any) -> Image.Image:
    """Where both give a pixel the same class, another class, or only one of them gives one."""
    coded_a, coded_b = class_codes(a.segmentation, b.segmentation, image.size)
    names = [Where.BOTH, Where.ONLY_A, Where.ONLY_B, Where.OTHER_CLASS]
    places = (coded_a > 0).astype("uint8") * 2 + (coded_b > 0) * 3  # 2 only A, 3 only B, 5 both
    places[places == 5] = 4
    places[(coded_a == coded_b) & (coded_a > 0)] = 1
    return draw_pixels(image, places, names)
