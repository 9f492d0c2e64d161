"""Predictions that rank classes."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from rfhosted.display.units import counted, percent
from rfhosted.outputs.text import short_name
from rfhosted.outputs.values import ClassScore
from rfhosted.prediction.base import DISPLAY_SIZE, Prediction

if TYPE_CHECKING:
    import supervision as sv
    from PIL import Image

    from rfhosted.display.tables import Row

#: Classes of a multi-label result that the summary names.
_NAMED = 10


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ClassificationPrediction(Prediction):
    """Classification: a ranking of classes.

    Attributes:
        scores: Best first.
        predicted_classes: The classes that a multi-label model predicts; else the best one.
        multi_label: Whether several classes may be present at once.
        similarity: Whether the scores are cosine similarities in [-1, 1] (CLIP) instead of
            confidences; they are never shown as percent.
    """

    scores: tuple[ClassScore, ...]
    predicted_classes: tuple[str, ...]
    multi_label: bool
    similarity: bool = False

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """(class name, confidence or cosine similarity), best first."""
        return [(score.class_name, score.confidence) for score in self.scores]

    @functools.cached_property
    def classifications(self) -> sv.Classifications:
        """The ranking for supervision."""
        import numpy as np

        from rfhosted.display.annotate import load_supervision

        found: sv.Classifications = load_supervision().Classifications(
            class_id=np.array([score.class_id for score in self.scores], dtype=int),
            confidence=np.array([score.confidence for score in self.scores], dtype=np.float32),
        )
        return found

    def _keep(
        self, confidence: float, names: set[str] | None, keypoint_confidence: float | None
    ) -> Self:
        del keypoint_confidence  # a ranking has none
        if self.similarity and not confidence:
            confidence = -1.0  # cosines may be negative: no threshold keeps them all
        kept = tuple(
            score
            for score in self.scores
            if score.confidence >= confidence and (names is None or score.class_name in names)
        )
        left = {score.class_name for score in kept}
        present = tuple(name for name in self.predicted_classes if name in left)
        return replace(self, scores=kept, predicted_classes=present)

    def __len__(self) -> int:
        return len(self.scores)

    def rows(self) -> list[Row]:
        """One dict for each class, best first."""
        present = frozenset(self.predicted_classes)
        return [
            self._row(rank, score, predicted=score.class_name in present)
            for rank, score in enumerate(self.scores, start=1)
        ]

    def _row(self, rank: int, score: ClassScore, *, predicted: bool) -> Row:
        return {
            "rank": rank,
            "class_name": score.class_name,
            "class_id": score.class_id,
            "confidence": score.confidence,
            "predicted": predicted,
        }

    def _example_row(self) -> Row:
        return self._row(1, ClassScore("", 0, 0.0), predicted=False)

    def draw(self, *, max_side: int = DISPLAY_SIZE, top: int = 5) -> Image.Image:
        """The image with its best classes as bars beside it: PIL RGB.

        Args:
            max_side: Longest side of the image in it, in pixels.
            top: How many classes.
        """
        from rfhosted.display import annotate

        image = self._display(max_side)
        return annotate.draw_scores(image, self.scores, top=top, similarity=self.similarity)

    def summary(self) -> str:  # noqa: D102 - inherited
        if not self.scores:
            return self._nothing("no class")
        if self.multi_label:
            if not self.predicted_classes:
                return "no class present"
            names = [short_name(name) for name in self.predicted_classes[:_NAMED]]
            more = ["…"] if len(self.predicted_classes) > _NAMED else []
            classes = counted(len(self.predicted_classes), "class", "classes")
            return f"{classes} present: {', '.join(names + more)}"
        best = self.scores[0]
        name = short_name(best.class_name)
        if self.similarity:
            return f"{name}, cosine similarity {best.confidence:.2f}"
        return f"{name} {percent(best.confidence)}"
