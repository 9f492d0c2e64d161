"""The routes of prompted models, as far as the local models can stand behind them.

Shapes, statuses and words are those of roboflow/inference 1.8.3. What the local models cannot do is
refused with status 501 and the name of what could. Every response says in ``derived`` what made it:
nothing here passes for SAM 3, YOLO-World or Florence-2.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
import uuid
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rfhosted.local import grabcut, onnx_models, postprocess
from rfhosted.local.errors import BadImageError, RefusedError
from rfhosted.local.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfhosted.local.request_image import DecodedImage

_DETECTED = "Made by the local detector of COCO's 80 classes, not {}."
_GRABCUT = "Made by GrabCut, started from a saliency model, not {}."
_ELSEWHERE = "Use the hosted API with a key, or a server of your own that has the model."

#: The key of a workspace without a credit plan, so that its error can be taught.
LEGACY_KEY = "legacy-workspace"
NO_CREDITS = (
    "Not enough credits to perform this request. Verify your workspace billing page."  # for both
)


class _Image(BaseModel):
    type: Literal["base64"]
    value: str


class _Box(BaseModel):
    x: float
    y: float
    width: float
    height: float


class _Point(BaseModel):
    x: float
    y: float
    positive: bool


class _Body(BaseModel):
    model_config = ConfigDict(protected_namespaces=())  # else pydantic warns of model_id

    image: _Image


class _ConceptPrompt(BaseModel):
    type: Literal["text", "visual"] = "text"
    text: str | None = None
    boxes: list[dict[str, float]] | None = None
    output_prob_thresh: float | None = Field(None, ge=0, le=1)


class ConceptBody(_Body):
    """A request of ``/sam3/concept_segment``."""

    prompts: list[_ConceptPrompt] = Field(min_length=1, max_length=16)
    format: str = "polygon"
    output_prob_thresh: float = 0.5
    nms_iou_threshold: float | None = Field(None, ge=0, le=1)


class _VisualPrompt(BaseModel):
    points: list[_Point] | None = None
    box: _Box | None = None


class _VisualPrompts(BaseModel):
    prompts: list[_VisualPrompt]


class VisualBody(_Body):
    """A request of ``/sam3/visual_segment`` or ``/sam2/segment_image``."""

    prompts: _VisualPrompts | list[_VisualPrompt] | _VisualPrompt
    format: str = "json"

    def each(self) -> list[_VisualPrompt]:
        """The prompts, in whichever of the three forms they came."""
        if isinstance(self.prompts, _VisualPrompts):
            return self.prompts.prompts
        return [self.prompts] if isinstance(self.prompts, _VisualPrompt) else self.prompts


class NamesBody(_Body):
    """A request of ``/yolo_world/infer``."""

    text: list[str]
    confidence: float = 0.4


class LanguageBody(_Body):
    """A request of ``/infer/lmm``."""

    model_id: str
    prompt: str | None = None


def image_bytes(body: _Body) -> bytes:
    """The encoded image of a request.

    Raises:
        BadImageError: It is not base64.
    """
    try:
        return base64.b64decode(body.image.value.partition("base64,")[2] or body.image.value)
    except (binascii.Error, ValueError):
        raise BadImageError("Malformed base64 input image.") from None


def read(kind: type[_Body], body: bytes) -> Any:
    """Check a body.

    Raises:
        RefusedError: Status 422, with every value that cannot be read.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
    detail = [problem | {"loc": ["body", *problem["loc"]]} for problem in problems]
    raise RefusedError(422, json.loads(json.dumps(detail, default=str)), "detail")


def _found(image: DecodedImage, names: list[str], confidence: float, who: str) -> list[Any]:
    """Detections whose class is one of ``names``, each with its place among them.

    Raises:
        RefusedError: Status 501: the detector does not know a name.
    """
    known = onnx_models.labels("coco")
    wanted = {name.strip().lower(): place for place, name in enumerate(names)}
    if unknown := [name for name in wanted if name not in known]:
        raise RefusedError(
            501,
            f"The local server has a detector of COCO's 80 classes, not {who}, and"
            f" {unknown[0][:40]!r} is none of them. {_ELSEWHERE}",
        )
    parameters = Parameters(confidence=min(max(confidence, 0.01), 0.99))
    return [
        (item, box, wanted[item["class"]])
        for item, box in postprocess.detected(image.rgb, parameters)
        if item["class"] in wanted
    ]


def concept_segment(image: DecodedImage, body: ConceptBody) -> dict[str, Any]:
    """Text prompts: the detector's objects, masks as instance segmentation derives them."""
    if any(prompt.boxes or not prompt.text for prompt in body.prompts):
        raise RefusedError(501, f"Examples need SAM 3, which is not local. {_ELSEWHERE}")
    results: list[dict[str, Any]] = []
    masks = None
    for place, prompt in enumerate(body.prompts):
        confidence = prompt.output_prob_thresh or body.output_prob_thresh or 0.5
        found = _found(image, [prompt.text or ""], confidence, "SAM 3")
        predictions = []
        for item, box, _ in found[: postprocess.MOST_REFINED]:
            masks = masks or postprocess.DerivedMasks(image.rgb)
            mask = masks.mask(box, item["class"])
            predictions.append(_segment(image, mask, item["confidence"], body.format))
        echo = {"prompt_index": place, "type": prompt.type, "text": prompt.text, "num_boxes": 0}
        results.append({"prompt_index": place, "echo": echo, "predictions": predictions})
    return {"prompt_results": results, "derived": _DETECTED.format("SAM 3")}


