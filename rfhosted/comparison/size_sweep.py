"""One picture sent at several sizes: what each costs, and how far it agrees with the largest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rfhosted import hosted
from rfhosted.client import default_client
from rfhosted.comparison.comparison import compare
from rfhosted.display import html
from rfhosted.endpoints.call import Call
from rfhosted.errors import HostedError
from rfhosted.transport.connection import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from rfhosted.client import Client
    from rfhosted.display.plots import Plot
    from rfhosted.display.tables import Row
    from rfhosted.endpoints.call import Prepared
    from rfhosted.hosted import ApiVersion, Task
    from rfhosted.images.sources import ImageLike
    from rfhosted.images.upload import ImageSize
    from rfhosted.prediction import Prediction

#: Agreement from which on a smaller size is said to do.
_GOOD_ENOUGH = 0.9
#: What stands in for an error where there is none.
_STOPPED = "not asked: the sweep was stopped"


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One size of a sweep.

    Attributes:
        image_size: As it was asked for.
        prepared: What was to be sent; None where it cannot be.
        prediction: The answer; None where there is none, ``error`` says why.
        error: What went wrong, and what to do; "" where nothing did.
        same_as: Name of an earlier size that makes the same request: sent once, told twice.
        agreement: With the largest size that was answered, see ``compare``.
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
        return _name(self.image_size)


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """What ``sweep`` found.

    Attributes:
        steps: One a size, the smallest first; sizes that cannot be sent come last.
    """

    steps: tuple[Step, ...]

    @property
    def predictions(self) -> dict[ImageSize, Prediction]:
        """The answers by image size, the smallest first; sizes that failed are not in it."""
        return {step.image_size: step.prediction for step in self.steps if step.prediction}

    def rows(self) -> list[Row]:
        """One dict a size.

        ``image_size``; ``sent``, "640 x 480" pixels; ``bytes_up``, of the whole request; ``e2e``
        and ``exec``, seconds; ``agreement`` with the largest size, in [0, 1]; ``found``, in words;
        ``same_as``, an earlier size that makes the same request; ``error``. None where not known.
        """
        return [_row(step) for step in self.steps]

    def to_pandas(self) -> pd.DataFrame:
        """``rows()`` as a DataFrame; pandas is in the extra ``lab``."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def summary(self) -> str:
        """The finding: ``640 px agrees to 98% with 4000 px, for 4% of the bytes``."""
        points = self._points()
        if not points:
            return "No size was answered"
        *smaller, (largest, reference) = points
        name = _sent(largest)
        if not smaller:
            return f"Only one size was answered, {name}: there is nothing to compare it with"
        if not reference.rows():
            return f"Nothing was found at {name}: try a lower confidence"
        enough = [(step, p) for step, p in smaller if (step.agreement or 0) >= _GOOD_ENOUGH]
        if not enough:
            step = max((step for step, _ in smaller), key=lambda step: step.agreement or 0)
            best = f"{_sent(step)} comes nearest with {step.agreement:.0%}"
            return f"No smaller size agrees with {name} to {_GOOD_ENOUGH:.0%}: {best}"
        step, prediction = enough[0]
        share = prediction.upload.nbytes / reference.upload.nbytes
        agrees = f"{_sent(step)} agrees to {step.agreement:.0%} with {name}"
        return f"{agrees}, for {share:.0%} of the bytes"

    def plot(self) -> Plot:
        """Agreement, latency and payload by image size: a matplotlib Figure.

        Sizes that failed and those that make the same request as another are left out.
        """
        from rfhosted.display.plots import new_panels

        plot, (agreement, latency, payload) = new_panels(
            self.summary(), ["agreement with the largest, %", "latency, ms", "request, kB"]
        )
        points = self._points()
        places = range(len(points))
        names = [_tick(step) for step, _ in points]
        for axes in (agreement, latency, payload):
            axes.set_xticks(places, names, fontsize=8)
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
        """What is plotted: each request that was answered, once."""
        return [(s, s.prediction) for s in self.steps if s.prediction and not s.same_as]

    def _repr_html_(self) -> str:
        table = html.table(self._shown(), self.summary())
        return f'<div class="rfhosted">{self.plot()._repr_html_()}{table}</div>'

    def __repr__(self) -> str:
        return f"{self.summary()}\n{html.text_table(self._shown())}"

    def _shown(self) -> list[Row]:
        """Rows as people read them; remarks only where there are any."""
        rows = [_readable(row) for row in self.rows()]
        if not any(row["remark"] for row in rows):
            for row in rows:
                del row["remark"]
        return rows


