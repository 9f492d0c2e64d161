"""One image sent at several sizes: what each costs, and how far it agrees with the largest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rfhosted import hosted
from rfhosted.batch.runner import Outcome, one_or_several, run
from rfhosted.comparison.pairing import compare
from rfhosted.default import default_client
from rfhosted.display.tables import Row, Table
from rfhosted.display.units import kilobytes, milliseconds, percent
from rfhosted.endpoints.call import Call
from rfhosted.errors import HostedError
from rfhosted.images.reading import file_name
from rfhosted.outputs.text import short_name
from rfhosted.transport.connection import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from matplotlib.axes import Axes

    from rfhosted.client import Client
    from rfhosted.comparison.comparison import Comparison
    from rfhosted.display.plots import Plot
    from rfhosted.endpoints.call import Prepared
    from rfhosted.hosted import ApiVersion, Task, TaskName, VersionName
    from rfhosted.images.sources import ImageLike
    from rfhosted.images.upload import ImageSize
    from rfhosted.prediction import Prediction

#: Agreement from which on a smaller size is called good enough.
_GOOD_ENOUGH = 0.9
_WARM_UP = "warming up"


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


def sweep(
    image: ImageLike,
    model: str | None = None,
    *,
    image_sizes: ImageSize | Iterable[ImageSize] = (320, 640, 1280, "original"),
    task: Task | TaskName | None = None,
    api_version: ApiVersion | VersionName | None = None,
    confidence: float | None = None,
    overlap: float = hosted.DEFAULT_OVERLAP,
    client: Client | None = None,
    image_name: str | None = None,
    on_step: Callable[[int, int, str], object] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Sweep:
    """Send one image at several sizes, one after the other, the smallest first.

    **Hosted requests are billable**: one for each different size, and one more before them, of the
    smallest, so that loading the model and opening the connection do not count for a size.

    A size that fails keeps the others: its row says why. Ctrl-C (or the stop button) cuts off the
    request in flight and keeps what is finished.

    Args:
        image: Path, URL, bytes, PIL image, RGB array or what else ``predict`` takes; read once.
        model: "project/3" or a public name ("yolov8n-640"); None for a default.
        image_sizes: One or several: the longest side sent, in pixels; "original"; or None for the
            model's input size. Sizes over that of the image make the same request, which is sent
            once.
        task: "object-detection", "classification", "instance-segmentation",
            "semantic-segmentation" or "keypoint-detection"; needed where nothing else
            tells it (own models on v1).
        api_version: "v1" or "v2"; None for the client's.
        confidence: Least confidence, fraction in [0, 1]; None for 0.4, or 0 for classification.
        overlap: IoU threshold of non-maximum suppression, fraction in [0, 1].
        client: Sends the requests; None for the client of ``rfhosted.predict``.
        image_name: A name for the image in titles; None for that of its file, or its size.
        on_step: Called before each request with how many are done, how many there are, and what
            comes now; and once at the end.
        stop: Called before each request; once it returns True, the rest is left out. A
            ``rfhosted.transport.connection.Stop`` also cuts off the request in flight.

    Raises:
        HostedError: The first error, where no size succeeded or the warm-up failed.
        ValueError, TypeError: An argument makes no sense; nothing was sent.
        KeyboardInterrupt: Interrupted before the first size was finished.
    """
    call = Call(model, task, api_version, None, confidence, overlap)  # type: ignore[arg-type]  # Call checks
    calls = [replace(call, image_size=size) for size in one_or_several(image_sizes)]
    if not calls:
        raise ValueError("image_sizes names no size.")
    client = client or default_client()
    name = file_name(image) if image_name is None else image_name
    steps, errors = _prepare(client, image, dict.fromkeys(calls))
    queue = [(step.name, step.prepared) for step in steps if step.prepared and not step.same_as]
    outcomes, stopped = _send(client, queue, on_step, stop) if queue else ({}, False)
    predictions = {name: done.result for name, done in outcomes.items() if done.result}
    errors += [done.error for done in outcomes.values() if done.error]
    if errors and not predictions and not stopped:
        raise errors[0]
    done = tuple(_finished(step, outcomes, predictions) for step in steps)
    sizes = [step.prepared.source_image.size for step in done if step.prepared]
    return Sweep(done, name or (f"image of {sizes[0][0]} x {sizes[0][1]} pixels" if sizes else ""))


def _prepare(
    client: Client, image: ImageLike, calls: Iterable[Call]
) -> tuple[list[Step], list[Exception]]:
    """The steps in the order of sending, and why some cannot be sent; those come last."""
    ready: list[Step] = []
    refused: list[Step] = []
    errors: list[Exception] = []
    for call in calls:
        try:
            prepared = client.prepare(image, call)
        except HostedError as error:
            errors.append(error)
            refused.append(Step(call.image_size, error=str(error)))
        else:
            image = prepared.source_image  # read and decoded once
            same = (s.name for s in ready if s.prepared and s.prepared.request == prepared.request)
            ready.append(Step(call.image_size, prepared, same_as=next(same, "")))
    return sorted(ready, key=lambda step: step.pixels) + refused, errors


_Sent = tuple[int, str, "Prepared"]


def _send(
    client: Client,
    queue: list[tuple[str, Prepared]],
    on_step: Callable[[int, int, str], object] | None,
    stop: Callable[[], bool] | None,
) -> tuple[dict[str, Outcome[_Sent, Prediction]], bool]:
    """Send the warm-up and each size; what came of the sizes, and whether some are left out."""
    tell = on_step or (lambda *_: None)
    cut = stop if isinstance(stop, Stop) else None
    entries = [(i, *entry) for i, entry in enumerate([(_WARM_UP, queue[0][1]), *queue])]

    def send(entry: _Sent) -> Prediction:
        done, name, prepared = entry
        tell(done, len(entries), name)
        return client.send(prepared, stop=cut)

    outcomes: dict[str, Outcome[_Sent, Prediction]] = {}
    for part in (entries[:1], entries[1:]):
        done = run(send, part, stop=stop)
        outcomes |= {outcome.item[1]: outcome for outcome in done.outcomes}
        if done.interrupted and len(outcomes) < 2:  # nothing is lost but the warm-up
            raise KeyboardInterrupt
        if done.stopped:
            break
        if error := outcomes[_WARM_UP].error:  # what fails alone and first would fail again
            raise error
    tell(len(outcomes), len(entries), "stopped" if done.stopped else "done")
    outcomes.pop(_WARM_UP, None)
    return outcomes, done.stopped


def _finished(
    step: Step,
    outcomes: dict[str, Outcome[_Sent, Prediction]],
    predictions: dict[str, Prediction],
) -> Step:
    """A step with what came of it."""
    if step.prepared is None:
        return step
    name = step.same_as or step.name
    if name not in predictions:
        failed = outcomes.get(name)
        error = _words(failed.error) if failed and failed.error else "not sent: the sweep stopped"
        return replace(step, error=error)
    try:
        *_, largest = predictions.values()
        agreement = compare(predictions[name], largest).agreement
    except Exception as error:  # noqa: BLE001 - no comparison is worth losing the predictions
        return replace(step, prediction=predictions[name], error=_words(error))
    return replace(step, prediction=predictions[name], agreement=agreement)


def _words(error: Exception) -> str:
    if isinstance(error, (HostedError, ValueError)):
        return str(error)
    return f"{type(error).__name__}: an error in rfhosted itself. Please report it."


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
