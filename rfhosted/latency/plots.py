"""The plots of a benchmark: horizontal, in milliseconds from zero, with direct labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from rfhosted.display.plots import VERSION_COLOURS, VERSION_MARKERS, new_plot
from rfhosted.latency.published_table import published_e2e
from rfhosted.latency.records import label
from rfhosted.prediction.timing import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from rfhosted.display.plots import Plot
    from rfhosted.endpoints.call import Call
    from rfhosted.latency.statistics import Statistics

#: Part -> its words.
_WORDS = {"late": "late"} | {name: words for name, (words, _) in PARTS.items()} | {"other": "other"}
#: Part -> (grey to print, hatch), in the order of a bar; greys alternate, so that neighbours differ
#: without colour.
_STYLES = {
    "late": ("#FFFFFF", "xx"),
    "prepare": ("#D9D9D9", ""),
    "connect": ("#7F7F7F", ""),
    "upload": ("#56B4E9", "//"),
    "queue": ("#F7F7F7", ".."),
    "load": ("#000000", ""),
    "exec": ("#D55E00", ""),
    "other": ("#FFFFFF", "xxx"),
    "download": ("#A6CEE3", "\\\\"),
    "parse": ("#4D4D4D", ""),
}
_INCHES_A_ROW = 0.42
#: Share of the widest bar from which a segment has room for its own number.
_ROOM = 0.09


def latencies(cells: Mapping[Call, Statistics], title: str, *, open_loop: bool) -> Plot:
    """E2E of each cell.

    Args:
        cells: Their statistics.
        title: The finding.
        open_loop: Whether E2E counts from when a request was due.
    """
    plot, axes = new_plot(title, width=8.0, height=1.5 + _INCHES_A_ROW * len(cells))
    _name_rows(axes, cells)
    for y, (cell, row) in enumerate(cells.items()):
        if row.e2e_p50 is None or row.e2e_p95 is None:
            axes.text(0, y, " no success", va="center")
            continue
        version = str(cell.api_version)
        colour, marker = VERSION_COLOURS[version], VERSION_MARKERS[version]
        p50, p95 = row.e2e_p50 * 1000, row.e2e_p95 * 1000
        axes.plot([p50, p95], [y, y], color=colour, linewidth=1.5, zorder=2)
        axes.plot([p95], [y], color=colour, marker="|", markersize=11, zorder=2)
        if row.e2e_p50_low is not None and row.e2e_p50_high is not None:
            ends = [row.e2e_p50_low * 1000, row.e2e_p50_high * 1000]
            axes.plot(ends, [y, y], color=colour, linewidth=6, alpha=0.45, zorder=2)
        axes.plot([p50], [y], marker, color=colour, markersize=7, zorder=3, mec="black")
        axes.annotate(
            f"{p50:.0f}", (p50, y), (0, 7), textcoords="offset points", ha="center", fontsize=8
        )
        if published := published_e2e(row):
            axes.plot([published * 1000], [y], "D", mfc="none", color="black", ms=7, zorder=4)
    axes.set_xlim(left=0)
    axes.set_xlabel("E2E, ms from when the request was due" if open_loop else "E2E, ms")
    legend = [
        Line2D([], [], color="dimgrey", marker="o", label="median (number)"),
        Line2D([], [], color="dimgrey", linewidth=6, alpha=0.45, label="its 95 % interval"),
        Line2D([], [], color="dimgrey", marker="|", label="p95"),
    ]
    if any(map(published_e2e, cells.values())):
        hollow = {"marker": "D", "mfc": "none", "color": "black", "linestyle": ""}
        legend.append(Line2D([], [], label="published (elsewhere)", **hollow))  # type: ignore[arg-type]  # mixed
    _legend(plot, {str(line.get_label()): line for line in legend})
    return plot


def parts(cells: Mapping[Call, Mapping[str, float | None]], *, simulated: bool) -> Plot:
    """Where the time goes, stacked.

    Args:
        cells: Mean seconds of each part, as ``statistics.parts`` has them.
        simulated: Whether any of it is.
    """
    known = {
        cell: {name: means[name] or 0.0 for name in _STYLES}
        for cell, means in cells.items()
        if means["other"] is not None
    }
    title = "No request succeeded"
    if known:
        cell, name = max(((c, n) for c in known for n in _STYLES), key=lambda p: known[p[0]][p[1]])
        share = known[cell][name] / (sum(known[cell].values()) or 1.0)
        title = f"Most time goes into {_WORDS[name]}: {share:.0%} ({label(cell)})"
    title += " (simulated)" * simulated
    plot, axes = new_plot(title, width=8.0, height=1.7 + _INCHES_A_ROW * len(cells))
    _name_rows(axes, cells)
    widest = 1000 * max((sum(means.values()) for means in known.values()), default=0.0)
    handles: dict[str, Artist] = {}
    for y, cell in enumerate(cells):
        left = 0.0
        for name, seconds in known.get(cell, {}).items():
            width = seconds * 1000
            if width <= 0.001 * widest:
                continue
            colour, hatch = _STYLES[name]
            (bar,) = axes.barh(y, width, 0.62, left=left, color=colour, hatch=hatch)
            bar.set(edgecolor="black", linewidth=0.6)
            handles.setdefault(name, bar)
            if width > _ROOM * widest:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2}
                axes.text(
                    left + width / 2,
                    y,
                    f"{width:.0f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    bbox=box,
                )
            left += width
    axes.set_xlim(left=0)
    axes.set_xlabel("mean of each part, ms")
    _legend(plot, {_WORDS[name]: handles[name] for name in _STYLES if name in handles})
    return plot


def _legend(plot: Plot, handles: Mapping[str, Artist]) -> None:
    if handles:  # matplotlib takes an empty list for no list
        plot.legend(
            handles=list(handles.values()),
            labels=list(handles),
            loc="outside lower center",
            ncols=min(5, len(handles)),
            fontsize=8,
            frameon=False,
        )


def _name_rows(axes: Axes, cells: Iterable[Call]) -> None:
    names = [label(cell) for cell in cells]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", linewidth=0.5, alpha=0.5)
