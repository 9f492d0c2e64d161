"""The lab's plots: horizontal, in milliseconds from zero, labelled where the eye is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D

from rfhosted.display.plots import VERSION_COLOURS, VERSION_MARKERS, new_plot
from rfhosted.latency.published_table import published_e2e
from rfhosted.latency.records import Cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from rfhosted.display.plots import Plot

#: Part -> (words, grey to print, hatch), in the order of the way; greys alternate so that
#: neighbours differ without colour.
_PARTS = {
    "late": ("late", "#FFFFFF", "xx"),
    "prepare": ("prepare", "#D9D9D9", ""),
    "connect": ("connect", "#7F7F7F", ""),
    "upload": ("upload", "#56B4E9", "//"),
    "queue": ("queue, routing, network", "#F7F7F7", ".."),
    "load": ("model load", "#000000", ""),
    "exec": ("Exec", "#D55E00", ""),
    "untold": ("not told apart", "#FFFFFF", "xxx"),
    "download": ("download", "#A6CEE3", "\\\\"),
    "parse": ("parse", "#4D4D4D", ""),
}
_INCHES_A_ROW = 0.42
#: Share of the widest bar from which a segment has room for its own number.
_ROOM = 0.09


def latencies(rows: Sequence[dict[str, Any]], title: str, *, late: bool) -> Plot:
    """E2E of each cell.

    Args:
        rows: As ``Benchmark.rows`` has them.
        title: The finding.
        late: Whether E2E counts from when a request was due.
    """
    plot, axes = new_plot(title, width=8.0, height=1.5 + _INCHES_A_ROW * len(rows))
    _rows_of(axes, rows)
    for y, row in enumerate(rows):
        if row["e2e_p50"] is None:
            axes.text(0, y, " no answer", va="center")
            continue
        version = row["api_version"]
        colour, marker = VERSION_COLOURS[version], VERSION_MARKERS[version]
        p50, p95 = row["e2e_p50"] * 1000, row["e2e_p95"] * 1000
        axes.plot([p50, p95], [y, y], color=colour, linewidth=1.5, zorder=2)
        axes.plot([p95], [y], color=colour, marker="|", markersize=11, zorder=2)
        if row["e2e_p50_low"] is not None:
            ends = [row["e2e_p50_low"] * 1000, row["e2e_p50_high"] * 1000]
            axes.plot(ends, [y, y], color=colour, linewidth=6, alpha=0.45, zorder=2)
        axes.plot([p50], [y], marker, color=colour, markersize=7, zorder=3, mec="black")
        axes.annotate(
            f"{p50:.0f}", (p50, y), (0, 7), textcoords="offset points", ha="center", fontsize=8
        )
        if told := published_e2e(row):
            axes.plot([told * 1000], [y], "D", mfc="none", color="black", markersize=7, zorder=4)
    axes.set_xlim(left=0)
    axes.set_xlabel("E2E, ms from when the request was due" if late else "E2E, ms")
    legend = [
        Line2D([], [], color="dimgrey", marker="o", label="median (number)"),
        Line2D([], [], color="dimgrey", linewidth=6, alpha=0.45, label="its 95 % interval"),
        Line2D([], [], color="dimgrey", marker="|", label="95 of 100 answers came by here"),
    ]
    if any(map(published_e2e, rows)):
        hollow = {"marker": "D", "mfc": "none", "color": "black", "linestyle": ""}
        legend.append(Line2D([], [], label="published (elsewhere)", **hollow))  # type: ignore[arg-type]  # mixed
    plot.legend(
        handles=legend, loc="outside lower center", ncols=len(legend), fontsize=8, frameon=False
    )
    return plot


def parts(rows: Sequence[dict[str, Any]], *, simulated: bool) -> Plot:
    """Where the time goes, stacked.

    Args:
        rows: As ``Benchmark.parts`` has them.
        simulated: Whether any of it is.
    """
    found = [(row, _largest(row)) for row in rows if row["untold"] is not None]
    title = "No request was answered"
    if found:
        row, part = max(found, key=lambda pair: pair[0][pair[1]])
        whole = sum(row[name] or 0.0 for name in _PARTS if name in row)
        words, share = _PARTS[part][0], row[part] / whole
        title = f"Most time goes into {words}: {share:.0%} ({_label(row)})"
    title += " (simulated)" * simulated
    plot, axes = new_plot(title, width=8.0, height=1.7 + _INCHES_A_ROW * len(rows))
    _rows_of(axes, rows)
    whole = max((sum(row.get(n) or 0.0 for n in _PARTS) for row in rows), default=0.0) * 1000
    for y, row in enumerate(rows):
        left = 0.0
        for name, (words, colour, hatch) in _PARTS.items():
            width = (row.get(name) or 0.0) * 1000
            if width <= 0.001 * whole:
                continue
            bars = axes.barh(y, width, 0.62, left=left, label=words, color=colour, hatch=hatch)
            bars[0].set(edgecolor="black", linewidth=0.6)
            if width > _ROOM * whole:
                axes.text(
                    *(left + width / 2, y, f"{width:.0f}"),
                    ha="center",
                    va="center",
                    fontsize=8,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2},
                )
            left += width
    axes.set_xlim(left=0)
    axes.set_xlabel("mean of each part, ms")
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    order = [words for words, _, _ in _PARTS.values() if words in once]
    if order:  # else matplotlib takes an empty list for no list
        plot.legend(
            handles=[once[words] for words in order],
            labels=order,
            loc="outside lower center",
            ncols=min(5, len(order)),
            fontsize=8,
            frameon=False,
        )
    return plot


def _largest(row: dict[str, Any]) -> str:
    return max((name for name in _PARTS if row.get(name)), key=lambda name: float(row[name]))


def _rows_of(axes: Axes, rows: Sequence[dict[str, Any]]) -> None:
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", linewidth=0.5, alpha=0.5)


def _label(row: dict[str, Any]) -> str:
    return Cell(row["model"], row["api_version"], row["image_size"]).label()
