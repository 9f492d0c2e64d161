"""One exception type for each thing that a user can do about a failure.

HostedError
├── AuthenticationError      401, or no key where one is needed: set or check the key
├── PaymentRequiredError     402, 423: the plan, the credits or a pause
├── PermissionDeniedError    403: the key may not use this model
├── ModelNotFoundError       404, 405, or an id that cannot be routed: correct the id
├── ImageError               not an image, locally or for the server: use another image
├── InvalidRequestError      other 4xx: correct the parameters
├── TooLargeError            413, or found before sending: send a smaller image
├── RateLimitedError         429: wait, send less often
├── ServiceError             5xx: not your fault; try later
│   └── ModelNotReadyError   503: the model is loading; try again in a moment
├── UnreachableError         no connection, a timeout, a response cut off: check the network
├── UnexpectedAnswerError    200, but an unrecognised response; kept in ``.raw``
└── UnsupportedError         that version, region or model cannot do it; nothing was sent
"""

from __future__ import annotations

import re
import traceback
from html import escape
from typing import Any

from rfhosted.outputs.text import one_line

_LONGEST_SERVER_MESSAGE = 300  # characters
_MOST_PARAMETERS = 20  # of those that a 422 names
#: Text in a line of code that may be an API key.
_KEY_IN_CODE = re.compile(
    r"""(?:api_key\s*=|Client\()\s*[bru]*(["'])(.+?)\1"""  # api_key="…", Client("…")
    r"""|(["'])(?=\w*\d)(\w{12,})\3"""  # any text that looks like one
    r"""|api_key=([^&"'\s)]+)"""  # in a URL
)


class HostedError(Exception):
    """Base of everything that rfhosted raises on purpose, apart from bad Python arguments.

    Attributes:
        status: HTTP status, or None where there was no response.
        server_message: The server's own message, printable and short, or None.
        advice: The next step, one sentence.
    """

    advice_by_default = "See the server's message."
    _shown_in: str | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        server_message: str | None = None,
        advice: str | None = None,
    ) -> None:
        self.message = one_line(message)
        self.status = status
        self.server_message = one_line(server_message or "", _LONGEST_SERVER_MESSAGE) or None
        self.advice = advice or self.advice_by_default
        super().__init__(self.message)

    def __str__(self) -> str:
        code = f" (HTTP {self.status})" if self.status else ""
        quoted = f' The server said: "{self.server_message}".' if self.server_message else ""
        return f"{self.message}{code}.{quoted} {self.advice}"

    def _render_traceback_(self) -> list[str]:
        """What IPython prints; in a notebook, a box with the folded traceback is shown before."""
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        shell: Any = get_ipython()
        frames = _frames(self)
        if not hasattr(shell, "kernel"):  # a terminal
            return frames.splitlines()
        cell = shell.get_parent().get("header", {}).get("msg_id")
        if cell != self._shown_in:  # IPython 9 formats an error a second time, for its history
            self._shown_in = cell
            show: Any = display
            show({"text/html": _box(self, frames), "text/plain": ""}, raw=True)
        return [f"{type(self).__name__}: {self.message}"]


def _frames(error: HostedError) -> str:
    """The traceback from the user's cell on, without variables and keys, as Python prints it."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_globals.get("__name__", "").startswith("IPython."):
        frames = frames.tb_next
    return _without_keys("".join(traceback.format_exception(type(error), error, frames)))


def _without_keys(code: str) -> str:
    def hidden(match: re.Match[str]) -> str:
        key = next(filter(None, match.group(2, 4, 5)))
        return match[0].replace(key, "…")

    return _KEY_IN_CODE.sub(hidden, code)


def _box(error: HostedError, frames: str) -> str:
    """The error as HTML: what happened, the next step, and the folded traceback."""
    happened = str(error).removesuffix(error.advice).rstrip()
    return f"""\
