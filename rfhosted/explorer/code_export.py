"""Code that gives exactly the shown result: Python for rfhosted, and a shell command with curl.

Text only: nothing is sent or read, and no API key is known in this module.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from rfhosted.endpoints.call import Call
from rfhosted.endpoints.prompted import PreparedPrompts
from rfhosted.explorer.options import task_of
from rfhosted.hosted import ApiVersion, Region, Task
from rfhosted.images.sources import is_url
from rfhosted.keys import KEY_NAME
from rfhosted.transport.request import PART_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rfhosted.client import Client
    from rfhosted.endpoints.call import Prepared
    from rfhosted.explorer.settings import Display, Response, Source

#: Where ``python -m rfhosted.local`` listens. The embedded server ends with its process, so its
#: address cannot be exported.
LOCAL_ADDRESS = "http://127.0.0.1:9001"
_LONGEST_LINE = 88


def code_for(response: Response, display: Display) -> tuple[str, str]:
    """Python, and a shell command with curl, for the response as it is displayed."""
    client, source, prepared = response.client, response.source, response.prepared
    filters = display.filters(response.prediction)
    if isinstance(prepared, PreparedPrompts):
        return _prompted_python(response, filters), _prompted_curl(response, prepared)
    # The default model is named: with another API key it may be another one.
    call = replace(prepared.call, model=response.call.model or prepared.route.name)
    python = python_code(client, source, call, filters)
    return python, curl_command(client, source, replace(prepared, call=call), filters)


def python_code(
    client: Client, source: Source, call: Call, filters: Mapping[str, Any] | None = None
) -> str:
    """Python that gives the result; default values are left out. See ``Display.filters``."""
    requested = call.confidence or 0
    return _python(
        client, source, "predict", _call_arguments(call), requested=requested, filters=filters
    )


def _python(
    client: Client,
    source: Source,
    verb: str,
    arguments: list[str],
    *,
    requested: float,
    filters: Mapping[str, Any] | None,
) -> str:
    """Python that calls a method of ``Client``; ``requested`` is the confidence of the request."""
    lines = ["import rfhosted", ""]
    image, before = _image(source)
    lines[:0] = [line for line in before if line.startswith("from ")]
    lines += [line for line in before if not line.startswith("from ")]
    module = "rfhosted"
    settings = _client_arguments(client)
    if settings or verb != "predict":
        lines.append(_statement("client = rfhosted.Client", settings))
        module = "client"
    lines.append(_statement(f"p = {module}.{verb}", [image, *arguments]))
    if kept := _filter_arguments(requested, filters):
        lines.append(_statement("p = p.filter", kept))
    return "\n".join([*lines, "p"])


def _prompted_python(response: Response, filters: Mapping[str, Any]) -> str:
    prompt, prediction = response.prompt, response.prediction
    if prompt is None:
        raise ValueError("The response is not of a prompted model.")
    given = prompt.arguments(prediction.confidence) | _prompted_settings(response)
    if "confidence" in given:
        given["confidence"] = prediction.confidence
    arguments = [f"{name}={_value(value)}" for name, value in given.items()]
    requested = prediction.confidence
    client, source = response.client, response.source
    return _python(client, source, prompt.verb, arguments, requested=requested, filters=filters)


def _prompted_settings(response: Response) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if response.call.image_size is not None:
        settings["image_size"] = response.call.image_size
    if response.prediction.api_version is not ApiVersion.V2:
        settings["api_version"] = str(response.prediction.api_version)
    return settings


def _prompted_curl(response: Response, prepared: PreparedPrompts) -> str:
    """Lines for a POSIX shell: one writes the bodies of the requests, one sends each."""
    call, client = prepared.call, response.client
    image, before = _image(response.source)
    lines = [line for line in before if line.startswith("#")]
    code = [line for line in before if not line.startswith("#")]
    settings = "".join(f", {k}={_value(v)}" for k, v in _prompted_settings(response).items())
    made = f"rfhosted.Client({', '.join(_client_arguments(client))})"
    code += [
        f"import rfhosted; from {type(call).__module__} import {type(call).__name__}",
        f"rs = {made}.prepare_prompted({image}, {call!r}{settings}).requests",
        '[open(f"rfhosted-body-{i}.json", "wb").write(r.body) for i, r in enumerate(rs)]',
    ]
    if prepared.route.is_local:
        lines.append("# First start the local server: python -m rfhosted.local")
    lines.append(f"python -c {shlex.quote('; '.join(code))}")
    for i, request in enumerate(prepared.requests):
        url, has_key = request.url, client.has_key and not prepared.route.is_local
        if prepared.route.is_local:
            url = LOCAL_ADDRESS + urlsplit(url).path
        query = "?" + urlencode(request.params) if request.params else ""
        parts = [f"curl -sS {shlex.quote(url + query)}"]
        if has_key and request.key_in_header:
            parts.append(f'-H "Authorization: Bearer ${KEY_NAME}"')
        elif has_key:
            parts[0] += f'"{"&" if query else "?"}api_key=${KEY_NAME}"'
        parts += ['-H "Content-Type: application/json"', f"--data-binary @rfhosted-body-{i}.json"]
        lines.append(" \\\n  ".join(parts))
    return "\n".join(lines)


def curl_command(
    client: Client,
    source: Source,
    prepared: Prepared,
    filters: Mapping[str, Any] | None = None,
    *,
    local_address: str = LOCAL_ADDRESS,
) -> str:
    """Lines for a POSIX shell that send the same bytes to the same place; the output is raw JSON.

    Where the image is not sent as the file that it is, a first line writes the file to send.
    The JSON is not filtered; a comment says so.
    """
    lines = []
    url, has_key = prepared.request.url, client.has_key
    if prepared.route.is_local:
        has_key = False
        port = urlsplit(local_address).port
        at = "" if local_address == LOCAL_ADDRESS else f" --port {port}"
        lines.append(f"# First start the local server: python -m rfhosted.local{at}")
        url = local_address + urlsplit(url).path
    if _filter_arguments(prepared.call.confidence or 0, filters):
        lines.append("# The response is not filtered: it has more than the shown result.")
    kind = prepared.upload.format.lower()
    path = os.path.expanduser(source.name)  # noqa: PTH111 - "./" before a name is to stay
    untouched = prepared.upload.quality is None
    if source.kind == "upload" and untouched:
        lines.append(f"# First save the image as {_on_one_line(source.name)}.")
    elif not (untouched and _is_file(source, path)):
        lines += _upload_lines(client, source, prepared.call, path := f"rfhosted-upload.{kind}")
    form = f"{PART_NAME}=@{_form_path(path)};type=image/{kind}"
    parts = [f"curl -sS {shlex.quote(f'{url}?{urlencode(prepared.request.params)}')}"]
    if has_key and prepared.request.key_in_header:
        parts.append(f'-H "Authorization: Bearer ${KEY_NAME}"')
    elif has_key:
        parts[0] += f'"&api_key=${KEY_NAME}"'
    parts.append(f"-F {shlex.quote(form)}")
    return "\n".join([*lines, " \\\n  ".join(parts)])


def _image(source: Source) -> tuple[str, list[str]]:
    """The image as an expression, and the lines before it."""
    name = _text(source.name)
    if source.kind == "sample":
        return f"rfhosted.sample({name})", []
    if source.kind == "upload":
        return name, [f"# First save the image as {_on_one_line(source.name)}."]
    if source.kind == "pixels":
        # A copy is sent as pixels; the opened file itself would be sent as the file that it is.
        remark = f"# First save the image as {_on_one_line(source.name)}, without loss."
        return "image", ["from PIL import Image", remark, f"image = Image.open({name}).copy()"]
    return name, []


def _client_arguments(client: Client) -> list[str]:
    given = {"base_url": client.base_url, "region": str(client.region)}
    defaults = {"base_url": None, "region": Region.US}
    return [f"{name}={_value(value)}" for name, value in given.items() if value != defaults[name]]


def _call_arguments(call: Call) -> list[str]:
    """Arguments of ``predict`` after the image: the model, and what differs from the defaults."""
    assumed = Task.OBJECT_DETECTION if call.model is None else task_of(call.model)
    defaults = {field.name: field.default for field in fields(Call)}
    defaults |= {"task": assumed, "api_version": ApiVersion.V2}
    given = {name: getattr(call, name) for name in defaults}
    model = [] if call.model is None else [_text(given.pop("model"))]
    return model + [
        f"{name}={_value(value)}"
        for name, value in given.items()
        if value is not None and value != defaults[name]
    ]


def _filter_arguments(requested: float, filters: Mapping[str, Any] | None) -> list[str]:
    given = {name: value for name, value in (filters or {}).items() if value is not None}
    if given.get("confidence", 0) <= requested:
        given.pop("confidence", None)
    return [f"{name}={_value(value)}" for name, value in given.items()]


def _is_file(source: Source, path: str) -> bool:
    """Whether the reader has a file of this name that a shell can name."""
    is_path = source.kind == "file" and not is_url(path) and path[:5].lower() != "data:"
    return is_path and not _SURROGATES.search(path)


def _upload_lines(client: Client, source: Source, call: Call, path: str) -> list[str]:
    image, before = _image(source)
    remarks = [line for line in before if line.startswith("#")]
    code = [line for line in before if not line.startswith("#")]
    made = f"rfhosted.Client({', '.join(_client_arguments(client))})"
    prepare = f"{made}.prepare({image}, rfhosted.Call({', '.join(_call_arguments(call))}))"
    code += [f"import rfhosted; open({_text(path)}, {_text('wb')}).write({prepare}.file)"]
    return [*remarks, f"python -c {shlex.quote('; '.join(code))}"]


def _statement(called: str, arguments: list[str]) -> str:
    line = f"{called}({', '.join(arguments)})"
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{called}(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_value, value))})"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return _text(value) if isinstance(value, str) else repr(value)


_SURROGATES = re.compile("[\ud800-\udfff]")


def _text(text: str) -> str:
    """A Python literal in double quotes, which a shell's single quotes can hold."""
    # JSON's escapes are valid in Python too, except for lone surrogates.
    literal = json.dumps(text, ensure_ascii=False)
    return _SURROGATES.sub(lambda half: f"\\u{ord(half[0]):04x}", literal)


def _on_one_line(name: str) -> str:
    """A name inside a comment, without a line break that would end it."""
    return _text(name)[1:-1]


def _form_path(path: str) -> str:
    """A path as curl's -F takes it."""
    if re.fullmatch(r"[^;,\"\\\s-][^;,\"\\\r\n]*", path):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
