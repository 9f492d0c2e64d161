"""What the panel shows, as a plain model without widgets: settings, results, and what runs.

A change of the *call* needs another request; a change of the *display* draws the last response
again and sends nothing. Observers are called on the thread that made the change.
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from rfhosted.comparison.pairing import compare
from rfhosted.display.units import milliseconds
from rfhosted.explorer import code_export
from rfhosted.explorer.background import Worker, on_a_thread, plan, send, sweep_sizes
from rfhosted.explorer.choices import Choices
from rfhosted.explorer.settings import (
    Display,
    Event,
    Outcome,
    Outdated,
    Planned,
    Response,
    Sent,
    Source,
    Swept,
    reference,
)
from rfhosted.hosted import ApiVersion, Task
from rfhosted.images.samples import sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfhosted.client import Client
    from rfhosted.comparison.comparison import Comparison
    from rfhosted.comparison.sweep_result import Step, Sweep
    from rfhosted.endpoints.call import Call, Prepared
    from rfhosted.endpoints.prompted import PreparedPrompts
    from rfhosted.explorer.background import Spawn
    from rfhosted.images.sources import ImageLike
    from rfhosted.images.upload import ImageSize
    from rfhosted.prediction import Prediction
    from rfhosted.transport.connection import Stop

STOPPED = "Stopped. The last result is kept."


class ExplorerState(Choices):
    """Settings, the last response, the pinned one, and what runs. Safe to use from any thread.

    Attributes:
        plan: The request that Run would send; why it cannot be sent; None while it is not known.
        response: The last response; it stays when a later run fails.
        pinned: The response that later ones are compared with.
        swept: The last sweep of image sizes, and what it was made with.
        progress: (done, total) steps of what runs.
    """

    def __init__(self, client: Client, *, spawn: Spawn = on_a_thread) -> None:
        super().__init__(client)
        self.plan: Prepared | PreparedPrompts | Exception | None = None
        self.response: Response | None = None
        self.pinned: Response | None = None
        self.swept: Swept | None = None
        self.progress = (0, 0)
        self._requests = Worker[Outcome](spawn, self._take, self._changed)
        self._openings = Worker[Outcome](spawn, self._take, self._changed)
        self._plans = Worker[Outcome](spawn, self._take, self._changed)
        self._shown: tuple[Response, Display, Prediction] | None = None
        self._pair: tuple[tuple[Response, Prediction], Comparison] | None = None
        #: B of the last pair, and the settings at that time: they stay, though B has others.
        self._compared: tuple[Response, Call] | None = None

    def __repr__(self) -> str:
        name = self.source.title if self.source else "no image"
        return f"ExplorerState({name}, {self.call}, {self.client!r})"

    def _changed(self, *events: Event) -> None:
        other_request = Event.IMAGE in events or Event.CALL in events
        if other_request:
            self.plan = None
        super()._changed(*events)
        if other_request:
            self._catch_up()

    # Images and results that are chosen.

    def choose(self, image: ImageLike, name: str | None = None) -> None:
        """Read another image in the background, in place of one that is still being read.

        Args:
            image: As ``Client.predict`` takes it.
            name: A file name, where the image is neither a path nor a URL.
        """
        known, kind = reference(image)

        def job(_: Stop) -> Outcome:
            return Source(self.client.open(image), name or known, kind)

        self._openings.stop()
        self._openings.start(job, begin=lambda: self._begin("Reading the image"))
        self._changed(Event.ACTIVITY)

    def choose_sample(self, name: str) -> None:
        """Take a photo that ships with the package; a ValueError if no photo has that name."""
        image = self.client.open(sample(name))
        self._openings.stop()
        self.source = Source(image, name, "sample")
        self._changed(Event.IMAGE)

    def pin(self) -> None:
        """Keep the last response as A, to compare later ones with."""
        self.pinned = self.response
        self._changed(Event.PINNED)

    def unpin(self) -> None:
        """Compare with nothing."""
        self.pinned = None
        self._changed(Event.PINNED)

    # What follows from the choices.

    @property
    def response_display(self) -> Display:
        """The display settings of the last response's task."""
        return self._displays[(self.response or self).shown_as]

    @property
    def result(self) -> Prediction | None:
        """The last prediction, filtered as it is shown."""
        response, display = self.response, self.response_display
        if response is None:
            return None
        shown = self._shown
        if shown is None or shown[:2] != (response, display):
            shown = self._shown = (response, display, display.of(response.prediction))
        return shown[2]

    @property
    def comparison(self) -> Comparison | None:
        """The pinned result and the last one, as they are shown; None before there are two.

        A ValueError says that they are of different images or tasks.
        """
        if self.pinned is None or self.result is None or self.pinned is self.response:
            return None
        key = (self.pinned, self.result)
        if self._pair is None or self._pair[0] != key:
            a = self.response_display.of(self.pinned.prediction)
            self._pair = (key, compare(a, self.result))
        return self._pair[1]

    @property
    def sweep(self) -> Sweep | None:
        """The last sweep of image sizes."""
        return self.swept.sweep if self.swept else None

    @property
    def _swept_call(self) -> Call:
        """What a sweep requests: the call and the threshold, without an image size."""
        return replace(self.call, image_size=None, confidence=self.display.confidence)

    @property
    def sweep_changes(self) -> list[str]:
        """Names of what is not as it was in the last sweep; empty without a sweep."""
        if self.swept is None:
            return []
        return self.swept.changes(self.source, self._swept_call, self.client)

    def compare_sizes(self, step: Step) -> None:
        """Compare the sweep's result at a size, as A, with its largest, B; nothing is sent."""
        swept = self.swept
        if swept is None or self.busy:
            return
        a, b = swept.response(step), swept.response(swept.steps[-1])
        settings = replace(swept.call, image_size=self.call.image_size, confidence=None)
        changed = self._take_responses(Sent(settings, (a, b)))
        self.notice = f"A is the sweep's result at {step.name}, B that at its largest size."
        self._changed(*changed)

    @property
    def code(self) -> tuple[str, str]:
        """Python, and a shell command with curl, that give exactly the last result; no API key."""
        response = self.response
        return code_export.code_for(response, self.response_display) if response else ("", "")

    @property
    def class_names(self) -> list[str]:
        """Classes of the response, the most frequent first; at most twenty."""
        fits = self.response is not None and self.response.shown_as == self.shown_as
        rows = self.response.prediction.readable_rows() if self.response and fits else []
        # The rows of a text have no classes.
        counts = Counter(row["class_name"] for row in rows if "class_name" in row)
        return [name for name, _ in counts.most_common(20)]

    @property
    def busy(self) -> bool:
        """Whether a request runs or an image is being read."""
        return self._requests.busy or self._openings.busy

    @property
    def outdated(self) -> Outdated | None:
        """The setting that the shown result does not follow yet, or None."""
        response = self.response
        if response is None:
            return None
        if response.source is not self.source:
            return Outdated.IMAGE
        changed = response.call != self.call and (response, self.call) != self._compared
        if changed or response.prompt != self.prompt:
            return Outdated.CALL
        if response.client is not self.client:
            return Outdated.KEY
        requested, shown = response.prediction.confidence, self.display.confidence
        if not response.prediction.has_confidences:
            # A class map was cut at the threshold by the server; other models have no threshold.
            cut = response.prediction.task is Task.SEMANTIC_SEGMENTATION
            return Outdated.CONFIDENCE if cut and shown != requested else None
        return Outdated.CONFIDENCE if shown < requested else None

    # Work in the background.

    def run(self) -> None:
        """Send the request. Does nothing while something runs: two clicks are billed once."""
        self._send(self.call)

    def run_both_versions(self) -> None:
        """Send the request to v1, pinned as A, and to V2."""
        # The prompted models have no default that depends on the version.
        model = (
            None if self.prompt else self.client.route(self.call).name
        )  # v1 and V2 have other defaults
        calls = (replace(self.call, model=model, api_version=each) for each in ApiVersion)
        self._send(*calls, label="v1 and V2")

    def run_half_size(self) -> None:
        """Send the image at its size, pinned as A, and at half of it."""
        if self.source is None:
            return
        size, longest = self.call.image_size, max(self.source.image.size)
        if not isinstance(size, int):
            upload = getattr(self.plan, "upload", None)
            size = max(upload.size) if upload else longest
        size = min(size, longest)
        half = replace(self.call, image_size=max(1, size // 2))
        self._send(self.call, half, label=f"the model at {size} px and {size // 2} px")

    def _send(self, *calls: Call, label: str = "", later: Callable[[], None] | None = None) -> None:
        """Send requests one after the other; ``later`` is called if something runs already."""
        source, client, shown, before = (
            self._ready(),
            self.client,
            self.display.confidence,
            self.call,
        )
        prompt = self.prompt
        label = (
            label
            or (prompt.model if prompt else before.model)
            or f"the default {before.task} model"
        )
        if source is None:
            return

        def job(stop: Stop) -> Outcome:
            def step(done: int) -> None:
                if done < len(calls):
                    self._step(stop, done, len(calls))

            sent = send(client, source, calls, shown, prompt, stop=stop, on_done=step)
            return Sent(before, *sent)

        self._start(f"Sending a request to {label}", job, later)

    def run_sweep(self, image_sizes: tuple[ImageSize, ...] = (320, 640, 1280, "original")) -> None:
        """Send the image at several sizes. A stopped sweep keeps the sizes that were finished."""
        source = self._ready()
        if source is None:
            return
        client, call = self.client, self._swept_call

        def job(stop: Stop) -> Outcome:
            step = functools.partial(self._step, stop)
            return sweep_sizes(client, source, call, image_sizes, on_step=step, stop=stop)

        self._start("Sweeping the image size", job)

    def cancel(self) -> None:
        """Stop what runs, at once; its response is dropped and the last result stays."""
        stopped = self._requests.stop(), self._openings.stop()
        if any(stopped):
            self.notice = STOPPED
            self._changed(Event.ACTIVITY)

    def fail(self, error: Exception) -> None:
        """Show an error; nothing else changes."""
        self.problem = error
        self._changed(Event.ACTIVITY)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs; False after ``timeout`` seconds."""
        return all(each.wait(timeout) for each in (self._openings, self._requests, self._plans))

    def _ready(self) -> Source | None:
        """The image, if a request can be sent now."""
        if self.refused:
            self.fail(self.refused)
        return None if self.refused or self._openings.busy else self.source

    def _step(self, stop: Stop, done: int, total: int, label: str = "") -> None:
        if not stop():  # else another job may report its progress
            self.progress = (done, total)
            self.notice = label or self.notice
            self._changed(Event.ACTIVITY)

    def _begin(self, label: str) -> None:
        self.notice, self.problem, self.progress = f"{label} …", None, (0, 0)

    def _start(
        self, label: str, job: Callable[[Stop], Outcome], later: Callable[[], None] | None = None
    ) -> None:
        if self._requests.start(job, begin=lambda: self._begin(label), later=later):
            self._changed(Event.ACTIVITY)

    def _take(
        self, outcome: Outcome | None, problem: Exception | None, stopped: bool
    ) -> tuple[Event, ...]:
        """Store what a job returned; of a stopped one, only the sizes that a sweep finished."""
        match outcome:
            case Planned(request):
                self.plan = request
                return (Event.PLAN,)
            case Swept():
                self.swept = outcome
                if not stopped:
                    self.notice = "The sweep is finished."
                return (Event.SWEEP, Event.ACTIVITY)
            case Source() if not stopped:
                self.source, self.notice = outcome, ""
                return (Event.IMAGE, Event.ACTIVITY)
            case Sent() if not stopped:
                return self._take_responses(outcome)
        if not stopped:
            self.problem, self.notice = problem or self.problem, ""
        return (Event.ACTIVITY,)

    def _take_responses(self, sent: Sent) -> tuple[Event, ...]:
        self.problem, self.notice = sent.error or self.problem, ""
        if not sent.responses:
            return (Event.ACTIVITY,)
        response = self.response = sent.responses[-1]
        if not sent.error:
            time = milliseconds(response.prediction.timing.e2e)
            self.notice = f"Response received in {time}."
        if len(sent.responses) == 1:
            return Event.RESPONSE, Event.ACTIVITY
        self.pinned = sent.responses[0]
        self._compared = response, sent.call
        return Event.RESPONSE, Event.PINNED, Event.ACTIVITY

    def _catch_up(self) -> None:
        """Plan the next request, and send it where that is free and wanted."""
        self.auto = self.auto and not self.spends_credits
        self._plan_again()
        needed = self.busy or self.response is None or self.outdated
        if self.auto and needed and not self.why_not():
            self._send(self.call, later=self._catch_up)

    def _plan_again(self) -> None:
        def job(_: Stop) -> Outcome:
            if self.refused:
                return Planned(self.refused)
            shown = self.display.confidence
            return plan(self.client, self.source, self.call, shown, self.prompt)

        self._plans.start(job, later=self._plan_again)