<div class="rfhosted" role="alert" style="border:1px solid currentColor;border-left-width:6px;\
padding:8px 12px;max-width:80ch">
<strong>{escape(happened)}</strong><br>{escape(error.advice)}
<details style="margin-top:4px"><summary>{type(error).__name__}: traceback</summary>
<pre tabindex="0" style="overflow:auto;max-height:420px">{escape(frames)}</pre>
</details>
</div>"""


class AuthenticationError(HostedError):
    """No API key, or one that the server does not accept (401)."""

    advice_by_default = (
        "Check the API key (app.roboflow.com, Settings, API Keys) and pass it as api_key=, in"
        " ROBOFLOW_API_KEY or in a .env file; a rejected key stays rejected for a minute."
    )


class PaymentRequiredError(HostedError):
    """The workspace cannot spend credits (402) or its API use is paused (423)."""

    advice_by_default = (
        "Check the plan and the credits of the workspace: credits may be used up or capped, and a"
        " legacy plan without credits cannot run the newest architectures; an administrator of the"
        " workspace can end a pause."
    )


class PermissionDeniedError(HostedError):
    """The key is known but may not use this model (403)."""

    advice_by_default = (
        "Use a key of the workspace that owns the model, with the inference scope, and check the"
        " model id."
    )


class ModelNotFoundError(HostedError):
    """No such model: 404, 405, or an id that cannot be routed (then nothing was sent)."""

    advice_by_default = (
        'Model ids look like "project/3" or "workspace/slug"; check the spelling, and that the'
        " version has a trained model."
    )


class ImageError(HostedError):
    """Not an image that can be read, locally or on the server."""

    advice_by_default = "Use a JPEG, PNG or WebP image that opens in an image viewer."


class InvalidRequestError(HostedError):
    """The server rejected a parameter (400, 422 and other 4xx)."""

    advice_by_default = "Correct the parameter that the server names."


class TooLargeError(HostedError):
    """The request is over the version's size limit: found before sending, or reported as 413."""

    advice_by_default = "Pass a smaller image_size, or leave it out to have the image fitted."


class RateLimitedError(HostedError):
    """Too many requests (429), after the retries."""

    advice_by_default = "Wait a moment and send fewer requests at once."


class ServiceError(HostedError):
    """The service failed (5xx), after the retries."""

    advice_by_default = (
        "Try again later; if one model always fails while others work, its deployment is broken:"
        " retrain it or contact Roboflow."
    )


class ModelNotReadyError(ServiceError):
    """The model is still loading (503), after the retries."""

    advice_by_default = "The model is loading: try again in a few seconds."


class UnreachableError(HostedError):
    """No connection, a timeout, a stopped request, or a response that was cut off."""

    advice_by_default = (
        "Check the network, a proxy or firewall, and the address; the local models need no network."
    )


