"""The controls of what needs a request: which picture, which question, and who is asked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from rfhosted.explorer import fragments, options
from rfhosted.explorer.widgets import (
    NAMED,
    WIDE,
    Controls,
    button,
    dropdown,
    fraction,
    set_options,
)
from rfhosted.hosted import ApiVersion, Task
from rfhosted.images.samples import sample_names

if TYPE_CHECKING:
    from rfhosted.explorer.state import ExplorerState

_TASKS = [(task.replace("-", " ").capitalize(), task) for task in Task]
_VERSIONS = [("V2 (recommended)", ApiVersion.V2), ("v1 (legacy)", ApiVersion.V1)]
#: Megabytes that a notebook server's connection takes at once, as Jupyter comes.
_UPLOAD_LIMIT = 10


class ImagePicker(Controls):
    """Thumbnails of the samples, a path or an address, an upload."""

    def __init__(self, state: ExplorerState) -> None:
        super().__init__(state)
        thumbs = [self._thumb(name) for name in sample_names()]
        self.path = widgets.Text(
            description="Path or URL",
            placeholder="photos/dog.jpg, then Enter",
            tooltip="A file beside the kernel, or an http(s) address",
            continuous_update=False,
            style=NAMED,
            layout=WIDE,
        )
        self.upload = widgets.FileUpload(
            accept="image/*",
            description=f"Upload (up to {_UPLOAD_LIMIT} MB)",
            tooltip="Send a file from this computer to the kernel",
            layout=widgets.Layout(width="auto"),
        )
        hint = (
            f"Picked a file and nothing happens? It is over {_UPLOAD_LIMIT} MB, which the"
            " notebook's connection drops without a message: copy it beside the notebook and"
            " write its path."
        )
        self.chosen = widgets.HTML()
        self.widget = widgets.VBox(
            [
                widgets.HTML(fragments.heading("SourceImage")),
                widgets.HBox(thumbs, layout=widgets.Layout(width="98%")),
                self.path,
                self.upload,
                widgets.HTML(fragments.small(hint)),
                self.chosen,
            ]
        )
        self.on(self.path, self._take_path)
        self.on(self.upload, self._take_upload)

    def _thumb(self, name: str) -> Any:
        take = partial(self.state.choose_sample, name)
        press = button(self.state, name, f"Take the sample {name}", take)
        press.layout = widgets.Layout(width="98%", padding="0", margin="2px 0")
        press.style.font_size = "10px"
        column = widgets.Layout(flex="1 1 0", min_width="0", align_items="center")
        return widgets.VBox([widgets.HTML(fragments.thumbnail(name)), press], layout=column)

    def _take_path(self, path: str) -> None:
        if path.strip():
            self.state.choose(path.strip())

    def _take_upload(self, files: Any) -> None:
        if files:
            content, name = bytes(files[0]["content"]), files[0]["name"]
            with self.quietly():
                self.upload.value = ()  # the bytes must not stay in the widget's saved state
            self.state.choose(content, name)

    def refresh(self, event: str) -> None:
        """Show what changed."""
        if event == "image" and self.state.source:
            with self.quietly():
                self.path.value = ""  # or the same address could not be entered again
            source = self.state.source
            width, height = source.source_image.size
            self.chosen.value = fragments.small(f"Now: {source.title}, {width} x {height} pixels")


class QuestionControls(Controls):
    """Task, version, model, size: what needs a request; and the buttons that send one."""

    def __init__(self, state: ExplorerState) -> None:
        super().__init__(state)
        self.task = dropdown("Task type", _TASKS, "What the model is to answer")
        self.version = widgets.RadioButtons(
            options=_VERSIONS, description="API version", style=NAMED, tooltip="v1 or V2"
        )
        self.why_not_v1 = widgets.HTML()
        self.model = dropdown("Model", [("default", "")], "Models that serve the task")
        self.model_id = widgets.Text(
            description="or a model id",
            placeholder="my-project/3, then Enter",
            tooltip="project/version, workspace/slug or a public name",
            continuous_update=False,
            style=NAMED,
            layout=WIDE,
        )
        self.image_size = dropdown(
            "Image size", options.sizes(None), "Longest side that is sent; never enlarged"
        )
        self.overlap = fraction(
            "Overlap (IoU)", "Largest IoU of two boxes of one class; asks again"
        )
        self.plan = widgets.HTML()
        self.run = button(state, "Run", "Send the picture", state.run)
        self.run.button_style = "primary"
        self.cancel = button(state, "Cancel", "Stop what runs", state.cancel)
        self.auto = widgets.Checkbox(
            description="Run on every change",
            indent=False,
            tooltip="Only where no call spends credits",
            layout=widgets.Layout(width="auto"),
        )
        self.key = widgets.Password(
            description="API key",
            placeholder="then Enter",
            tooltip="Kept in this kernel's memory alone",
            continuous_update=False,
            style=NAMED,
            layout=WIDE,
        )
        self.key_state = widgets.HTML()
        self.widget = widgets.VBox(
            [
                widgets.HTML(fragments.heading("Question")),
                *(self.task, self.version, self.why_not_v1, self.model, self.model_id),
                *(self.image_size, self.overlap, self.plan),
                widgets.HBox([self.run, self.cancel]),
                *(self.auto, self.key, self.key_state),
            ]
        )
        self.on(self.task, lambda task: state.ask(task=task))
        self.on(self.version, lambda version: state.ask(api_version=version))
        self.on(self.model, lambda model: state.ask(model=model or None))
        self.on(self.model_id, self._take_model_id)
        self.on(self.image_size, lambda size: state.ask(image_size=size or None))
        self.on(self.overlap, lambda overlap: state.ask(overlap=overlap))
        self.on(self.auto, lambda auto: state.set_auto(auto=auto))
        self.on(self.key, self._take_key)
        self.refresh_all()

    def _take_model_id(self, name: str) -> None:
        if name.strip():
            with self.quietly():
                self.model_id.value = ""
            self.state.ask(model=name.strip())

    def _take_key(self, secret: str) -> None:
        if secret.strip():
            with self.quietly():
                self.key.value = ""  # a widget's value is written into saved notebooks
            self.state.set_key(secret.strip())

    def refresh(self, event: str) -> None:
        """Show what changed."""
        if event in ("image", "question", "key"):
            self.refresh_all()
        elif event in ("plan", "activity"):
            self._refresh_plan()

    def refresh_all(self) -> None:
        """Show the whole question."""
        state, asked = self.state, self.state.question
        no_v1 = state.why_not(ApiVersion.V1)
        models = options.models(asked.task, state.client)
        if asked.model and asked.model not in [name for _, name in models]:
            models.insert(0, (f"Typed: {asked.model}", asked.model))
        sizes = options.sizes(state.source.source_image.size if state.source else None)
        size = asked.image_size or ""
        if size not in [known for _, known in sizes]:
            sizes.append((f"{size} px", size))
        with self.quietly():
            self.task.value = asked.task
            self.version.value = asked.api_version
            self.version.disabled = bool(no_v1)
            # What no version can is said where the request would be.
            alone = no_v1 and no_v1 != state.why_not(ApiVersion.V2)
            self.why_not_v1.value = fragments.small(
                f"v1 cannot: {no_v1}" if alone else fragments.ABOUT_V1
            )
            default = options.default_model(state.client, asked.task, asked.api_version)
            models.insert(0, (f"default: {default}", ""))
            set_options(self.model, models, asked.model or "")
            set_options(self.image_size, sizes, size)
            self.overlap.value = asked.overlap
            self.overlap.disabled = asked.task in fragments.WITHOUT_OVERLAP
            without = "none; this machine's models answer" if state.client.is_local else "none"
            told = "set" if state.client.has_key else without
            self.key_state.value = fragments.small(f"Key: {told}.")
        self._refresh_plan()

    def _refresh_plan(self) -> None:
        state = self.state
        why_not = state.why_not() or (None if state.source else "Choose a picture first.")
        with self.quietly():
            self.plan.value = fragments.budget(state, why_not)
            self.run.disabled = bool(why_not) or state.busy
            self.run.description = "Run (spends credits)" if state.spends_credits else "Run"
            self.cancel.disabled = not state.busy
            self.auto.value = state.auto
            self.auto.disabled = state.spends_credits
