"""Plots: returned, never shown by themselves, readable in print, projected and without colour.

A plot shows itself as the last line of a cell, with its title as the image's description.
"""

from __future__ import annotations

import base64
import io
import textwrap
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from PIL import Image

from rfhosted.display.html import image_tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

#: Colours of the two API versions, distinct for colour-blind people and in grey; the markers say
#: the same without colour.
VERSION_COLOURS = {"v2": "#0072B2", "v1": "#E69F00"}
VERSION_MARKERS = {"v2": "o", "v1": "s"}
#: Letters of a title on an inch, with room for the labels of the axes.
_LETTERS_AN_INCH = 8


class Plot(Figure):
    """A matplotlib figure without pyplot's state, that a notebook shows with a description."""

    alt = ""

    def png(self) -> bytes:
        """The figure as a PNG file."""
        file = io.BytesIO()
        self.savefig(file, format="png")
        # A plot has few colours: with a palette it takes a quarter of the bytes in a notebook.
        image = Image.open(file).convert("RGB")
        few = image.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        file = io.BytesIO()
        few.save(file, "PNG", optimize=True)
        return file.getvalue()

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png()).decode("ascii")
        return image_tag(f"data:image/png;base64,{data}", self.alt)


def new_plot(title: str, *, width: float = 7.0, height: float = 3.4) -> tuple[Plot, Axes]:
    """A plot of one panel; sizes in inches of 110 pixels.

    The title is the finding, in a sentence: ``V2 is 2.1 times as fast as v1``.
    """
    plot, (axes,) = new_panels(title, [""], width=width, height=height)
    return plot, axes


def new_panels(
    title: str, names: Sequence[str], *, width: float = 7.6, height: float = 2.8
) -> tuple[Plot, list[Axes]]:
    """A plot of several panels side by side, each named by what it shows, with its unit."""
    plot = Plot(figsize=(width, height), dpi=110, layout="constrained", facecolor="white")
    plot.alt = f"Plot: {title}"
    title = textwrap.fill(title, int(width * _LETTERS_AN_INCH))
    panels = [plot.add_subplot(1, len(names), i) for i in range(1, len(names) + 1)]
    if len(panels) == 1:
        panels[0].set_title(title, loc="left", fontsize=11)
    else:
        plot.suptitle(title, x=0.01, ha="left", fontsize=11)
    for axes, name in zip(panels, names, strict=True):
        if len(panels) > 1:
            axes.set_title(name, loc="left", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, axis="y", linewidth=0.5, alpha=0.5)
        axes.set_axisbelow(True)
    return plot, panels
