"""What the panel shows, as a plain model without widgets: settings, results, and what runs.

A change of the *call* needs another request; a change of the *display* draws the last response
again and sends nothing. Observers are called on the thread that made the change.
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from rfhosted import hosted
from rfhosted.comparison.pairing import compare
from rfhosted.comparison.size_sweep import Sweep, sweep
from rfhosted.display.units import milliseconds
from rfhosted.endpoints.call import Call
from rfhosted.errors import ModelNotFoundError
from rfhosted.explorer import code_export, options
from rfhosted.explorer.background import Worker, on_a_thread, plan, send
from rfhosted.explorer.settings import (
    Display,
    Event,
    Outcome,
    Outdated,
    Planned,
    Response,
    Sent,
    Source,
    reference,
)
from rfhosted.hosted import ApiVersion, Task
from rfhosted.images.samples import sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfhosted.client import Client
    from rfhosted.comparison.comparison import Comparison
    from rfhosted.endpoints.call import Prepared
    from rfhosted.explorer.background import Spawn
    from rfhosted.images.sources import ImageLike
    from rfhosted.images.upload import ImageSize
    from rfhosted.prediction import Prediction
    from rfhosted.transport.connection import Stop

STOPPED = "Stopped. The last result is kept."


class ExplorerState:
    """Settings, the last response, the pinned one, and what runs. Safe to use from any thread.

    Attributes:
        client: The client; ``set_key`` makes another.
        source: The image, or None.
        call: What Run requests; its confidence is left to the display.
        refused: Why the model that was typed last is not used, or None.
        plan: The request that Run would send; why it cannot be sent; None while it is not known.
        response: The last response; it stays when a later run fails.
        pinned: The response that later ones are compared with.
        sweep: The last sweep of image sizes.
        problem: The last error, or None.
        notice: What happened last, as a sentence.
        progress: (done, total) steps of what runs.
        auto: Whether a change of the call runs at once; never where a request is billable.
    """

    def __init__(self, client: Client, *, spawn: Spawn = on_a_thread) -> None:
        self.client = client
        self.source: Source | None = None
        self.call = Call(task=Task.OBJECT_DETECTION, api_version=client.api_version)
        self.refused: ModelNotFoundError | None = None
        self.plan: Prepared | Exception | None = None
        self.response: Response | None = None
        self.pinned: Response | None = None
        self.sweep: Sweep | None = None
        self.problem: Exception | None = None
        self.notice = ""
        self.progress = (0, 0)
        self.auto = client.is_local
        self._displays: dict[Task | None, Display] = {
            task: Display(confidence=hosted.default_confidence(task)) for task in (None, *Task)
        }
        self._observers: list[Callable[[Event], None]] = []
        self._requests = Worker[Outcome](spawn, self._take, self._changed)
        self._openings = Worker[Outcome](spawn, self._take, self._changed)
        self._plans = Worker[Outcome](spawn, self._take, self._changed)
        self._shown: tuple[Response, Display, Prediction] | None = None
        self._pair: tuple[tuple[Response, Prediction], Comparison] | None = None
        self._compared: Response | None = None  # B of the last pair, until a setting changes

    def __repr__(self) -> str:
        name = self.source.title if self.source else "no image"
        return f"ExplorerState({name}, {self.call}, {self.client!r})"

    def observe(self, observer: Callable[[Event], None]) -> None:
        """Call ``observer`` with an ``Event`` after each change."""
        self._observers.append(observer)

    def _changed(self, *events: Event) -> None:
        if Event.IMAGE in events:  # a filter for classes of one image would hide another's
            displays = self._displays.items()
            self._displays = {task: replace(old, classes=frozenset()) for task, old in displays}
        other_request = Event.IMAGE in events or Event.CALL in events
        if other_request:
            self.plan = None
        for event in events:
            for observer in self._observers:
                observer(event)
        if other_request:
            self._catch_up()

    # Choices.

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

    def change(self, **changes: Any) -> None:
        """Change fields of the call, see ``Call``.

        What does not fit a change gives way: a model of another task, a version that cannot serve
        the model. A model that is neither a name nor an id is refused and changes nothing.

        Raises:
            ValueError, TypeError: There is no such field or value.
        """
        if "model" in changes or "task" in changes:
            self.refused = None
        call = replace(self.call, **changes)
        if call.model and "model" in changes:
            try:
                call = replace(call, model=options.understood(call.model))
            except ModelNotFoundError as error:
                # Without its frames, which hold what the user typed.
                self.refused, call = error.with_traceback(None), self.call
        task = options.task_of(call.model)
        if task and task is not call.task:
            by_model = "model" in changes and "task" not in changes
            call = replace(call, task=task) if by_model else replace(call, model=None)
        if call.api_version is ApiVersion.V1:
            v2 = replace(call, api_version=ApiVersion.V2)
            without_v1, without_v2 = (options.why_not(self.client, each) for each in (call, v2))
            if without_v1 and without_v1 != without_v2:  # else V2 would not help
                call = v2
        self.call, self._compared = call, None
        self._changed(Event.CALL)  # also where nothing changed: a control may have to move back

    ask = change  # its name in notebooks of version 0.1

    def show(self, **changes: Any) -> None:
        """Change fields of the display of the chosen task, see ``Display``; nothing is sent.

        Raises:
            ValueError: A confidence is not a fraction.
        """
        for name in ("confidence", "keypoint_confidence"):
            if not 0 <= changes.get(name, 0) <= 1:
                raise ValueError(f"{name} is a fraction from 0 to 1, not {changes[name]!r}.")
        display = replace(self.display, **changes)
        if display != self.display:
            self._displays[self.call.task] = display
            self._changed(Event.DISPLAY)

    def set_auto(self, *, auto: bool) -> None:
        """Whether a change of the call runs at once, where no request is billable."""
        self.auto = auto and not self.spends_credits
        self._changed(Event.ACTIVITY)

    def set_key(self, api_key: str) -> None:
        """Use this API key from now on; only the client keeps it. May raise AuthenticationError."""
        try:
            self.client = self.client.replace(api_key=api_key)
        finally:
            del api_key  # no traceback shows it
        self.problem = None
        self.notice = "The API key is set. It is kept only in the memory of this kernel."
        if self.call.model in hosted.LOCAL_MODELS.values():
            self.call = replace(self.call, model=None)
        self._changed(Event.KEY, Event.CALL)

    def remove_key(self) -> None:
        """Forget the API key; one in the environment or in .env is found again."""
        self.client = self.client.replace(api_key=None)
        found = " Another one was found in the environment." if self.client.has_key else ""
        self.problem, self.notice = None, f"The API key is removed.{found}"
        self._changed(Event.KEY, Event.CALL)

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
    def display(self) -> Display:
        """The display settings of the chosen task; each task has its own."""
        return self._displays[self.call.task]

    @property
    def response_display(self) -> Display:
        """The display settings of the last response's task."""
        return self._displays[(self.response or self).call.task]

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
    def code(self) -> tuple[str, str]:
        """Python, and a shell command with curl, that give exactly the last result; no API key."""
        response = self.response
        return code_export.code_for(response, self.response_display) if response else ("", "")

    @property
    def class_names(self) -> list[str]:
        """Classes of the response, the most frequent first; at most twenty."""
        fits = self.response is not None and self.response.call.task is self.call.task
        rows = self.response.prediction.readable_rows() if self.response and fits else []
        counts = Counter(row["class_name"] for row in rows)
        return [name for name, _ in counts.most_common(20)]

    @property
    def spends_credits(self) -> bool:
        """Whether Run sends a hosted request, which the workspace pays for."""
        return options.is_billable(self.client, self.call)

    @property
    def busy(self) -> bool:
        """Whether a request runs or an image is being read."""
        return self._requests.busy or self._openings.busy

    def why_not(self, version: ApiVersion | None = None) -> str | None:
        """Why the call cannot be sent (by that version), or None where it can."""
        if self.refused:
            return options.reason(self.refused)
        call = replace(self.call, api_version=version or self.call.api_version)
        return options.why_not(self.client, call)

    @property
    def outdated(self) -> Outdated | None:
        """The setting that the shown result does not follow yet, or None."""
        response = self.response
        if response is None:
            return None
        if response.source is not self.source:
            return Outdated.IMAGE
        if response.call != self.call and response is not self._compared:
            return Outdated.CALL
        if response.client is not self.client:
            return Outdated.KEY
        requested, shown = response.prediction.confidence, self.display.confidence
        unfiltered = shown != requested and not response.prediction.has_confidences
        return Outdated.CONFIDENCE if shown < requested or unfiltered else None

    # Work in the background.

    def run(self) -> None:
        """Send the request. Does nothing while something runs: two clicks are billed once."""
        self._send(self.call)

    def run_both_versions(self) -> None:
        """Send the request to v1, pinned as A, and to V2."""
        model = self.client.route(self.call).name  # v1 and V2 have other defaults
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
        label = label or before.model or f"the default {before.task} model"
        if source is None:
            return

        def job(stop: Stop) -> Outcome:
            def step(done: int) -> None:
                if done < len(calls):
                    self._step(stop, done, len(calls))

            return Sent(before, *send(client, source, calls, shown, stop=stop, on_done=step))

        self._start(f"Sending a request to {label}", job, later)

    def run_sweep(self, image_sizes: tuple[ImageSize, ...] = (320, 640, 1280, "original")) -> None:
        """Send the image at several sizes. A stopped sweep keeps the sizes that were finished."""
        source = self._ready()
        if source is None:
            return
        options: dict[str, Any] = asdict(replace(self.call, confidence=self.display.confidence))
        del options["image_size"]
        options |= {"image_sizes": image_sizes, "client": self.client, "image_name": source.title}

        def job(stop: Stop) -> Outcome:
            step = functools.partial(self._step, stop)
            return sweep(source.image, **options, on_step=step, stop=stop)

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
            case Sweep():
                self.sweep = outcome
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
        if self.call == sent.call:  # the settings stay, though B has others
            self._compared = response
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
            return plan(self.client, self.source, self.call, self.display.confidence)

        self._plans.start(job, later=self._plan_again)
