"""What was asked and what came of it, request by request: plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from rfhosted.prediction import Timing


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination that is measured.

    Attributes:
        model: As the user named it.
        api_version: "v1" or "v2".
        image_size: Longest side sent, in pixels; "original"; None for automatic.
    """

    model: str
    api_version: str
    image_size: int | str | None = None

    def label(self) -> str:
        """The cell in words: ``yolov8n-640, v2, 320 px``."""
        size = f"{self.image_size} px" if isinstance(self.image_size, int) else self.image_size
        return ", ".join(filter(None, (self.model, self.api_version, size)))


@dataclass(frozen=True, slots=True)
class Measurement:
    """One request.

    Attributes:
        cell: What it asked.
        began: Seconds from the start of the run.
        busy: Seconds of the client that it took, own work included.
        warmup: Whether it only warms up.
        timing: Where the time went; None where it failed.
        late: Seconds from when it was due to its beginning; 0 in a closed loop.
        error: Kind of the failure: ``ModelNotReadyError 503``; None for an answer.
        bytes_up: Bytes of the request's body; None where none was made.
        bytes_down: Bytes of the answer's body, decompressed.
        simulated: Which times a simulator pretended, in words.
    """

    cell: Cell
    began: float
    busy: float
    warmup: bool = False
    timing: Timing | None = None
    late: float = 0.0
    error: str | None = None
    bytes_up: int | None = None
    bytes_down: int | None = None
    simulated: str | None = None

    @property
    def e2e(self) -> float | None:
        """E2E in seconds, from when the request was due."""
        return None if self.timing is None else self.late + self.timing.e2e

    @property
    def cold(self) -> bool:
        """Whether the model had to be loaded first."""
        return self.timing is not None and bool(self.timing.load)

    @property
    def counts(self) -> bool:
        """Whether it enters the latency figures: an answer, warm, no warm-up."""
        return self.timing is not None and not self.warmup and not self.cold

    def to_json(self) -> dict[str, Any]:
        """As plain values, for a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The reverse of ``to_json``."""
        timing = data["timing"] and Timing(
            **data["timing"] | {"retries": tuple(data["timing"]["retries"])}
        )
        return cls(**data | {"cell": Cell(**data["cell"]), "timing": timing})
