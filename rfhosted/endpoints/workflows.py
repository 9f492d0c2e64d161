"""Workflows: which one is meant, what it is sent, and its outputs by their shape.

Sources: the routes and bodies of roboflow/inference 1.8.3 and docs.roboflow.com, workflows.
"""

from __future__ import annotations

import base64
import difflib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfhosted import hosted
from rfhosted.endpoints import image_tasks, response
from rfhosted.errors import ImageError, UnexpectedAnswerError
from rfhosted.images import sources
from rfhosted.outputs import limits
from rfhosted.outputs.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from rfhosted.endpoints.image_tasks import Parsed
    from rfhosted.endpoints.prompted import Scale
    from rfhosted.hosted import ApiVersion
    from rfhosted.images.sources import SourceImage

#: How deep outputs may be nested, and how many items of a list are read.
_DEEPEST, _MOST_ITEMS = 8, 1_000
_IMAGE_KIND = "image"


@dataclass(frozen=True, slots=True)
class Workflow:
    """Which workflow is meant.

    Attributes:
        name: "workspace/workflow-id", or "inline workflow".
        specification: The definition of an inline workflow; None for a saved one.
    """

    name: str
    specification: Mapping[str, Any] | None = None

    @property
    def path(self) -> str:
        """The route that runs it."""
        if self.specification is not None:
            return "/workflows/run"
        workspace, _, slug = self.name.partition("/")
        return f"/{workspace}/workflows/{slug}"

    @property
    def description_path(self) -> str:
        """The route that describes its inputs and outputs; it runs nothing."""
        if self.specification is not None:
            return "/workflows/describe_interface"
        return f"{self.path}/describe_interface"

    @property
    def common(self) -> dict[str, Any]:
        """The fields of a body that say which workflow it is for."""
        return {} if self.specification is None else {"specification": self.specification}


@dataclass(frozen=True, slots=True)
class Interface:
    """The inputs and outputs of a workflow.

    Attributes:
        images: Names of the image inputs.
        parameters: Name of each parameter and the kinds that it takes: "float_zero_to_one".
        outputs: Name of each output and its kinds.
    """

    images: tuple[str, ...]
    parameters: dict[str, tuple[str, ...]]
    outputs: dict[str, tuple[str, ...]]


def find(workflow: str | Mapping[str, Any]) -> Workflow:
    """The workflow of an id, an address or a definition.

    Args:
        workflow: "workspace/workflow-id", the address of its page in the app, or an inline
            definition.

    Raises:
        ValueError: A text that is neither; it is not repeated, because it may hold a key.
        TypeError: Neither a text nor a definition.
    """
    if not isinstance(workflow, str):
        try:
            return Workflow("inline workflow", json.loads(json.dumps(dict(workflow))))
        except (TypeError, ValueError):
            raise TypeError(
                "workflow is 'workspace/workflow-id', the address of its page, or its definition"
                " as a dict that JSON can hold."
            ) from None
    text = re.split(r"[?#]", workflow.strip())[0].rstrip("/")
    if "roboflow." in text:
        text = re.sub(r"^(?:https?://)?[^/]*/", "", text)
    parts = [part for part in text.split("/") if part]
    if len(parts) > 2 and parts[1] == "workflows":
        parts = [parts[0], parts[-1]]
    if len(parts) != 2 or not all(re.fullmatch(r"[\w.-]*\w[\w.-]*", part) for part in parts):
        raise ValueError(
            "workflow must look like 'workspace/workflow-id': both are in the address of the"
            " workflow's page in the app."
        )
    return Workflow("/".join(parts))


def read_interface(raw: Any) -> Interface:
    """The description of a workflow.

    Raises:
        UnexpectedAnswerError: It has no inputs or outputs.
    """
    inputs, outputs = (_kinds_by_name(raw, name) for name in ("inputs", "outputs"))
    images = tuple(name for name, kinds in inputs.items() if _IMAGE_KIND in kinds)
    parameters = {name: kinds for name, kinds in inputs.items() if name not in images}
    return Interface(images, parameters, outputs)


def _kinds_by_name(raw: Any, field: str) -> dict[str, tuple[str, ...]]:
    found = raw.get(field) if isinstance(raw, dict) else None
    if not isinstance(found, dict):
        raise UnexpectedAnswerError(f"The description of the workflow has no {field}", raw=raw)
    return {one_line(name): _kinds(kinds) for name, kinds in found.items()}


def _kinds(kinds: Any) -> tuple[str, ...]:
    if isinstance(kinds, dict):  # an output with several parts
        return tuple(map(str, kinds))
    return tuple(map(str, kinds)) if isinstance(kinds, list) else ()


