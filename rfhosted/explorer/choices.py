"""What a user chooses in the panel: the image, the call, the display, the API key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rfhosted import hosted
from rfhosted.endpoints.call import Call
from rfhosted.errors import ModelNotFoundError
from rfhosted.explorer import options, prompts
from rfhosted.explorer.settings import Display, Event, Source
from rfhosted.hosted import ApiVersion, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfhosted.client import Client
    from rfhosted.explorer.prompts import Prompt
    from rfhosted.prediction.ground_truth import GroundTruth


class Choices:
    """The settings, who observes them, and what follows from them without a request.

    Attributes:
        client: The client; ``set_key`` makes another.
        source: The image, or None.
        call: What Run requests; its confidence is left to the display.
        prompt: What Run requests of a prompted model instead; None for the tasks of ``predict``.
        refused: Why the model that was typed last is not used, or None.
        problem: The last error, or None.
        notice: What happened last, as a sentence.
        auto: Whether a change of the call runs at once; never where a request is billable.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.source: Source | None = None
        self.call = Call(task=Task.OBJECT_DETECTION, api_version=client.api_version)
        self.prompt: Prompt | None = None
        self.refused: ModelNotFoundError | None = None
        self.problem: Exception | None = None
        self.notice = ""
        self.auto = client.is_local
        self._displays: dict[prompts.Shown, Display] = {
            task: Display(confidence=hosted.default_confidence(task))
            for task in (None, *hosted.IMAGE_TASKS)
        }
        for verb in prompts.Verb:
            confidence = prompts.CONFIDENCES.get(verb, 0.0)
            self._displays[verb] = Display(confidence=confidence)
        self._truth_file = ""
        self._truth: tuple[tuple[Source | None, str], GroundTruth | None] | None = None
        self._observers: list[Callable[[Event], None]] = []

    def observe(self, observer: Callable[[Event], None]) -> None:
        """Call ``observer`` with an ``Event`` after each change."""
        self._observers.append(observer)

    def _changed(self, *events: Event) -> None:
        if Event.IMAGE in events:  # a filter for classes of one image would hide another's
            displays = self._displays.items()
            self._displays = {task: replace(old, classes=frozenset()) for task, old in displays}
            if self.prompt:  # points and boxes are of one image
                self.prompt = replace(self.prompt, points=(), boxes=())
        for event in events:
            for observer in self._observers:
                observer(event)

    def change(self, **changes: Any) -> None:
        """Change fields of the call, see ``Call``.

        What does not fit a change gives way: a model of another task, a version that cannot serve
        the model. A model that is neither a name nor an id is refused and changes nothing.

        Raises:
            ValueError, TypeError: There is no such field or value.
        """
        if "model" in changes or "task" in changes:
            self.refused = self.prompt = None
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
        self.call = call
        self._changed(Event.CALL)  # also where nothing changed: a control may have to move back

    ask = change  # its name in notebooks of version 0.1

    def set_prompt(self, prompt: Prompt) -> None:
        """Take a prompt for a prompted model; a version that does not run it gives way."""
        self.refused, self.prompt = None, prompt
        version = self.call.api_version
        if not prompts.runs_on_v1(prompt.verb):
            version = ApiVersion.V2
        task = prompts.TASKS[prompt.verb]
        self.call = replace(self.call, task=task, model=None, api_version=version)
        self._changed(Event.CALL)

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
            self._displays[self.shown_as] = display
            self._changed(Event.DISPLAY)

    def set_truth_file(self, path: str) -> None:
        """Take the ground truth of the images from a COCO file; "" for that of the samples.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is no COCO file, or does not have the chosen image.
        """
        if path and self.source:
            options.truth_in(path, self.source)  # or it is said why there is none
        self._truth_file = path
        self._changed(Event.TRUTH)

    @property
    def truth(self) -> GroundTruth | None:
        """The ground truth of the chosen image; None where there is none."""
        key = (self.source, self._truth_file)
        if self._truth is None or self._truth[0] != key:
            self._truth = key, options.truth_of(self._truth_file, self.source)
        return self._truth[1]

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

    @property
    def shown_as(self) -> prompts.Shown:
        """The task or the verb whose display settings apply."""
        return self.prompt.verb if self.prompt else self.call.task

    @property
    def display(self) -> Display:
        """The display settings of the chosen task; each task has its own."""
        return self._displays[self.shown_as]

    @property
    def spends_credits(self) -> bool:
        """Whether Run sends a hosted request, which the workspace pays for."""
        return options.is_billable(self.client, self.call)

    def why_not(self, version: ApiVersion | None = None) -> str | None:
        """Why the call cannot be sent (by that version), or None where it can."""
        if self.refused:
            return options.reason(self.refused)
        if self.prompt:
            return prompts.why_not(self.prompt, version or self.call.api_version)
        call = replace(self.call, api_version=version or self.call.api_version)
        return options.why_not(self.client, call)
