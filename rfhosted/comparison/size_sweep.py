"""One image is sent at several sizes: the requests, their order, what fails and what stops."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rfhosted import hosted
from rfhosted.batch.runner import Outcome, one_or_several, run
from rfhosted.comparison.pairing import compare
from rfhosted.comparison.sweep_result import Step, Sweep
from rfhosted.default import default_client
from rfhosted.endpoints.call import Call
from rfhosted.errors import HostedError
from rfhosted.images.reading import file_name
from rfhosted.transport.connection import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rfhosted.client import Client
    from rfhosted.endpoints.call import Prepared
    from rfhosted.hosted import ApiVersion, Task, TaskName, VersionName
    from rfhosted.images.sources import ImageLike
    from rfhosted.images.upload import ImageSize
    from rfhosted.prediction import Prediction

_WARM_UP = "warming up"


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