def sweep(
    image: ImageLike,
    model: str | None = None,
    *,
    image_sizes: Sequence[ImageSize] = (320, 640, 1280, "original"),
    task: Task | str | None = None,
    api_version: ApiVersion | str | None = None,
    confidence: float | None = None,
    overlap: float = hosted.DEFAULT_OVERLAP,
    client: Client | None = None,
    on_step: Callable[[int, int, str], object] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Sweep:
    """Send one picture at several sizes, one after the other, the smallest first.

    **Hosted requests are billable**: one for each different size, and one more before them, of the
    smallest, so that loading the model and opening the connection do not count for a size.

    A size that fails keeps the others: its row says why. Interrupting the kernel keeps what is
    finished, too.

    Args:
        image: As ``Client.predict`` takes it; read once.
        model: This, ``task``, ``api_version``, ``confidence`` and ``overlap`` as there.
        image_sizes: Each as ``Client.predict`` takes it. Sizes over the picture's own make the same
            request; it is sent once.
        task: See ``model``.
        api_version: See ``model``.
        confidence: See ``model``.
        overlap: See ``model``.
        client: Who asks; None for the one of ``rfhosted.predict``.
        on_step: Called before each request with how many are done, how many there are, and what
            comes now; and once in the end.
        stop: Asked before each request; when it says True, the rest is left out. A
            ``rfhosted.connection.Stop`` ends the request that is under way, too.

    Raises:
        HostedError: The first error, where no size was answered or the request before them failed.
        ValueError, TypeError: An argument makes no sense; nothing was sent.
    """
    if not image_sizes:
        raise ValueError("image_sizes names no size.")
    client = client or default_client()
    options: dict[str, Any] = {
        "task": task,
        "api_version": api_version,
        "confidence": confidence,
        "overlap": overlap,
    }
    steps, errors = _prepared(client, image, model, list(dict.fromkeys(image_sizes)), options)
    queue = {step.name: step.prepared for step in steps if step.prepared and not step.same_as}
    asked = _Asked({}, {}, stopped=False)
    if queue:
        asked = _ask(client, queue, on_step or _tell_nobody, stop or (lambda: False))
    errors += asked.errors.values()
    if errors and not asked.answers and not asked.stopped:
        raise errors[0]
    return Sweep(tuple(_finished(step, asked) for step in steps))


@dataclass(slots=True)
class _Asked:
    """What came of the requests, by the names of their steps."""

    answers: dict[str, Prediction]
    errors: dict[str, HostedError]
    stopped: bool


def _ask(
    client: Client,
    queue: dict[str, Prepared],
    tell: Callable[[int, int, str], object],
    stop: Callable[[], bool],
) -> _Asked:
    asked = _Asked({}, {}, stopped=False)
    cut = stop if isinstance(stop, Stop) else None
    warm_up = ("warming up", next(iter(queue.values())))
    total = len(queue) + 1
    done = 0
    try:
        for name, prepared in (warm_up, *queue.items()):
            if stop():
                asked.stopped = True
                break
            tell(done, total, name)
            try:
                asked.answers[name] = client.send(prepared, stop=cut)
            except HostedError as error:
                if stop():
                    asked.stopped = True
                    break
                if done == 0:  # what fails alone and first would fail again
                    raise
                asked.errors[name] = error
            done += 1
    except KeyboardInterrupt:
        if len(asked.answers) < 2:  # nothing but the warm-up
            raise
        asked.stopped = True
    asked.answers.pop(warm_up[0], None)
    tell(done, total, "stopped" if asked.stopped else "done")
    return asked


def _prepared(
    client: Client,
    image: ImageLike,
    model: str | None,
    sizes: list[ImageSize],
    options: dict[str, Any],
) -> tuple[list[Step], list[HostedError]]:
    """The steps in the order of asking, and why some cannot be sent; those come last."""
    ready: list[Step] = []
    refused: list[Step] = []
    errors: list[HostedError] = []
    for size in sizes:
        try:
            prepared = client.prepare(image, Call(model, image_size=size, **options))
        except HostedError as error:
            errors.append(error)
            refused.append(Step(size, error=str(error)))
        else:
            image = prepared.source_image  # read and decoded once
            same = (s.name for s in ready if s.prepared and s.prepared.request == prepared.request)
            ready.append(Step(size, prepared, same_as=next(same, "")))
    return sorted(ready, key=_pixels) + refused, errors


def _pixels(step: Step) -> int:
    return max(step.prepared.upload.size) if step.prepared else 0


def _finished(step: Step, asked: _Asked) -> Step:
    """A step with what became of it."""
    name = step.same_as or step.name
    if step.prepared is None:
        return step
    if name not in asked.answers:
        return replace(step, error=str(asked.errors.get(name, _STOPPED)))
    largest = list(asked.answers.values())[-1]
    agreement = compare(asked.answers[name], largest).agreement
    return replace(step, prediction=asked.answers[name], agreement=agreement)


def _tell_nobody(done: int, total: int, label: str) -> None:
    """Where nobody wants to know."""


def _name(size: ImageSize) -> str:
    return "automatic" if size is None else f"{size} px" if isinstance(size, int) else size


def _sent(step: Step) -> str:
    return f"{_pixels(step)} px"


def _tick(step: Step) -> str:
    named = isinstance(step.image_size, int)
    return f"{_pixels(step)}" if named else f"{_pixels(step)}\n{step.name}"


def _row(step: Step) -> Row:
    prepared, answer = step.prepared, step.prediction
    size = prepared.upload.size if prepared else None
    return {
        "image_size": step.image_size,
        "sent": f"{size[0]} x {size[1]}" if size else None,
        "bytes_up": prepared.upload.nbytes if prepared else None,
        "e2e": answer.timing.e2e if answer else None,
        "exec": answer.timing.exec if answer else None,
        "agreement": step.agreement,
        "found": answer.summary() if answer else None,
        "same_as": step.same_as or None,
        "error": step.error or None,
    }


def _readable(row: Row) -> Row:
    """A row as people read it: kB, ms and percent, and one remark."""
    remark = row["error"] or (f"the same request as {row['same_as']}" if row["same_as"] else "")
    return {
        "image size": _name(row["image_size"]),
        "sent": row["sent"],
        "request": _with_unit(row["bytes_up"], 1e-3, " kB"),
        "E2E": _with_unit(row["e2e"], 1e3, " ms"),
        "Exec": _with_unit(row["exec"], 1e3, " ms"),
        "agreement": _with_unit(row["agreement"], 100, "%"),
        "found": row["found"],
        "remark": remark,
    }


def _with_unit(value: float | None, factor: float, unit: str) -> str | None:
    return None if value is None else f"{value * factor:,.0f}{unit}"


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
