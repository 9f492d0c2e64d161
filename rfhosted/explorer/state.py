"""What the panel shows, as a plain model without widgets: settings, what came of them, what runs.

A change that needs another request is a change of the *question*; a change of the *view* draws the
last answer again and sends nothing. Observers are told what changed, on the thread that changed it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rfhosted import hosted
from rfhosted.comparison.comparison import Comparison, compare
from rfhosted.comparison.size_sweep import Sweep, sweep
from rfhosted.endpoints.call import Call
from rfhosted.explorer import options
from rfhosted.explorer.background import Jobs, Newest, on_a_thread
from rfhosted.explorer.settings import EXPECTED, Answer, Question, Source, View, reference
from rfhosted.hosted import ApiVersion, Task
from rfhosted.images.samples import sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfhosted.client import Client
    from rfhosted.endpoints.call import Prepared
    from rfhosted.explorer.background import Made, Spawn, Work
    from rfhosted.images.sources import ImageLike
    from rfhosted.images.upload import ImageSize
    from rfhosted.prediction import Prediction
    from rfhosted.transport.connection import Stop

#: What an observer is told: which part of the state changed.
EVENTS = ("image", "question", "view", "plan", "activity", "answer", "pinned", "sweep", "key")


class ExplorerState:
    """Settings, the last answer, what is pinned, and what runs. Safe to use from several threads.

    Attributes:
        client: Who asks; ``set_key`` makes another.
        source: The picture, or None before there is one.
        question: What a request depends on.
        plan: What would be sent now; why it cannot be; or None where that is not known.
        answer: The last answer; it stays when a later run fails.
        pinned: The answer that others are compared with.
        sweep: The last sweep of image sizes.
        problem: What went wrong last, or None.
        notice: What happened last, in words.
        progress: (done, total) steps of what runs.
        auto: Whether a change of the question asks at once; never where a call spends credits.
    """

    def __init__(self, client: Client, *, spawn: Spawn = on_a_thread) -> None:
        self.client = client
        self.source: Source | None = None
        self.question = Question(api_version=client.api_version)
        self.plan: Prepared | Exception | None = None
        self.answer: Answer | None = None
        self.pinned: Answer | None = None
        self.sweep: Sweep | None = None
        self.problem: Exception | None = None
        self.notice = ""
        self.progress = (0, 0)
        self.auto = client.is_local
        self._views = {task: View(confidence=options.confidence_shown(task)) for task in Task}
        self._observers: list[Callable[[str], None]] = []
        self._jobs = Jobs(spawn, self._take, self._changed)
        self._openings = Jobs(spawn, self._take, self._changed)
        self._plans = Newest(spawn, self._make_plan)
        self._viewed: tuple[Answer, View, Prediction] | None = None

    def __repr__(self) -> str:
        name = self.source.title if self.source else "no picture"  # an address may hold a secret
        return f"ExplorerState({name}, {self.question}, {self.client!r})"

    def observe(self, tell: Callable[[str], None]) -> None:
        """Have ``tell`` called with one of ``EVENTS`` after each change."""
        self._observers.append(tell)

    def _changed(self, *events: str) -> None:
        if "image" in events:  # classes of one picture would hide another's
            views = self._views.items()
            self._views = {task: replace(view, classes=frozenset()) for task, view in views}
        for event in events:
            for tell in self._observers:
                tell(event)
        if "image" in events or "question" in events:
            self._catch_up()

    # What a person chooses.

    def choose(self, image: ImageLike, name: str | None = None) -> None:
        """Take another picture, in place of one that is still being opened.

        A URL is fetched beside the main thread.

        Args:
            image: As ``Client.predict`` takes it.
            name: What to call it where it is no path and no URL.
        """
        told, kind = reference(image)

        def work(_: Stop, made: Made) -> None:
            made["source"] = Source(self.client.open(image), name or told, kind)

        self._openings.stop()
        self._openings.start(work, begin=lambda: self._begin("Opening the picture"))
        self._changed("activity")

    def choose_sample(self, name: str) -> None:
        """Take a photograph that ships with the package.

        Raises:
            ValueError: No photograph has that name.
        """
        picture = self.client.open(sample(name))
        self._openings.stop()
        self.source = Source(picture, name, "sample")
        self._changed("image")

    def ask(self, **changes: Any) -> None:
        """Change the question: ``task``, ``api_version``, ``model``, ``image_size``, ``overlap``.

        What cannot stay with the change gives way: another task's model, a version that cannot
        serve it.
        """
        for name, kind in (("task", Task), ("api_version", ApiVersion)):
            if name in changes:
                changes[name] = kind(changes[name])
        asked = replace(self.question, **changes)
        known = options.task_of(asked.model)
        if known and known is not asked.task:
            by_model = "model" in changes and "task" not in changes
            asked = replace(asked, task=known) if by_model else replace(asked, model=None)
        if asked.api_version is ApiVersion.V1:
            v1, v2 = (self._why_not(asked, version) for version in ApiVersion)
            if v1 and v1 != v2:  # what neither can is no reason
                asked = replace(asked, api_version=ApiVersion.V2)
        self.question = asked
        self._changed("question")  # also where the wish was not granted: it is not to stay shown

    def show(self, **changes: Any) -> None:
        """Change the view of the chosen task; nothing is sent. See ``View``.

        Raises:
            ValueError: A confidence is no fraction.
        """
        for name in ("confidence", "keypoint_confidence"):
            if not 0 <= changes.get(name, 0) <= 1:
                raise ValueError(f"{name} is a fraction from 0 to 1, not {changes[name]!r}.")
        view = replace(self.view, **changes)
        if view != self.view:
            self._views[self.question.task] = view
            self._changed("view")

    def set_auto(self, *, auto: bool) -> None:
        """Whether a change of the question asks at once, where no call spends credits."""
        self.auto = auto and not self.spends_credits
        self._changed("activity")

    def set_key(self, api_key: str) -> None:
        """Ask with this key from now on. It is kept in the client alone.

        Raises:
            AuthenticationError: The key holds characters that no key has.
        """
        try:
            self.client = self.client.replace(api_key=api_key)
        finally:
            del api_key  # no traceback shows it
        self.notice = "The key is set, and kept in this kernel's memory alone."
        if (self.question.model or "").startswith(hosted.LOCAL_WORKSPACE + "/"):
            self.question = replace(self.question, model=None)
        self._changed("key", "question")

    def pin(self) -> None:
        """Keep the last answer as A, to compare later ones with."""
        self.pinned = self.answer
        self._changed("pinned")

    def unpin(self) -> None:
        """Compare with nothing."""
        self.pinned = None
        self._changed("pinned")

    # What follows from the choices.

    @property
    def view(self) -> View:
        """What a picture of an answer to the question depends on; each task has its own."""
        return self._views[self.question.task]

    @property
    def answer_view(self) -> View:
        """What the picture of the last answer depends on."""
        return self._views[self.answer.question.task] if self.answer else self.view

    @property
    def result(self) -> Prediction | None:
        """The last prediction, as the view shows it."""
        answer, viewed = self.answer, self._viewed
        if answer is None:
            return None
        view = self._views[answer.question.task]
        if viewed is None or viewed[0] is not answer or viewed[1] != view:
            viewed = self._viewed = (answer, view, view.of(answer.prediction))
        return viewed[2]

    @property
    def comparison(self) -> Comparison | None:
        """The pinned result and the last one, as the view shows them; None before there are two.

        Raises:
            ValueError: They are of different pictures or tasks.
        """
        if self.pinned is None or self.result is None or self.pinned is self.answer:
            return None
        return compare(self.answer_view.of(self.pinned.prediction), self.result)

    @property
    def code(self) -> tuple[str, str]:
        """Python, and lines for a shell with curl, that give exactly the last result; no key."""
        return self.answer.code(self.answer_view) if self.answer else ("", "")

    @property
    def class_names(self) -> list[str]:
        """Classes of the answer, those most often found first; a ranking's best twenty."""
        fits = self.answer is not None and self.answer.question.task is self.question.task
        rows = self.answer.prediction.rows() if self.answer and fits else []
        counts: dict[str, int] = {}
        for row in rows:
            counts[row["class_name"]] = counts.get(row["class_name"], 0) + 1
        return sorted(counts, key=lambda name: -counts[name])[:20]

    @property
    def spends_credits(self) -> bool:
        """Whether a run is a hosted call, which the workspace pays for."""
        here = (self.question.model or "").startswith(hosted.LOCAL_WORKSPACE + "/")
        return self.client.has_key and self.client.base_url is None and not here

    @property
    def busy(self) -> bool:
        """Whether something runs."""
        return self._jobs.busy or self._openings.busy

    def why_not(self, version: ApiVersion | None = None) -> str | None:
        """Why the question cannot be asked (of that version), or None where it can."""
        return self._why_not(self.question, version or self.question.api_version)

    def _why_not(self, asked: Question, version: ApiVersion) -> str | None:
        return options.why_not(self.client, asked.model, asked.task, version)

    @property
    def outdated(self) -> str | None:
        """Why the picture does not show what the settings say, or None where it does."""
        if self.answer is None:
            return None
        return self.answer.outdated(self.source, self.question, self.client) or (
            self.answer.too_low(self.view)
        )

    # What takes time.

    def run(self) -> None:
        """Ask the question. Does nothing while something runs: no click is paid twice."""
        if not self._openings.busy:
            self._run()

    def _run(self, later: Callable[[], None] | None = None) -> None:
        source, question, client = self.source, self.question, self.client
        if source is None:
            return
        shown = self.view.confidence

        def work(stop: Stop, made: Made) -> None:
            made["answer"] = question.ask(client, source, shown, stop)

        self._start("Asking " + (question.model or f"for {question.task}"), work, later)

    def run_both_versions(self) -> None:
        """Ask v1, pinned as A, and V2."""
        route = self.client.route(
            Call(self.question.model, self.question.task, self.question.api_version)
        )
        same = replace(self.question, model=route.name)  # v1 and V2 have other defaults
        self._run_two(
            replace(same, api_version=ApiVersion.V1),
            replace(same, api_version=ApiVersion.V2),
            "Asking v1 and V2",
        )

    def run_half_size(self) -> None:
        """Ask with the picture as it is, pinned as A, and with half of its longest side."""
        if self.source is None:
            return
        size, longest = self.question.image_size, max(self.source.source_image.size)
        if not isinstance(size, int):
            planned = getattr(self.plan, "upload", None)
            size = max(planned.size) if planned else longest
        size = min(size, longest)
        half = replace(self.question, image_size=max(1, size // 2))
        self._run_two(self.question, half, f"Asking at {size} px and at {size // 2} px")

    def _run_two(self, first: Question, second: Question, label: str) -> None:
        source, client, shown = self.source, self.client, self.view.confidence
        before = self.question
        if source is None or self._openings.busy:
            return

        def work(stop: Stop, made: Made) -> None:
            made["answer"] = pinned = first.ask(client, source, shown, stop)
            self._step(stop, 1, 2)
            made |= {"pinned": pinned, "answer": second.ask(client, source, shown, stop)}
            if self.question == before:  # else another choice was made meanwhile
                made["question"] = second

        self._start(label, work)

    def run_sweep(self, image_sizes: tuple[ImageSize, ...] = (320, 640, 1280, "original")) -> None:
        """Send the picture at several sizes. One that is stopped keeps the sizes that were done."""
        source, question, client = self.source, self.question, self.client
        if source is None or self._openings.busy:
            return
        shown = self.view.confidence

        def work(stop: Stop, made: Made) -> None:
            made["sweep"] = sweep(
                source.source_image,
                question.model,
                image_sizes=image_sizes,
                task=question.task,
                api_version=question.api_version,
                overlap=question.overlap,
                confidence=shown,
                client=client,
                on_step=partial(self._step, stop),
                stop=stop,
            )

        self._start("Sweeping the image size", work)

    def cancel(self) -> None:
        """Stop what runs: at once, and no answer of it counts. The last result stays."""
        stopped = self._jobs.stop(), self._openings.stop()
        if any(stopped):
            self.notice = "Stopped. The last result is kept."
            self._changed("activity")

    def fail(self, error: Exception) -> None:
        """Show what went wrong; nothing else changes."""
        self.problem = error
        self._changed("activity")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, for code, until nothing runs; False where ``timeout`` seconds were not enough."""
        return all(each.wait(timeout) for each in (self._openings, self._jobs, self._plans))

    def _step(self, stop: Stop, done: int, total: int, label: str = "") -> None:
        if not stop():  # else another job may be telling
            self.progress = (done, total)
            self.notice = label or self.notice
            self._changed("activity")

    def _begin(self, label: str) -> None:
        self.notice, self.problem, self.progress = f"{label} …", None, (0, 0)

    def _start(self, label: str, work: Work, later: Callable[[], None] | None = None) -> None:
        if self._jobs.start(work, begin=lambda: self._begin(label), later=later):
            self._changed("activity")

    def _take(self, made: Made, problem: Exception | None, stopped: bool) -> tuple[str, ...]:
        if stopped:  # a sweep keeps the sizes that were done, other answers do not count
            made = {name: value for name, value in made.items() if name == "sweep"}
        else:
            self.problem = problem or self.problem  # another job's, since this one began
            self.notice = "" if problem else _told(made)
        for name, value in made.items():
            setattr(self, name, value)
        return (*("image" if name == "source" else name for name in made), "activity")

    def _catch_up(self) -> None:
        """Look at what would be sent now, and ask where that is free."""
        self.auto = self.auto and not self.spends_credits
        self._plans.ask()
        needed = self.busy or self.answer is None or self.outdated
        if self.auto and needed and self.source is not None and not self.why_not():
            self._run(later=self._catch_up)

    def _make_plan(self) -> None:
        self.plan = None
        if self.source is not None:
            shown = self.view.confidence
            try:
                self.plan = self.question.prepare(
                    self.client, self.source, shown, ask_platform=False
                )
            except EXPECTED as error:
                self.plan = error
        self._changed("plan")


def _told(made: Made) -> str:
    if "answer" in made:
        prediction: Prediction = made["answer"].prediction
        settings = " The settings above are B's now." if "question" in made else ""
        return f"Answered in {prediction.timing.e2e * 1000:.0f} ms.{settings}"
    return "The sweep is done." if "sweep" in made else ""
