"""What a sweep of image sizes found, as users see it: tables, plots, comparisons of two sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfhosted.comparison.pairing import compare
from rfhosted.display.tables import Row, Table
from rfhosted.display.units import kilobytes, milliseconds, percent
from rfhosted.outputs.text import short_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from rfhosted.comparison.comparison import Comparison
    from rfhosted.display.plots import Plot
    from rfhosted.endpoints.call import Prepared
    from rfhosted.images.upload import ImageSize
    from rfhosted.prediction import Prediction

#: Agreement from which on a smaller size is called good enough.
_GOOD_ENOUGH = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One size of a sweep.

    Attributes:
        image_size: As it was requested.
        prepared: The request; None where it cannot be made.
        prediction: The result; None where there is none, ``error`` says why.
        error: What went wrong, and what to do; "" where nothing did.
        same_as: Name of an earlier size that makes the same request, which is sent once.
        agreement: With the largest size that succeeded, see ``compare``.
    """

    image_size: ImageSize
    prepared: Prepared | None = None
    prediction: Prediction | None = None
    error: str = ""
    same_as: str = ""
    agreement: float | None = None

    @property
    def name(self) -> str:
        """The size in words: "640 px"."""
        size = self.image_size
        return "automatic" if size is None else f"{size} px" if isinstance(size, int) else size

    @property
    def pixels(self) -> int:
        """Longest side that is sent; 0 where nothing can be."""
        return max(self.prepared.upload.size) if self.prepared else 0


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Table):
    """What ``sweep`` found.

    Attributes:
        steps: One a size, the smallest first; sizes that cannot be sent come last.
        image: A name for the image.
    """

    steps: tuple[Step, ...]
    image: str = ""

    @property
    def predictions(self) -> dict[ImageSize, Prediction]:
        """The predictions by image size, the smallest first; without the sizes that failed."""
        return {step.image_size: step.prediction for step in self.steps if step.prediction}

    def rows(self) -> list[Row]:
        """One dict for each request; sizes that make the same request are one row.

        ``image_size``, the first of them; ``sent``, "640 x 480" pixels; ``bytes_up``, of the whole
        request; ``e2e`` and ``exec``, seconds; ``agreement`` with the largest size, in [0, 1];
        ``found``, in words; ``error``; ``image_sizes``, all of them. None where not known.
        """
        return [_row(step, self._alike(step)) for step in self.steps if not step.same_as]

    def _alike(self, step: Step) -> list[Step]:
        """A size and those that make the same request."""
        return [step, *(other for other in self.steps if other.same_as == step.name)]

    def compare(self, a: ImageSize, b: ImageSize) -> Comparison:
        """The results at two sizes compared; no request is sent.

        Args:
            a: A size of the sweep, as it was requested: 320, "original", or None for automatic.
            b: Another one.

        Raises:
            ValueError: There is no result at that size.

        Example:
            >>> rfhosted.sweep("dog.jpg").compare(320, "original")
        """
        found = self.predictions
        for size in (a, b):
            if size not in found:
                sizes = ", ".join(map(repr, found)) or "none"
                raise ValueError(f"The sweep has no result at {size!r}; it has results at {sizes}.")
        return compare(found[a], found[b])

    def summary(self) -> str:
        """The finding: ``640 px agrees to 98% with 4000 px, for 4% of the bytes``."""
        points = self._points()
        if not points:
            return "No size succeeded"
        *smaller, (largest, reference) = points
        name = f"{largest.pixels} px"
        if not smaller:
            return f"Only one size succeeded, {name}: there is nothing to compare it with"
        if not reference.rows():
            return f"Nothing was found at {name}: try a lower confidence"
        enough = [(step, p) for step, p in smaller if (step.agreement or 0) >= _GOOD_ENOUGH]
        if not enough:
            step = max((step for step, _ in smaller), key=lambda step: step.agreement or 0)
            best = f"{step.pixels} px comes nearest with {percent(step.agreement or 0)}"
            return f"No smaller size agrees with {name} to {percent(_GOOD_ENOUGH)}: {best}"
        step, prediction = enough[0]
        share = percent(prediction.upload.nbytes / reference.upload.nbytes)
        agrees = f"{step.pixels} px agrees to {percent(step.agreement)} with {name}"
        return f"{agrees}, for {share} of the bytes"

    def title(self) -> str:
        """Image, model and task, then the finding."""
        route = next((step.prepared.route for step in self.steps if step.prepared), None)
        # Of an own model on v1, nobody knows the task before there is a result.
        tasks = [str(prediction.task) for prediction in self.predictions.values()][:1]
        request = [route.model, *(tasks or [str(route.task or "")])] if route else []
        about = ", ".join(short_name(part) for part in [self.image, *request] if part)
        return f"{about}: {self.summary()}" if about else self.summary()

    def plot(self) -> Plot:
        """Agreement, latency and request size by image size: a matplotlib Figure.

        Sizes that failed and those that make the same request as another are left out.
        """
        from rfhosted.display.plots import new_panels

        plot, (agreement, latency, payload) = new_panels(
            self.title(), ["agreement with the largest, %", "latency, ms", "request, kB"]
        )
        points = self._points()
        for axes in (agreement, latency, payload):
            axes.set_xticks(range(len(points)), [_tick(step) for step, _ in points], fontsize=8)
            axes.set_xlabel("longest side sent, pixels", fontsize=8)
            axes.set_xlim(-0.6, max(len(points), 1) - 0.4)
        _bars(agreement, [100 * (step.agreement or 0) for step, _ in points], "#009E73", "")
        _bars(payload, [p.upload.nbytes / 1000 for _, p in points], "#CC79A7", "..")
        agreement.set_ylim(0, 112)
        agreement.set_yticks(range(0, 101, 25))
        e2e = [p.timing.e2e for _, p in points]
        _line(latency, "E2E", e2e, "#0072B2", "o", above=True)
        execs = [p.timing.exec for _, p in points]
        _line(latency, "Exec", execs, "#D55E00", "s", above=False)
        latency.set_ylim(0, 1250 * max(e2e, default=1e-3))  # room for the names
        return plot

    def _points(self) -> list[tuple[Step, Prediction]]:
        """What is plotted: each request that succeeded, once."""
        return [(s, s.prediction) for s in self.steps if s.prediction and not s.same_as]

    def _title(self) -> str:
        return self.title()

    def _readable(self) -> list[Row]:
        """One row for each request; errors only where there are any."""
        rows = [_readable(step, self._alike(step)) for step in self.steps if not step.same_as]
        if not any(row["error"] for row in rows):
            for row in rows:
                del row["error"]
        return rows

    def _example_row(self) -> Row:
        return _row(Step(None), [])

    def _plots(self) -> Sequence[Plot]:
        return (self.plot(),)


