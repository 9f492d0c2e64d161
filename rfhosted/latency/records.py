"""What a benchmark requested and what came of it: plain values, in memory and in a file."""

from __future__ import annotations

import re
import types
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from rfhosted.endpoints.call import Call
from rfhosted.hosted import ApiVersion
from rfhosted.prediction import Timing  # noqa: TC001 - from_json needs it at run time

#: Most seconds or bytes that a file may hold: what is more is damage.
_MOST = 1e12


@dataclass(frozen=True, slots=True)
class Settings:
    """How a benchmark was measured.

    Attributes:
        day: ISO date (UTC) on which it began.
        hosts: Names of the servers.
        stand_ins: Requested model -> local model that was used instead.
        billable_cells: Number of cells whose requests are billed.
        simulated: Whether the server was a simulator.
        requests: Measured requests of each cell, as planned.
        concurrency: Clients of a closed loop.
        rate: Requests a second of an open loop; None for a closed loop.
        warmup: Requests of each cell before it is measured, as planned.
    """

    day: str
    hosts: tuple[str, ...]
    stand_ins: dict[str, str] = field(default_factory=dict)
    billable_cells: int = 0
    simulated: bool = False
    requests: int = 0
    concurrency: int = 1
    rate: float | None = None
    warmup: int = 0


@dataclass(frozen=True, slots=True)
class Measurement:
    """One request.

    Attributes:
        cell: What was requested: model, API version and image size.
        began: Seconds from the start of the run.
        busy: Seconds that it took the client, its own work included.
        warmup: Whether it only warms up.
        timing: Where the time went; None where the request failed.
        late: Seconds from when it was due to its start; 0 in a closed loop.
        error: Kind of the failure: ``ModelNotReadyError 503``; None for a success.
        bytes_up: Bytes of the request's body; None where it could not be made.
        bytes_down: Bytes of the response's body, decompressed.
        simulated: In words, which times a simulator used; None for a real model.
    """

    cell: Call
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
        """Whether it enters the latencies: a success, warm, no warm-up."""
        return self.timing is not None and not self.warmup and not self.cold

    def to_json(self) -> dict[str, Any]:
        """As plain values, for a file."""
        return asdict(self) | {"cell": identity(self.cell)}


def identity(cell: Call) -> dict[str, Any]:
    """The fields of a call that tell cells apart."""
    return {name: getattr(cell, name) for name in ("model", "api_version", "image_size")}


def label(cell: Call) -> str:
    """A cell in words: ``yolov8n-640, v2, 320 px``."""
    size = f"{cell.image_size} px" if isinstance(cell.image_size, int) else cell.image_size
    return ", ".join(filter(None, (cell.model, cell.api_version, size)))


def from_json(kind: Any, value: Any) -> Any:
    """A value of a file as the dataclass, or as the type of its field, that was written.

    Raises:
        ValueError, TypeError, AttributeError, KeyError: The value is of another type, has other
            fields, or is a number that no time and no size can be.
    """
    if kind is Call:
        size = value["image_size"]
        if not re.fullmatch(r"[\w./-]{1,200}", value["model"]):
            raise ValueError("a cell has no model id")
        size = from_json(int, size) if isinstance(size, int) else size
        return Call(value["model"], None, ApiVersion(value["api_version"]), size)
    if isinstance(kind, type) and is_dataclass(kind):
        kinds = get_type_hints(kind)
        return kind(**{name: from_json(kinds[name], part) for name, part in value.items()})
    options, outer = get_args(kind), get_origin(kind)
    if outer is types.UnionType:  # all of ours are "… | None"
        return None if value is None else from_json(options[0], value)
    if outer is tuple and isinstance(value, list):
        return tuple(from_json(options[0], part) for part in value)
    if outer is dict and isinstance(value, dict):
        return {name: from_json(options[1], part) for name, part in value.items()}
    if kind in (int, float):
        if type(value) not in (int, kind) or not 0 <= value <= _MOST:
            raise ValueError(f"{str(value)[:40]!r} is not a time, a size or a number")
    elif type(value) is not kind:
        raise TypeError(f"{kind} cannot be {str(value)[:40]!r}")
    return value
