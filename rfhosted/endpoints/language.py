"""Vision-language models, /infer/lmm: PaliGemma, Qwen-VL, SmolVLM2, Moondream2 and others."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfhosted.endpoints import response
from rfhosted.endpoints.image_tasks import parse, unreadable
from rfhosted.endpoints.prompted import merged
from rfhosted.hosted import DEFAULT_IMAGE_SIZE, Task, prompted_family
from rfhosted.outputs.limits import LARGEST_KEPT_TEXT
from rfhosted.outputs.text import printable_lines
from rfhosted.outputs.values import Text, check_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rfhosted.endpoints.image_tasks import Parsed
    from rfhosted.endpoints.prompted import Scale

PATH = "/infer/lmm"
#: Most tokens that a response may have: Florence-2 fails above it.
MOST_NEW_TOKENS = 1024
_CAPTION = "Describe this image."
#: What models write at the end of a text, or before it.
_MARKS = re.compile(r"<\|(?:im_end|endoftext|im_start)\|>|</?s>|<eos>|<bos>|<pad>")


@dataclass(frozen=True, slots=True)
class LanguageCall:
    """A prompt for a vision-language model; see ``florence2.call``."""

    model: str
    prompt: str
    max_new_tokens: int

    path = PATH
    image_size = DEFAULT_IMAGE_SIZE
    confidence = None

    @property
    def family(self) -> str:
        """Its row in ``hosted.PROMPTED_MODELS``; Qwen-VL's for a model that has none."""
        return prompted_family(self.model) or "qwen-vl"

    def check(self, size: tuple[int, int]) -> None:
        """A prompt in words fits every image."""

    def bodies(self, image: dict[str, str], scale: Scale) -> list[dict[str, Any]]:  # noqa: ARG002 - the Protocol's
        """The body of the one request."""
        return [
            {
                "model_id": self.model,
                "image": image,
                "prompt": self.prompt,
                "max_new_tokens": self.max_new_tokens,
            }
        ]

    def read(self, responses: Sequence[Any], scale: Scale) -> Parsed:
        """The text; or detections, which Moondream2 reports instead.

        Raises:
            UnexpectedAnswerError: The response cannot be read.
        """
        (raw,) = responses
        value = raw.get("response") if isinstance(raw, dict) else None
        if value is None and isinstance(raw, dict) and "predictions" in raw:
            parsed = parse(
                raw, Task.OBJECT_DETECTION, image_size=scale.original, sent_size=scale.sent
            )
            return merged(parsed.task, parsed.output, responses, parsed.notes)
        notes = []
        if isinstance(value, dict) and isinstance(value.get("answer"), str):
            if thinking := response.text(value.get("thinking")):
                notes.append(f"The model's reasoning: {thinking}")
            value = value["answer"]
        if not isinstance(value, str):
            raise unreadable(raw, f"response is {response.shown(value)}")
        return merged(Task.TEXT, Text(cleaned(value)), responses, notes)


def call(prompt: Any, model: str, max_new_tokens: int) -> LanguageCall:
    """What is requested of a model; no prompt is a caption.

    Raises:
        ValueError, TypeError: The prompt is empty, or no text.
    """
    if prompt is not None and not isinstance(prompt, str):
        raise TypeError("prompt is one text: 'How many dogs are there?'.")
    if prompt is not None and not prompt.strip():
        raise ValueError("prompt is empty: leave it out for a caption.")
    return LanguageCall(model, prompt or _CAPTION, max_new_tokens)


def check_tokens(max_new_tokens: int) -> None:
    """Refuse a number of tokens that the server would fail on.

    Raises:
        ValueError, TypeError: It is not a whole number from 1 to 1024.
    """
    check_whole("max_new_tokens", max_new_tokens, "tokens", most=MOST_NEW_TOKENS)


def cleaned(text: str) -> str:
    """A text of a model without its marks and without characters that a terminal obeys."""
    return printable_lines(_MARKS.sub("", text[:LARGEST_KEPT_TEXT])).strip()


def unknown(what: str, given: Any, known: Iterable[str]) -> str:
    """The message for a name that does not exist, with the nearest ones that do."""
    names = list(known)
    near = difflib.get_close_matches(str(given).lower(), names, n=3, cutoff=0.4) or names
    return f"{given!r} is no {what}; there is {', '.join(near)}."
