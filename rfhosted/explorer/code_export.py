"""The code that gives exactly a result, to take away: Python for rfhosted, and curl.

Text from plain values: nothing is sent or read here, and no key is known here.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode, urlsplit

from rfhosted import hosted
from rfhosted.endpoints.call import LOCAL
from rfhosted.endpoints.routing import resolve
from rfhosted.errors import ModelNotFoundError
from rfhosted.hosted import ApiVersion, Region, Task
from rfhosted.images import sources
from rfhosted.keys import KEY_NAME
from rfhosted.transport import request as wire

if TYPE_CHECKING:
    from rfhosted.endpoints.call import Prepared
    from rfhosted.images.upload import ImageSize

#: Where ``python -m rfhosted.local`` listens. The embedded server of a process dies with it, so
#: that code to take away cannot name its address.
LOCAL_ADDRESS = "http://127.0.0.1:9001"
_LONGEST_LINE = 88

#: What an image is: a path or URL; a sample's name; a file that exists nowhere here (an upload),
#: under its name; pixels (PIL, numpy), under the name of a file to save them to.
Source = Literal["file", "sample", "upload", "pixels"]


@dataclass(frozen=True, slots=True)
class Call:
    """One question and what is shown of its answer, as plain values; None is the default of each.

    Attributes:
        image: Path, URL or name; ``source`` says which.
        source: See ``Source``.
        model: As ``Client.predict`` takes it, as the following are.
        task: See ``model``.
        api_version: See ``model``.
        image_size: See ``model``.
        confidence: What is asked for, fraction in [0, 1].
        overlap: See ``model``.
        base_url: The client's.
        region: The client's.
        shown_confidence: As ``Prediction.filter`` takes it, as the following are.
        classes: See ``shown_confidence``.
        keypoint_confidence: See ``shown_confidence``.
    """

    image: str
    source: Source = "file"
    model: str | None = None
    task: Task | str | None = None
    api_version: ApiVersion | str = ApiVersion.V2
    image_size: ImageSize = None
    confidence: float | None = None
    overlap: float = hosted.DEFAULT_OVERLAP
    base_url: str | None = None
    region: Region | str = Region.US
    shown_confidence: float | None = None
    classes: tuple[str, ...] | None = None
    keypoint_confidence: float | None = None


def python_code(call: Call) -> str:
    """Python that gives the result: what is the default is left out.

    Args:
        call: The question.
    """
    lines = ["import rfhosted", ""]
    image, before = _image(call)
    lines[:0] = [line for line in before if line.startswith("from ")]
    lines += [line for line in before if not line.startswith("from ")]
    asker = "rfhosted"
    if client := _client_arguments(call):
        lines.append(_python("client = rfhosted.Client", client))
        asker = "client"
    lines.append(_python(f"p = {asker}.predict", [image, *_arguments(call)]))
    if shown := _filter_arguments(call):
        lines.append(_python("p = p.filter", shown))
    return "\n".join([*lines, "p"])


def curl_command(
    prepared: Prepared,
    call: Call,
    *,
    has_key: bool = True,
    local_address: str = LOCAL_ADDRESS,
) -> str:
    """Lines for a POSIX shell that send the same bytes to the same place.

    Where the picture does not go as the file that it is, a first line makes the file that goes.
    The answer is the raw JSON: what ``Prediction.filter`` leaves out is in it.

    Args:
        prepared: What ``Client.prepare`` made of the question.
        call: The question.
        has_key: Whether a key is sent, from the shell's ``$ROBOFLOW_API_KEY``.
        local_address: Where the models of this machine will be served.
    """
    lines = []
    url = prepared.request.url
    if prepared.route.host == LOCAL:
        has_key = False
        port = urlsplit(local_address).port
        at = "" if local_address == LOCAL_ADDRESS else f" --port {port}"
        lines.append(f"# Serve the models of this machine first: python -m rfhosted.local{at}")
        url = local_address + urlsplit(url).path
    if _filter_arguments(call):
        lines.append("# The answer holds more than was shown: it is not filtered.")
    kind = prepared.upload.format.lower()
    path = os.path.expanduser(call.image)  # noqa: PTH111 - "./" before a name is to stay
    if call.source == "upload" and _goes_untouched(prepared):
        lines.append(f"# First save the picture as {_on_one_line(call.image)}.")
    elif not _is_sent_itself(prepared, call, path):
        lines += _lines_that_make_the_file(call, path := f"rfhosted-upload.{kind}")
    form = f"{wire.PART_NAME}=@{_for_a_form(path)};type=image/{kind}"
    question = shlex.quote(f"{url}?{urlencode(prepared.request.params)}")
    parts = [f"curl -sS {question}"]
    if has_key and prepared.request.key_in_header:
        parts.append(f'-H "Authorization: Bearer ${KEY_NAME}"')
    elif has_key:
        parts[0] += f'"&api_key=${KEY_NAME}"'
    parts.append(f"-F {shlex.quote(form)}")
    return "\n".join([*lines, " \\\n  ".join(parts)])


def _image(call: Call) -> tuple[str, list[str]]:
    """The image as an expression, and the lines that it needs before."""
    name = _text(call.image)
    if call.source == "sample":
        return f"rfhosted.sample({name})", []
    if call.source == "upload":
        return name, [f"# First save the picture as {_on_one_line(call.image)}."]
    if call.source == "pixels":
        # A copy is pixels for rfhosted; the opened file itself would be sent as the file it is.
        remark = f"# First save the picture as {_on_one_line(call.image)}, without loss."
        return "image", ["from PIL import Image", remark, f"image = Image.open({name}).copy()"]
    return name, []


def _client_arguments(call: Call) -> list[str]:
    arguments = []
    if call.base_url is not None:
        arguments.append(f"base_url={_text(call.base_url)}")
    if call.region != Region.US:
        arguments.append(f"region={_text(str(call.region))}")
    return arguments


def _arguments(call: Call) -> list[str]:
    """Of ``predict`` or ``prepare``, after the image."""
    arguments = [] if call.model is None else [_text(call.model)]
    named: dict[str, Any] = {}
    if call.task is not None and _task_of(call.model) != call.task:
        named["task"] = str(call.task)
    if call.api_version != ApiVersion.V2:
        named["api_version"] = str(call.api_version)
    if call.image_size is not None:
        named["image_size"] = call.image_size
    if call.confidence is not None:
        named["confidence"] = call.confidence
    if call.overlap != hosted.DEFAULT_OVERLAP:
        named["overlap"] = call.overlap
    return arguments + [f"{name}={_value(value)}" for name, value in named.items()]


def _filter_arguments(call: Call) -> list[str]:
    arguments = []
    if call.shown_confidence is not None and call.shown_confidence > _asked_confidence(call):
        arguments.append(f"confidence={_value(call.shown_confidence)}")
    if call.classes is not None:
        arguments.append(f"classes=[{', '.join(map(_text, call.classes))}]")
    if call.keypoint_confidence is not None:
        arguments.append(f"keypoint_confidence={_value(call.keypoint_confidence)}")
    return arguments


def _task_of(model: str | None) -> Task | None:
    """The task that is meant where nobody names one; None where the answer will tell."""
    if model is None:
        return Task.OBJECT_DETECTION
    try:
        return hosted.task_of(resolve(model.strip()))
    except ModelNotFoundError:
        return None


def _asked_confidence(call: Call) -> float:
    """The threshold of the question, as ``Client.prepare`` settles it."""
    if call.confidence is not None:
        return call.confidence
    task = call.task or _task_of(call.model)
    return 0.0 if task == Task.CLASSIFICATION else hosted.DEFAULT_CONFIDENCE


def _goes_untouched(prepared: Prepared) -> bool:
    return prepared.upload.quality is None


def _is_sent_itself(prepared: Prepared, call: Call, path: str) -> bool:
    """Whether the file that the reader has is the file that goes."""
    is_path = call.source == "file" and not sources.is_url(path) and path[:5].lower() != "data:"
    return is_path and _goes_untouched(prepared) and not _SURROGATES.search(path)


def _lines_that_make_the_file(call: Call, path: str) -> list[str]:
    image, before = _image(call)
    remarks = [line for line in before if line.startswith("#")]
    code = [line for line in before if not line.startswith("#")]
    client = f"rfhosted.Client({', '.join(_client_arguments(call))})"
    prepare = f"{client}.prepare({image}, rfhosted.Call({', '.join(_arguments(call))}))"
    code += [f"import rfhosted; open({_text(path)}, {_text('wb')}).write({prepare}.file)"]
    return [*remarks, f"python -c {shlex.quote('; '.join(code))}"]


def _python(called: str, arguments: list[str]) -> str:
    line = f"{called}({', '.join(arguments)})"
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{called}(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"


def _value(value: Any) -> str:
    return _text(value) if isinstance(value, str) else repr(value)


_SURROGATES = re.compile("[\ud800-\udfff]")


def _text(text: str) -> str:
    """A Python literal in double quotes, so that a shell's single quotes can hold it unharmed."""
    # JSON's escapes are Python's too, but for characters that are no characters.
    literal = json.dumps(text, ensure_ascii=False)
    return _SURROGATES.sub(lambda half: f"\\u{ord(half[0]):04x}", literal)


def _on_one_line(name: str) -> str:
    """A name within a comment, which must not end before it does."""
    return _text(name)[1:-1]


def _for_a_form(path: str) -> str:
    """A path as curl's -F takes it."""
    if re.fullmatch(r"[^;,\"\\\s-][^;,\"\\\r\n]*", path):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