class UnexpectedAnswerError(HostedError):
    """A response that was not recognised.

    Attributes:
        raw: The response: its JSON, or its text where it was not JSON.
    """

    advice_by_default = "The response is kept in .raw of this error."
    raw: Any = None

    def __init__(self, message: str, *, raw: Any = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.raw = raw


class UnsupportedError(HostedError):
    """That version, region or model cannot do it; nothing was sent."""

    advice_by_default = "Use api_version='v2' or another model."


#: status -> (class, what happened). The class has the advice.
STATUSES: dict[int, tuple[type[HostedError], str]] = {
    400: (InvalidRequestError, "The server rejected the request"),
    401: (AuthenticationError, "The API key is missing, wrong or of another workspace"),
    402: (PaymentRequiredError, "The workspace cannot spend credits for this request"),
    403: (PermissionDeniedError, "The API key may not use this model"),
    404: (ModelNotFoundError, "No such model"),
    405: (ModelNotFoundError, "The model id does not route to a model"),
    408: (UnreachableError, "The server waited too long for the request"),
    410: (UnsupportedError, "The service no longer offers this"),
    413: (TooLargeError, "The request is larger than the server accepts"),
    422: (InvalidRequestError, "The server rejected a parameter"),
    423: (PaymentRequiredError, "API use is paused for this workspace"),
    429: (RateLimitedError, "Too many requests"),
    500: (ServiceError, "The service failed"),
    501: (ServiceError, "The service cannot run this model"),
    502: (ServiceError, "The service failed to reach its own platform"),
    503: (ModelNotReadyError, "The model is not ready"),
    504: (ServiceError, "The service timed out"),
    507: (ServiceError, "The model is too large for the server"),
}

#: The same by hundreds, for other statuses. A redirect is not followed: the image and the key would
#: go to an address that the user did not name.
_BY_HUNDREDS: dict[int, tuple[type[HostedError], str]] = {
    3: (UnreachableError, "The server redirected the request (to https or a login page?)"),
    4: STATUSES[400],
    5: STATUSES[500],
}

#: Beginnings of the server's messages, by status, for which another class fits better.
_BETTER: dict[int, dict[str, tuple[type[HostedError], str]]] = {
    400: {
        "Could not load input image": (ImageError, "The server could not read the image"),
        "Data pointed by URL": (ImageError, "The server could not read the image"),
        "Data is not image": (ImageError, "The server could not read the image"),
        "Required Roboflow API key is missing": STATUSES[401],
        "Invalid Model ID": (ModelNotFoundError, "The server does not accept this model id"),
    },
    501: {
        "Fine-tuned SAM 3": (UnsupportedError, "The service runs no fine-tuned SAM 3"),
        "SAM3": (UnsupportedError, "The service does not offer this of SAM 3"),
    },
}

#: The advice for 501: the server has not the model that it was sent to.
_NOT_THERE = "Use another model, or another server that has this one; trying again does not help."

#: What a server says that forwards SAM 3 to the platform, for every failure there.
_SAM3_FORWARDED = re.compile(r"SAM3 (?:visual_segment )?remote request failed")


def error_for(status: int, server_message: str | None) -> HostedError:
    """The exception for an HTTP response that is not a success.

    Args:
        status: HTTP status.
        server_message: The server's message, without the key.
    """
    if status < 300:
        return UnexpectedAnswerError(
            "The response is neither a prediction nor an error",
            raw=server_message,
            status=status,
            server_message=server_message,
        )
    if status == 500 and _SAM3_FORWARDED.match(server_message or ""):
        return ServiceError(
            "The platform behind the server did not run SAM 3",
            status=status,
            server_message=server_message,
            advice="It does not say why: try once more; then check the plan and the credits of the"
            " workspace (a legacy plan has no SAM 3), and send fewer prompts or a smaller image (it"
            " stops after 60 seconds).",
        )
    kind, happened = STATUSES.get(status) or _BY_HUNDREDS[min(status // 100, 5)]
    for start, better in _BETTER.get(status, {}).items():
        if (server_message or "").startswith(start):
            kind, happened = better
    advice = _NOT_THERE if status == 501 and kind is ServiceError else None
    return kind(happened, status=status, server_message=server_message, advice=advice)


def message_in(body: Any) -> str | None:
    """The server's own message in the JSON of an error; None where there is none.

    Args:
        body: The JSON. Each layer of the service has a form of its own: ``message``, ``detail``,
            ``error``, or a list with one entry for each parameter.
    """
    for name in ("message", "Message", "detail", "error", "message"):
        if isinstance(body, dict) and name in body:
            body = body[name]
    if isinstance(body, list):
        body = "; ".join(filter(None, map(_parameter_message, body[:_MOST_PARAMETERS])))
    return (one_line(body, _LONGEST_SERVER_MESSAGE) or None) if isinstance(body, str) else None


def _parameter_message(item: Any) -> str:
    if not isinstance(item, dict):
        return item if isinstance(item, str) else ""
    place = item.get("loc")
    names = place if isinstance(place, list) else [place]
    where = ".".join(str(name) for name in names if isinstance(name, (str, int)))
    said = item.get("msg")
    return ": ".join(part for part in (where, said) if isinstance(part, str) and part)