def visual_segment(image: DecodedImage, body: VisualBody, who: str = "SAM 3") -> dict[str, Any]:
    """Points and boxes: GrabCut."""
    across = image.rgb.shape[1] / image.size[0]
    down = image.rgb.shape[0] / image.size[1]
    predictions = []
    for prompt in body.each():
        box = None
        if prompt.box:  # its x and y are the centre
            x, y, width, height = (getattr(prompt.box, n) for n in ("x", "y", "width", "height"))
            box = (
                (x - width / 2) * across,
                (y - height / 2) * down,
                (x + width / 2) * across,
                (y + height / 2) * down,
            )
        points = [(p.x * across, p.y * down, p.positive) for p in prompt.points or ()]
        if box is None and not points:
            raise RefusedError(
                501, f"Without a prompt the local server finds no mask. {_ELSEWHERE}"
            )
        mask, confidence = grabcut.segment(image.rgb, points, box)
        predictions.append(_segment(image, mask, confidence, body.format))
    return {"predictions": predictions, "derived": _GRABCUT.format(who)}


def sam2(image: DecodedImage, body: VisualBody) -> dict[str, Any]:
    """The same by SAM 2's route."""
    return visual_segment(image, body, "SAM 2")


def _segment(image: DecodedImage, mask: Any, confidence: float, form: str) -> dict[str, Any]:
    fields = postprocess.mask_fields(mask, image, "rle" if form == "rle" else "polygon")
    if form == "rle":
        return {"masks": fields["rle"], "confidence": confidence, "format": "rle"}
    across = image.size[0] / image.rgb.shape[1]
    down = image.size[1] / image.rgb.shape[0]
    outline = [[round(p["x"] * across), round(p["y"] * down)] for p in fields["points"]]
    return {"masks": [outline], "confidence": confidence, "format": "polygon"}


def yolo_world(image: DecodedImage, body: NamesBody) -> dict[str, Any]:
    """Names among the detector's classes."""
    found = _found(image, body.text, body.confidence, "YOLO-World")
    predictions = [item | {"class_id": place} for item, _, place in found]
    image.to_full_size(predictions)
    return {
        "image": {"width": image.size[0], "height": image.size[1]},
        "predictions": predictions,
        "derived": _DETECTED.format("YOLO-World"),
    }


def language(image: DecodedImage, body: LanguageBody) -> dict[str, Any]:
    """Florence-2's object detection, by the detector; nothing else."""
    if not body.model_id.startswith("florence-2") or (body.prompt or "").strip() != "<OD>":
        raise RefusedError(
            501,
            "The local server has no vision-language model: of Florence-2's tasks it has"
            f" object-detection only. {_ELSEWHERE}",
        )
    predictions = [item for item, _ in postprocess.detected(image.rgb, Parameters(confidence=0.4))]
    image.to_full_size(predictions)
    boxes = [
        [
            round(p["x"] - p["width"] / 2),
            round(p["y"] - p["height"] / 2),
            round(p["x"] + p["width"] / 2),
            round(p["y"] + p["height"] / 2),
        ]
        for p in predictions
    ]
    return {
        "response": {"<OD>": {"bboxes": boxes, "labels": [p["class"] for p in predictions]}},
        "image": {"width": image.size[0], "height": image.size[1]},
        "inference_id": str(uuid.uuid4()),
        "derived": _DETECTED.format("Florence-2"),
    }


#: Path -> the body that it takes, and what responds; on V2 all, on v1 as the last field says.
ROUTES: dict[str, tuple[type[_Body], Callable[[DecodedImage, Any], dict[str, Any]], bool]] = {
    "/sam3/concept_segment": (ConceptBody, concept_segment, False),
    "/sam3/visual_segment": (VisualBody, visual_segment, False),
    "/sam2/segment_image": (VisualBody, sam2, False),
    "/yolo_world/infer": (NamesBody, yolo_world, True),
    "/infer/lmm": (LanguageBody, language, False),
}
_OCR = f"The local server reads no text. {_ELSEWHERE}"
#: Path -> why it is refused.
REFUSED = {
    "/clip/compare": f"CLIP is not among the local models. {_ELSEWHERE}",
    "/ocr/pp-ocr": _OCR,
    "/ocr/trocr": _OCR,
    "/easy_ocr/ocr": _OCR,
    "/doctr/ocr": _OCR,
}


def respond(path: str, image: DecodedImage, body: Any) -> dict[str, Any]:
    """The response of a route."""
    began = time.perf_counter()
    result = ROUTES[path][1](image, body)
    local = {"model_id": "local", "model_package_id": "", "backend": "onnx", "quantization": "fp32"}
    return result | {"time": time.perf_counter() - began, "resolved_model": local}
