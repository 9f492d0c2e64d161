"""The latencies that Roboflow's documentation gives, to put beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfhosted import hosted
from rfhosted.hosted import ApiVersion

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class Published:
    """The documentation's table; shows itself as one.

    Attributes:
        source: Where it is from.
    """

    source: str = hosted.PUBLISHED_SOURCE

    def rows(self) -> list[dict[str, Any]]:
        """One dict a model: E2E and Exec of both versions in seconds, and the ratios v1/V2."""
        rows = []
        for model in hosted.PUBLISHED_LATENCIES:
            row: dict[str, Any] = {"model": model}
            for version in (ApiVersion.V2, ApiVersion.V1):
                found = hosted.published_latency(model, version)
                row[f"{version}_e2e"], row[f"{version}_exec"] = found or (None, None)
            row["e2e_ratio"] = row["v1_e2e"] / row["v2_e2e"]
            row["exec_ratio"] = row["v1_exec"] / row["v2_exec"]
            rows.append(row)
        return rows

    def to_pandas(self) -> pd.DataFrame:
        """``rows()`` as a DataFrame; pandas is in the extra ``lab``."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def __repr__(self) -> str:
        from rfhosted.display import html

        return f"{self._caption()}\n{html.text_table(self._shown())}"

    def _repr_html_(self) -> str:
        from rfhosted.display import html

        return html.table(self._shown(), self._caption())

    def _caption(self) -> str:
        return f"Published latencies in ms, and v1 as a multiple of V2 ({self.source})"

    def _shown(self) -> list[dict[str, Any]]:
        return [
            {
                name: f"{value * 1000:.0f}" if name.endswith(("_e2e", "_exec")) else value
                for name, value in row.items()
            }
            for row in self.rows()
        ]


def published_e2e(row: dict[str, Any]) -> float | None:
    """What the documentation gives for a row's model and version, seconds."""
    if row.get("stand_in"):  # another model answered
        return None
    found = hosted.published_latency(row["model"], ApiVersion(row["api_version"]))
    return found[0] if found else None


published = Published()
