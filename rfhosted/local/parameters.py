"""Query parameters of the image route, with the names and defaults of roboflow/inference 1.8.3.

The real server validates them with pydantic too, so the bodies of its 422 responses are the same.
Parameters that are not listed are ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from rfhosted.hosted import DEFAULT_CONFIDENCE, DEFAULT_OVERLAP
from rfhosted.local.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOWEST_CONFIDENCE = 0.01


class Parameters(BaseModel):
    """The parameters of one request, as sent: thresholds may be fractions or percentages."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    confidence: float | Literal["best", "default"] = DEFAULT_CONFIDENCE
    keypoint_confidence: float = 0.0  # checked, but without effect on the real server too
    format: str = "json"
    image: str | None = None
    labels: bool = False
    disable_preproc_auto_orient: bool = False
    max_detections: int = 300
    overlap: float = DEFAULT_OVERLAP
    stroke: int = 1
    response_mask_format: Literal["polygon", "rle"] = "polygon"

    def threshold(self, default: float) -> float:
        """Confidence as a fraction; ``default`` is the model's own, for "best" and "default"."""
        if isinstance(self.confidence, str):
            return default
        return max(_LOWEST_CONFIDENCE, _fraction(self.confidence))

    @property
    def iou(self) -> float:
        """The overlap as a fraction, at least 0."""
        return max(0.0, _fraction(self.overlap))


def read_parameters(query: Mapping[str, str]) -> Parameters:
    """Check and convert a query.

    Raises:
        RefusedError: Status 422, with every value that cannot be read.
    """
    try:
        return Parameters.model_validate(dict(query))
    except ValidationError as error:
        problems = error.errors(include_url=False)
    detail = [problem | {"loc": ["query", *problem["loc"]]} for problem in problems]
    raise RefusedError(422, detail, "detail")


def _fraction(value: float) -> float:
    return min(value / 100, 1.0) if value >= 1 else value
