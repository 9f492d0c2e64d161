"""Which model is meant, who serves it and where: settled before anything is read or sent."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from rfhosted import hosted
from rfhosted.errors import AuthenticationError, ModelNotFoundError, UnsupportedError
from rfhosted.hosted import ApiVersion, Region, Task

#: Where the models of this machine are served; the address is known once the server runs.
LOCAL = "this machine"


@dataclass(frozen=True, slots=True)
class Route:
    """Where one request goes.

    Attributes:
        model: Model id of two segments, as it is sent.
        name: The name that the user gave, or the default's.
        task: What the model answers; None where only the answer will tell.
        host: Scheme and host, or LOCAL.
        key_in_header: Whether the key goes into the Authorization header, else into the query.
        stands_in: Whether a model of this machine answers in place of the one that was named.
    """

    model: str
    name: str
    task: Task | None
    version: ApiVersion
    host: str
    key_in_header: bool = False
    stands_in: bool = False


def find_route(
    model: str | None,
    task: Task | None,
    version: ApiVersion,
    *,
    region: Region,
    base_url: str | None,
    has_key: bool,
) -> Route:
    """Settle model, task and host.

    Raises:
        ModelNotFoundError: The id cannot be routed, or is no public name.
        UnsupportedError: That version or region cannot serve it.
        AuthenticationError: A hosted model was named and there is no key.
        ValueError: The task contradicts the model.
    """
    if model is None:
        here = not has_key and base_url is None
        model = _default_model(task or Task.OBJECT_DETECTION, version, here=here)
    name = model.strip()
    model_id = resolve(name)
    known = hosted.task_of(model_id)
    if known and task and known != task:
        raise ValueError(f"{name} is a model for {known}, not for {task}.")
    if hosted.is_v2_only(model_id):
        raise _other_question(name, version)
    if base_url:
        # A self-hosted server may be older than 1.5.0, the first that reads the header.
        return Route(model_id, name, known or task, version, base_url.rstrip("/"))
    if not has_key or model_id.startswith(hosted.LOCAL_WORKSPACE + "/"):
        return _route_here(model_id, name, known, version)
    return _route_hosted(model_id, name, known or task, version, region)


def _route_here(model_id: str, name: str, task: Task | None, version: ApiVersion) -> Route:
    if task:
        here = hosted.LOCAL_MODELS[task]
        return Route(here, name, task, version, LOCAL, stands_in=here != model_id)
    if model_id.startswith(hosted.LOCAL_WORKSPACE + "/"):
        raise ModelNotFoundError(
            f"This machine has no model {name!r}",
            advice=f"It has {', '.join(hosted.LOCAL_MODELS.values())}.",
        )
    raise AuthenticationError(
        f"The model {name!r} is on the hosted API, and there is no API key",
        advice="Pass api_key= or set ROBOFLOW_API_KEY; or leave the model out to use one of this"
        " machine.",
    )


def _route_hosted(
    model_id: str, name: str, task: Task | None, version: ApiVersion, region: Region
) -> Route:
    if version is ApiVersion.V2:
        return Route(model_id, name, task, version, hosted.V2_HOSTS[region], key_in_header=True)
    check_region(version, region)
    if task is None:
        raise UnsupportedError(
            f"v1 has a host for each task, and nothing tells the task of {name!r}; nothing was"
            " sent",
            advice=f"Pass task=, one of {', '.join(Task)}, or use api_version='v2'.",
        )
    return Route(model_id, name, task, version, hosted.V1_HOSTS[task])


def check_region(version: ApiVersion, region: Region) -> None:
    """Refuse v1 outside the US: requests must not leave a region unnoticed."""
    if version is ApiVersion.V1 and region is not Region.US:
        raise UnsupportedError(
            f"v1 has no host in the region {region}; nothing was sent",
            advice="Use api_version='v2' there.",
        )


def checked_base_url(url: str | None) -> str | None:
    """The address of a server for everything, without a slash at its end.

    Raises:
        ValueError: It is no http(s) address, or holds a query or a user.
    """
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url looks like http://host:port.")
    if parts.query or parts.username:
        raise ValueError("base_url holds no key and no user: pass api_key=.")
    return url.rstrip("/")


def resolve(name: str) -> str:
    """The two-segment model id of a public name, or of an id that is one already.

    Raises:
        ModelNotFoundError: With near matches, where there are some.
    """
    public = hosted.aliases()
    if name in public:
        return public[name]
    # The roboflow package writes workspace/project/3; the image route wants project/3.
    if re.fullmatch(r"[\w.-]+/[\w.-]+/\d+", name):
        name = name.partition("/")[2]
    if re.fullmatch(r"[\w.-]*\w[\w.-]*/[\w.-]*\w[\w.-]*", name):
        return name
    near = difflib.get_close_matches(name.lower(), [*public, *hosted.LOCAL_MODELS.values()], n=3)
    raise ModelNotFoundError(
        f"{name!r} is neither a public model name nor an id of two segments; nothing was sent",
        advice=f"Did you mean {' or '.join(near)}?" if near else None,
    )


def _default_model(task: Task, version: ApiVersion, *, here: bool) -> str:
    if here:
        return hosted.LOCAL_MODELS[task]
    if task in hosted.DEFAULT_MODELS[version]:
        return hosted.DEFAULT_MODELS[version][task]
    raise UnsupportedError(
        f"No public model for {task} is known on {version}; nothing was sent",
        advice="Name a model of your own, or use api_version='v2'.",
    )


def _other_question(name: str, version: ApiVersion) -> UnsupportedError:
    if version is ApiVersion.V1:
        return UnsupportedError(
            f"{name} is served by V2 only; nothing was sent", advice="Use api_version='v2'."
        )
    return UnsupportedError(
        f"{name} answers a prompt or another question than the five tasks; nothing was sent",
        advice="Choose a model for one of the five tasks; inference-sdk can ask the others.",
    )
