"""The controls of a request: the image, the call, the API key, and the Run button."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from ipywidgets import Dropdown, RadioButtons

from rfhosted import hosted
from rfhosted.errors import ImageError
from rfhosted.explorer import fragments, options, prompts
from rfhosted.explorer.settings import Event, images_in, reference
from rfhosted.explorer.widgets import (
    WRAPPED,
    Controls,
    button,
    checkbox,
    column,
    control,
    fraction,
    set_options,
    show_when,
    text_field,
)
from rfhosted.hosted import ApiVersion, Task
from rfhosted.images.samples import sample_names
from rfhosted.images.sources import is_url

if TYPE_CHECKING:
    from rfhosted.explorer.state import ExplorerState

_TASKS: list[tuple[str, str]] = [
    (task.replace("-", " ").capitalize(), task) for task in hosted.IMAGE_TASKS
]
_VERSIONS = [("V2 (recommended)", ApiVersion.V2), ("v1 (legacy)", ApiVersion.V1)]
#: The option that stands for a typed model that was refused.
_REFUSED = "?"


class ImagePicker(Controls):
    """The samples as buttons, a field for a path or URL, an upload button."""

    def __init__(self, state: ExplorerState) -> None:
        super().__init__(state)
        names = sample_names()
        self.samples = widgets.ToggleButtons(
            options=names,
            value=None,
            tooltips=[f"Use the sample photo {name}" for name in names],
            tooltip="Sample photos",
        )
        self.samples.add_class("rfhosted-samples")
        self.path = text_field(
            "Path or URL",
            "photos/dog.jpg, then Enter",
            "An image file on the kernel's computer, a folder of images, or an http(s) URL",
            widgets.Combobox,
        )
        self.path.layout = {"flex": "1 1 260px", "width": "auto", "min_width": "220px"}
        self.next = button(state, "Next image", "Use the next image of the folder", self._next)
        self._folder: list[str] = []
        upload = f"Upload (up to {fragments.UPLOAD_LIMIT} MB)"
        tooltip = "Send a file from your computer to the kernel"
        self.upload = widgets.FileUpload(accept="image/*", description=upload, tooltip=tooltip)
        self.upload.layout.width = "auto"
        self.chosen = widgets.HTML()
        self.widget = widgets.VBox(
            [
                widgets.HTML(fragments.sample_style(names), layout={"display": "none"}),
                widgets.HBox([self.samples, self.path, self.next], layout=WRAPPED),
            ]
        )
        self.truth = text_field(
            "Ground truth",
            "annotations.json, then Enter",
            "A COCO annotation file on the kernel's computer; it adds the tab Precision and recall",
        )
        self.more = column(
            fragments.heading("Image"),
            self.upload,
            self.chosen,
            fragments.small(fragments.UPLOAD_HINT),
            fragments.scripted(fragments.DROP_HINT),
            self.truth,
        )
        self.path.options = tuple(images_in("."))
        self.on(self.samples, self._take_sample)
        self.on(self.path, self._take_path)
        self.on(self.upload, self._take_upload)
        self.on(self.truth, lambda path: state.set_truth_file(path.strip().strip("\"'")))
        show_when(shown=False, widget=self.next)

    def _take_sample(self, name: str | None) -> None:
        if name:
            self.state.choose_sample(name)

    def _next(self) -> None:
        self._folder.append(self._folder.pop(0))
        self.state.choose(self._folder[0])

    def _take_path(self, text: str) -> None:
        path = text.strip().strip("\"'")  # as file managers copy it
        if path and len(path) < 1000 and (found := images_in(path)):
            self._folder = found
            with self.quietly():
                self.path.options, self.path.value = tuple(found), ""
            self.state.choose(found[0])
            return
        # Nothing else that is typed may stay in the panel or in an error: it may be an API key.
        is_name = re.fullmatch(r"[^?]*\.\w{2,5}", path)
        with self.quietly():
            self.path.value = reference(path)[0] if is_name else ""
        if is_name or is_url(path) or path[:5].lower() == "data:":
            self.state.choose(path)
        elif path:
            raise ImageError(
                "This is neither the name of an image file nor a URL",
                advice="Enter a path such as photos/dog.jpg, or a URL that begins with http.",
            )

    def _take_upload(self, files: Any) -> None:
        if files:
            content, name = bytes(files[0]["content"]), files[0]["name"]
            with self.quietly():
                self.upload.value = ()  # the bytes must not stay in the widget's saved state
            self.state.choose(content, name)

    def refresh(self, event: Event) -> None:
        """Show what changed."""
        if event is Event.IMAGE and self.state.source:
            with self.quietly():
                self.path.value = ""  # or the same path could not be entered again
                source = self.state.source
                self.samples.value = source.name if source.kind == "sample" else None
                show_when(len(self._folder) > 1 and source.name in self._folder, self.next)
            width, height = self.state.source.image.size
            text = f"Chosen: {self.state.source.title}, {width} x {height} pixels"
            self.chosen.value = fragments.small(text)


class RequestForm(Controls):
    """Task, version, model and size, and the buttons that send a request."""

    def __init__(self, state: ExplorerState) -> None:
        super().__init__(state)
        tasks = [*_TASKS, *((prompts.TITLES[verb], verb) for verb in prompts.verbs())]
        #: By the name of the field of ``Call`` that each one sets.
        self.fields: dict[str, Any] = {
            "task": control(Dropdown, "Task type", "What the model outputs", options=tasks),
            "api_version": control(
                RadioButtons, "API version", "v1 or V2", "auto", options=_VERSIONS
            ),
            "model": control(Dropdown, "Model", "Models for this task"),
            "image_size": control(Dropdown, "Image size", "Longest side to send; never enlarged"),
            "overlap": fraction(
                "Overlap (IoU)", "NMS IoU threshold. Changing it sends a new request."
            ),
        }
        self.no_v1, self.plan, self.key_line = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.typed_model = text_field(
            "Model ID or URL",
            "my-project/3, then Enter",
            "project/version, workspace/slug, a public name, or the URL of a model",
        )
        self.run = button(state, "Run", "Send the request", state.run)
        self.run.button_style = "primary"
        self.cancel = button(state, "Cancel", "Stop the running request", state.cancel)
        self.auto = checkbox("Run on every change", "Only when requests are not billable")
        self.key = text_field(
            "API key", "then Enter", "Kept only in the kernel's memory", widgets.Password
        )
        self.remove_key = button(state, "Remove the key", "Forget the API key", state.remove_key)
        #: Where the controls of a prompted model are placed.
        self.place = widgets.VBox()
        fields = self.fields
        self.widget = widgets.VBox(
            [
                fields["task"],
                fields["api_version"],
                fields["model"],
                self.place,
                fields["image_size"],
                widgets.HBox([self.run, self.cancel]),
                self.plan,
            ]
        )
        self.more = column(
            fragments.heading("Request"),
            self.no_v1,
            self.typed_model,
            fields["overlap"],
            self.auto,
            self.key,
            widgets.HBox([self.remove_key]),
            self.key_line,
        )
        for name, widget in self.fields.items():
            self.on(widget, partial(self._change, name))
        self.on(self.typed_model, self._take_model)
        self.on(self.auto, lambda auto: state.set_auto(auto=auto))
        self.on(self.key, self._take_key)
        self.refresh(Event.CALL)

    def _change(self, name: str, value: Any) -> None:
        prompt = self.state.prompt
        if name == "task" and value in prompts.MODELS:
            self.state.set_prompt(prompts.first(prompts.Verb(value)))
        elif name == "model" and prompt:
            self.state.set_prompt(replace(prompt, model=value))
        elif value != _REFUSED:
            self.state.change(**{name: None if value == "" else value})

    def _take_model(self, text: str) -> None:
        if text.strip():
            self.state.change(model=text)

    def _take_key(self, secret: str) -> None:
        if secret.strip():
            with self.quietly():
                self.key.value = ""  # a widget's value is written into saved notebooks
            self.state.set_key(secret.strip())

    def refresh(self, event: Event) -> None:
        """Show what changed."""
        if event in (Event.IMAGE, Event.CALL, Event.KEY):
            with self.quietly():
                self._refresh_fields()
        if event in (Event.IMAGE, Event.CALL, Event.KEY, Event.PLAN, Event.ACTIVITY):
            with self.quietly():
                self._refresh_run()

    def _refresh_fields(self) -> None:
        state, call = self.state, self.state.call
        models, chosen, typed = self._models()
        sizes = options.sizes(state.source.image.size if state.source else None)
        if call.image_size not in [None, *(size for _, size in sizes)]:
            sizes.append((f"{call.image_size} px", call.image_size or ""))
        set_options(self.fields["model"], models, chosen)
        set_options(self.fields["image_size"], sizes, call.image_size or "")
        # As it was understood: what was typed may hold an API key.
        self.typed_model.value = "" if state.refused else typed
        self.fields["task"].value = state.prompt.verb if state.prompt else call.task
        for name in ("api_version", "overlap"):
            self.fields[name].value = getattr(call, name)
        no_overlap = call.task in hosted.TASKS_WITHOUT_OVERLAP
        self.fields["overlap"].disabled = no_overlap or state.prompt is not None
        no_v1 = state.why_not(ApiVersion.V1)
        if no_v1 == state.why_not(ApiVersion.V2):
            no_v1 = None  # what neither version can do is said beside the Run button
        self.fields["api_version"].disabled = bool(no_v1)
        unavailable = f"v1 is not available: {no_v1}"
        self.no_v1.value = fragments.small(unavailable if no_v1 else fragments.ABOUT_VERSIONS)
        self.key_line.value = fragments.key_line(state.client)

    def _models(self) -> tuple[options.Options, str, str]:
        """The models to choose from, the chosen one, and the one that was typed or ""."""
        state, call = self.state, self.state.call
        if state.prompt:
            return (
                [(name, name) for name in prompts.MODELS[state.prompt.verb]],
                state.prompt.model,
                "",
            )
        models: options.Options = [(f"default: {options.default_model(state.client, call)}", "")]
        models += options.models(call.task or Task.OBJECT_DETECTION, state.client)
        typed = call.model if call.model not in [None, *(name for _, name in models)] else ""
        if typed:
            models.insert(1, (f"Typed: {typed}", typed))
        if state.refused:
            models.insert(1, ("Not a model", _REFUSED))
        return models, _REFUSED if state.refused else call.model or "", typed or ""

    def _refresh_run(self) -> None:
        state = self.state
        self.plan.value = fragments.fixed(fragments.plan(state), "Request")
        self.run.disabled = bool(state.why_not()) or state.source is None or state.busy
        self.run.description = "Run (spends credits)" if state.spends_credits else "Run"
        self.cancel.disabled = not state.busy
        self.remove_key.disabled = not state.client.has_key
        self.auto.value, self.auto.disabled = state.auto, state.spends_credits
