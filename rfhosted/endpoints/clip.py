"""CLIP, /clip/compare: how similar an image is to each of some texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfhosted.endpoints import response
from rfhosted.endpoints.image_tasks import unreadable
from rfhosted.endpoints.prompted import checked_names, merged
from rfhosted.endpoints.response import PartError
from rfhosted.hosted import Task
from rfhosted.outputs.text import one_line
from rfhosted.outputs.values import ClassScore, Ranking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfhosted.endpoints.image_tasks import Parsed
    from rfhosted.endpoints.prompted import Scale

#: Texts in one request; the server answers more with an unexplained 500.
MOST_NAMES = 8
_DEFAULT_VERSION = "ViT-B-16"
_ROUNDING = 1e-3  # by which a cosine may leave [-1, 1]


@dataclass(frozen=True, slots=True)
class ClipCall:
    """Texts to compare an image with; see ``call``."""

    names: tuple[str, ...]
    version: str

    family = "clip"
    path = "/clip/compare"
    image_size = 640  # the model sees 224 x 224
    confidence = None

    @property
    def model(self) -> str:
        """The model id: "clip/ViT-B-16"."""
        return f"clip/{self.version}"

    def _groups(self) -> list[tuple[str, ...]]:
        starts = range(0, len(self.names), MOST_NAMES)
        return [self.names[start : start + MOST_NAMES] for start in starts]

    def check(self, size: tuple[int, int]) -> None:
        """Texts fit every image."""

    def bodies(self, image: dict[str, str], scale: Scale) -> list[dict[str, Any]]:
        """One body for each eight texts."""
        del scale  # texts have no coordinates
        return [
            {
                "subject": image,
                "subject_type": "image",
                "prompt": list(names),
                "prompt_type": "text",
                "clip_version_id": self.version,
            }
            for names in self._groups()
        ]

    def read(self, responses: Sequence[Any], scale: Scale) -> Parsed:
        """The texts, the most similar first; class ids are their places in ``names``."""
        del scale
        found: list[float] = []
        for raw, names in zip(responses, self._groups(), strict=True):
            try:
                found += _similarities(raw, names)
            except PartError as error:
                raise unreadable(raw, str(error)) from None
        scores = [
            ClassScore(one_line(name), place, score)
            for place, (name, score) in enumerate(zip(self.names, found, strict=True))
        ]
        scores.sort(key=lambda score: -score.confidence)
        output = Ranking(tuple(scores), None, similarity=True)
        return merged(Task.CLASSIFICATION, output, responses)


def call(names: Sequence[str] | str, model: str = "clip") -> ClipCall:
    """How similar an image is to each of some texts, as cosine similarity.

    Args:
        names: The texts: "a cat"; more than 8 are several requests.
        model: "clip" (ViT-B-16), or a version as in "clip/ViT-L-14".

    Raises:
        ValueError, TypeError: There are no names, one is empty or no text, or is there twice.
    """
    family, _, version = str(model).partition("/")
    if family != "clip":
        raise ValueError(f"{model!r} is not CLIP: 'clip' or a version as in 'clip/ViT-L-14'.")
    return ClipCall(checked_names(names, "names"), version or _DEFAULT_VERSION)


def _similarities(raw: Any, names: Sequence[str]) -> list[float]:
    values = raw.get("similarity") if isinstance(raw, dict) else None
    if isinstance(values, dict):
        values = [values.get(name) for name in names]
    if not isinstance(values, list):
        raise PartError(f"similarity is {response.shown(values)}")
    if len(values) != len(names):
        raise PartError(f"similarity has {len(values)} values for {len(names)} texts")
    limit = 1 + _ROUNDING
    read = [response.number({"similarity": value}, "similarity", -limit, limit) for value in values]
    return [min(max(value, -1.0), 1.0) for value in read]
