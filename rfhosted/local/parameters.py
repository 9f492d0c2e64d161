"""Query parameters by the real server's rules, and its 422 bodies where they are broken.

Names, defaults and order are those of the legacy route of roboflow/inference 1.8.3; the bodies are
what its validation (pydantic) writes. Parameters that are not here are ignored, as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfhosted.hosted import DEFAULT_CONFIDENCE, DEFAULT_OVERLAP
from rfhosted.local.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LEAST_CONFIDENCE = 0.01
_NAMED_CONFIDENCE = ("best", "default")
_BOOLEANS = dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True) | dict.fromkeys(
    ("false", "0", "no", "off", "f", "n"), False
)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What one request asks for; thresholds are fractions, as the models take them.

    Attributes:
        confidence: None for "best" and "default": the model's own threshold.
    """

    confidence: float | None
    overlap: float
    max_detections: int
    format: str
    labels: bool
    stroke: int
    image: str | None
    image_type: str
    response_mask_format: str
    disable_preproc_auto_orient: bool
    mask_decode_mode: str
    tradeoff_factor: float


def read_parameters(query: Mapping[str, str]) -> Parameters:
    """Check and convert a query.

    Raises:
        RefusedError: Values that cannot be read, all of them at once.
    """
    values: dict[str, Any] = {}
    detail: list[dict[str, Any]] = []
    for name, (default, convert) in _RULES.items():
        try:
            values[name] = convert(query[name]) if name in query else default
        except ValueError as error:
            problems = error.args[0]
            for kind, message, place, context in problems:
                location = ["query", name, *place]
                problem = {"type": kind, "loc": location, "msg": message, "input": query[name]}
                detail.append(problem | ({"ctx": context} if context else {}))
    if detail:
        raise RefusedError(422, detail, "detail")
    del values["keypoint_confidence"]  # checked, and without effect on the real server too
    if values["confidence"] is not None:
        values["confidence"] = max(_LEAST_CONFIDENCE, _fraction(values["confidence"]))
    values["overlap"] = _fraction(values["overlap"])
    return Parameters(**values)


def _fraction(value: float) -> float:
    return value / 100 if value >= 1 else value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        message = "Input should be a valid number, unable to parse string as a number"
        raise ValueError([("float_parsing", message, (), None)]) from None


def _whole(text: str) -> int:
    try:
        return int(text.removesuffix(".0"))
    except ValueError:
        message = "Input should be a valid integer, unable to parse string as an integer"
        raise ValueError([("int_parsing", message, (), None)]) from None


def _boolean(text: str) -> bool:
    if text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    message = "Input should be a valid boolean, unable to interpret input"
    raise ValueError([("bool_parsing", message, (), None)])


def _literal(*allowed: str) -> Callable[[str], str]:
    expected = " or ".join(f"'{word}'" for word in allowed)

    def convert(text: str) -> str:
        if text in allowed:
            return text
        message = f"Input should be {expected}"
        raise ValueError([("literal_error", message, (), {"expected": expected})])

    return convert


def _threshold(text: str) -> float | None:
    if text in _NAMED_CONFIDENCE:
        return None
    try:
        return _number(text)
    except ValueError as error:
        [(kind, message, _, _)] = error.args[0]
    words = "'best' or 'default'"
    raise ValueError(
        [
            (kind, message, ("float",), None),
            (
                "literal_error",
                f"Input should be {words}",
                ("literal['best','default']",),
                {"expected": words},
            ),
        ]
    )


_RULES: dict[str, tuple[Any, Callable[[str], Any]]] = {
    "confidence": (DEFAULT_CONFIDENCE, _threshold),
    "keypoint_confidence": (0.0, _number),
    "format": ("json", str),
    "image": (None, str),
    "image_type": ("base64", str),
    "labels": (False, _boolean),
    "mask_decode_mode": ("accurate", str),
    "tradeoff_factor": (0.0, _number),
    "disable_preproc_auto_orient": (False, _boolean),
    "max_detections": (300, _whole),
    "overlap": (DEFAULT_OVERLAP, _number),
    "stroke": (1, _whole),
    "response_mask_format": ("polygon", _literal("polygon", "rle")),
}