def check_names(given: Collection[str], known: Collection[str], what: str) -> None:
    """Refuse a name that the workflow does not have: the server would ignore it.

    Raises:
        ValueError: With the nearest name that it has.
    """
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(known) or 'none'}."
            raise ValueError(f"The workflow has no {what} {name!r}. {hint}")


def excluded(outputs: Collection[str] | None, known: Collection[str]) -> list[str]:
    """The outputs to leave out of the response, where only some are wanted."""
    return [] if outputs is None else [name for name in known if name not in outputs]


def image_budget(version: ApiVersion, body: Mapping[str, Any]) -> int:
    """Bytes that the image file may have beside the rest of a body."""
    limit = hosted.REQUEST_LIMITS[version] - hosted.HEAD_ROOM
    return (limit - len(json.dumps(body)) - 512) * 3 // 4  # base64: four bytes for three


def encoded(content: bytes) -> dict[str, str]:
    """An image file as an input."""
    return {"type": "base64", "value": base64.b64encode(content).decode("ascii")}


def outputs_of(raw: Any) -> dict[str, Any]:
    """The outputs of the one image that was sent.

    Raises:
        UnexpectedAnswerError: There are none.
    """
    outputs = raw.get("outputs") if isinstance(raw, dict) else None
    if not isinstance(outputs, list) or len(outputs) != 1 or not isinstance(outputs[0], dict):
        raise UnexpectedAnswerError(
            "The response has no outputs for one image", raw=raw, status=200
        )
    return outputs[0]


def read_value(
    value: Any, scale: Scale | None, prediction: Callable[[Parsed, Any], Any], depth: int = 0
) -> Any:
    """An output by its shape; what is not recognised stays JSON.

    Args:
        value: The JSON.
        scale: From the original image to the one that was sent; None where none was.
        prediction: Makes a prediction of what was read.
        depth: How deep the value stands.
    """
    if depth < _DEEPEST and isinstance(value, list):
        return [read_value(item, scale, prediction, depth + 1) for item in value[:_MOST_ITEMS]]
    if not isinstance(value, dict) or depth >= _DEEPEST:
        return value
    if value.get("type") == "base64" and isinstance(value.get("value"), str):
        return _image(value)
    if scale and "predictions" in value and "image" in value:
        try:
            moved = _in_image(value, scale)
            parsed = image_tasks.parse(moved, None, image_size=scale.original, sent_size=scale.sent)
        except UnexpectedAnswerError:
            return value
        return prediction(parsed, value)
    return {name: read_value(item, scale, prediction, depth + 1) for name, item in value.items()}


def _image(value: dict[str, Any]) -> Any:
    text = value["value"].partition("base64,")[2] or value["value"]
    try:
        source: SourceImage = sources.load(base64.b64decode(text))
    except (ValueError, ImageError):
        return value
    return source.full


def _in_image(raw: dict[str, Any], scale: Scale) -> dict[str, Any]:
    """Predictions with coordinates of the image: those found on a crop are moved."""
    rows = raw["predictions"]
    if not isinstance(rows, list):
        return raw
    on_crops = [row for row in rows if isinstance(row, dict) and "root_parent_origin" in row]
    masks = [_with_rle(row) for row in rows]
    if not on_crops:
        return raw | {"predictions": masks}
    size = {"width": scale.sent[0], "height": scale.sent[1]}
    return raw | {"image": size, "predictions": [_moved(row) for row in masks]}


def _with_rle(row: Any) -> Any:
    """A row with its mask under the name that the image tasks use."""
    if isinstance(row, dict) and "rle_mask" in row and "rle" not in row:
        return row | {"rle": row["rle_mask"]}
    return row


def _moved(row: Any) -> Any:
    origin = row.get("root_parent_origin") if isinstance(row, dict) else None
    if not isinstance(origin, dict):
        return row
    across, down = (response.finite(origin.get(name)) or 0.0 for name in ("offset_x", "offset_y"))
    if max(abs(across), abs(down)) > limits.FARTHEST_COORDINATE:
        return row

    def shifted(item: Any) -> Any:
        x, y = (response.finite(item.get(name)) for name in ("x", "y"))
        return item if x is None or y is None else item | {"x": x + across, "y": y + down}

    # The grid of an RLE covers the crop, not the image: it cannot be moved.
    kept = {name: value for name, value in row.items() if name not in ("rle", "rle_mask")}
    for name in ("points", "keypoints"):
        if isinstance(kept.get(name), list):
            kept[name] = [shifted(p) if isinstance(p, dict) else p for p in kept[name]]
    return shifted(kept)