def _tick(step: Step) -> str:
    named = isinstance(step.image_size, int)
    return f"{step.pixels}" if named else f"{step.pixels}\n{step.name}"


def _row(step: Step, alike: Sequence[Step]) -> Row:
    prepared, prediction = step.prepared, step.prediction
    size = prepared.upload.size if prepared else None
    return {
        "image_size": step.image_size,
        "sent": f"{size[0]} x {size[1]}" if size else None,
        "bytes_up": prepared.upload.nbytes if prepared else None,
        "e2e": prediction.timing.e2e if prediction else None,
        "exec": prediction.timing.exec if prediction else None,
        "agreement": step.agreement,
        "found": prediction.summary() if prediction else None,
        "error": step.error or None,
        "image_sizes": [other.image_size for other in alike],
    }


def _readable(step: Step, alike: Sequence[Step]) -> Row:
    """A row as people read it, for all sizes that make the same request."""
    row = _row(step, alike)
    return {
        "image size": ", ".join(other.name for other in alike),
        "sent": row["sent"],
        "request": kilobytes(row["bytes_up"], missing="-"),
        "E2E": milliseconds(row["e2e"], missing="-"),
        "Exec": milliseconds(row["exec"], missing="-"),
        "agreement": percent(row["agreement"], missing="-"),
        "found": row["found"],
        "error": step.error,
    }


def _bars(axes: Axes, values: list[float], colour: str, hatch: str) -> None:
    bars = axes.bar(range(len(values)), values, 0.6, color=colour, hatch=hatch, edgecolor="white")
    axes.bar_label(bars, fmt="%.0f", fontsize=8, padding=2)
    axes.margins(y=0.12)


def _line(
    axes: Axes,
    name: str,
    seconds: Sequence[float | None],
    colour: str,
    marker: str,
    *,
    above: bool,
) -> None:
    known = [(i, value * 1000) for i, value in enumerate(seconds) if value is not None]
    if not known:
        return
    axes.plot(*zip(*known, strict=True), color=colour, marker=marker, markersize=5)
    axes.annotate(
        name,
        known[-1],
        xytext=(0, 6 if above else -6),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        fontsize=9,
        color=colour,
    )
