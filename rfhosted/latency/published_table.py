"""The latencies in Roboflow's documentation, to put beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfhosted import hosted
from rfhosted.display.tables import Row, Table
from rfhosted.display.units import milliseconds
from rfhosted.hosted import ApiVersion

if TYPE_CHECKING:
    from rfhosted.latency.statistics import Statistics


@dataclass(frozen=True, repr=False)
class Published(Table):
    """The documentation's table; shows itself as one.

    Attributes:
        source: Where it is from.
    """

    source: str = hosted.PUBLISHED_SOURCE

    def rows(self) -> list[Row]:
        """One dict a model: E2E and Exec of both versions in seconds, and the ratios v1/V2."""
        rows = []
        for model in hosted.PUBLISHED_LATENCIES:
            row: Row = {"model": model}
            for version in (ApiVersion.V2, ApiVersion.V1):
                found = hosted.published_latency(model, version)
                row[f"{version}_e2e"], row[f"{version}_exec"] = found or (None, None)
            row["e2e_ratio"] = row["v1_e2e"] / row["v2_e2e"]
            row["exec_ratio"] = row["v1_exec"] / row["v2_exec"]
            rows.append(row)
        return rows

    def _title(self) -> str:
        return f"Published latencies in ms, and the ratios v1/V2 ({self.source})"

    def _readable(self) -> list[Row]:
        return [
            {
                name: milliseconds(value, unit="") if name.endswith(("_e2e", "_exec")) else value
                for name, value in row.items()
            }
            for row in self.rows()
        ]


def published_e2e(row: Statistics) -> float | None:
    """What the documentation gives for the model and version of a cell, in seconds."""
    if row.stand_in or not row.model or not row.api_version:  # a stand-in is another model
        return None
    found = hosted.published_latency(row.model, row.api_version)
    return found[0] if found else None


published = Published()
