"""Which model is meant, which server runs it and where: settled before anything is sent."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from rfhosted import hosted
from rfhosted.endpoints import embedded
from rfhosted.endpoints.call import LOCAL, Call, Route
from rfhosted.errors import AuthenticationError, ModelNotFoundError, UnsupportedError
from rfhosted.hosted import ApiVersion, Region, Task

if TYPE_CHECKING:
    from rfhosted.endpoints.prompted import PromptedCall

_NOTHING_SENT = "; nothing was sent"


def address_of(route: Route) -> str:
    """Scheme, host and root of the server; starts the embedded server where it is needed.

    Raises:
        UnsupportedError: The local models are not installed.
    """
    if not route.is_local:
        return route.host
    return embedded.address() + ("/v1" if route.version is ApiVersion.V1 else "")


def find_route(
    call: Call, version: ApiVersion, *, region: Region, base_url: str | None, has_key: bool
) -> Route:
    """Settle model, task and host.

    Args:
        call: What is requested.
        version: The API version, where ``base_url`` does not settle it.
        region: Region of the hosted API.
        base_url: One server for everything, or None.
        has_key: Whether there is an API key.

    Raises:
        ModelNotFoundError: The id cannot be routed, or is no public name.
        UnsupportedError: That version or region cannot serve it.
        AuthenticationError: A hosted model was named and there is no key.
        ValueError: The task contradicts the model.
    """
    on_host = hosted.hosted_version(base_url) if base_url else None
    if on_host:
        if call.api_version not in (None, on_host[0]):
            raise UnsupportedError(
                f"base_url is an address that serves {on_host[0]} only{_NOTHING_SENT}",
                advice="Leave base_url out to choose the version of each call.",
            )
        version = on_host[0]
    name, task = call.model, call.task
    if name is None:
        local = not has_key and base_url is None
        name = _default_model(task or Task.OBJECT_DETECTION, version, local=local)
    model_id = resolve(name)
    name = name.strip() if name.strip() in hosted.aliases() else model_id
    known = hosted.task_of(model_id)
    if known and task and known != task:
        raise ValueError(f"{name} is a model for {known}, not for {task}.")
    if hosted.is_v2_only(model_id):
        raise _other_route(name, version)
    if base_url:
        # A self-hosted server may be older than 1.5.0, the first that reads the header.
        in_header = on_host is not None and version is ApiVersion.V2
        host = base_url.rstrip("/")
        return Route(model_id, name, known or task, version, host, key_in_header=in_header)
    if not has_key or model_id.startswith(hosted.LOCAL_WORKSPACE + "/"):
        return _local_route(model_id, name, known, version)
    return _hosted_route(model_id, name, known or task, version, region)


def find_prompted_route(
    call: PromptedCall, version: ApiVersion, *, region: Region, base_url: str | None, has_key: bool
) -> Route:
    """Settle the host of a prompted call.

    Args:
        call: What is requested.
        version: The API version, where ``base_url`` does not settle it.
        region: Region of the hosted API.
        base_url: One server for everything, or None.
        has_key: Whether there is an API key.

    Raises:
        UnsupportedError: That version does not run the model.
    """
    known = hosted.PROMPTED_MODELS[call.family]
    route = json_route(version, region=region, base_url=base_url, has_key=has_key)
    route = replace(route, model=call.model, name=call.model)
    if route.is_billable and not (known.v1 or known.v2):
        raise UnsupportedError(
            f"{known.title} is not on the hosted API{_NOTHING_SENT}",
            advice="Run it on a dedicated deployment or a server of your own, and pass base_url=.",
        )
    if route.version is ApiVersion.V1 and not known.v1 and not (base_url and not route.is_billable):
        raise UnsupportedError(
            f"{known.title} runs on V2 only{_NOTHING_SENT}", advice="Use api_version='v2'."
        )
    return route


def json_route(
    version: ApiVersion, *, region: Region, base_url: str | None, has_key: bool
) -> Route:
    """Where the routes that take JSON are served; the arguments are those of ``find_route``.

    Raises:
        UnsupportedError: v1 in a region that has none.
    """
    if base_url:
        on_host = hosted.hosted_version(base_url)
        version = on_host[0] if on_host else version
        in_header = on_host is not None and version is ApiVersion.V2
        return Route("", "", None, version, base_url.rstrip("/"), key_in_header=in_header)
    if not has_key:
        return Route("", "", None, version, LOCAL)
    if version is ApiVersion.V2:
        return Route("", "", None, version, hosted.V2_HOSTS[region], key_in_header=True)
    check_region(version, region)
    return Route("", "", None, version, hosted.V1_INFER_HOST)


def _local_route(model_id: str, name: str, task: Task | None, version: ApiVersion) -> Route:
    if task:
        local = hosted.LOCAL_MODELS[task]
        return Route(local, name, task, version, LOCAL, stand_in=local != model_id)
    if model_id.startswith(hosted.LOCAL_WORKSPACE + "/"):
        raise ModelNotFoundError(
            f"There is no local model {name!r}",
            advice=f"The local models are {', '.join(hosted.LOCAL_MODELS.values())}.",
        )
    raise AuthenticationError(
        f"The model {name!r} is on the hosted API, and there is no API key",
        advice="Pass api_key= or set ROBOFLOW_API_KEY; or leave the model out to use a local one.",
    )


def _hosted_route(
    model_id: str, name: str, task: Task | None, version: ApiVersion, region: Region
) -> Route:
    if version is ApiVersion.V2:
        return Route(model_id, name, task, version, hosted.V2_HOSTS[region], key_in_header=True)
    check_region(version, region)
    if task is None:
        raise UnsupportedError(
            f"v1 has one host for each task, and the task of {name!r} is not known{_NOTHING_SENT}",
            advice=f"Pass task=, one of {', '.join(hosted.IMAGE_TASKS)}, or use api_version='v2'.",
        )
    return Route(model_id, name, task, version, hosted.V1_HOSTS[task])


def check_region(version: ApiVersion, region: Region) -> None:
    """Refuse v1 outside the US: requests must not leave a region unnoticed."""
    if version is ApiVersion.V1 and region is not Region.US:
        raise UnsupportedError(
            f"v1 has no host in the region {region}{_NOTHING_SENT}",
            advice="Use api_version='v2' there.",
        )


def checked_base_url(url: str | None) -> str | None:
    """The address of one server for everything, without a slash at its end.

    Raises:
        ValueError: Not an http(s) address, or one with a query, a fragment, a user or a password.
            The text is not repeated: it may hold a key.
    """
    if url is None:
        return None
    if problem := _base_url_problem(url):
        del url  # tracebacks show variables
        raise ValueError(problem)
    return url.strip().rstrip("/")


def _base_url_problem(url: str) -> str | None:
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        return "base_url must look like http://host:port."
    if parts.query or parts.fragment or "@" in parts.netloc:
        return "base_url must not hold a key, a user or a password: pass api_key=."
    return None


def _split(url: str) -> SplitResult | None:
    """The parts of an address, or None for what is not one."""
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # raises for a port that is no number
    except (ValueError, AttributeError):
        return None
    return parts


def resolve(name: str) -> str:
    """The two-segment model id of a public name, of an id, or of a model's address.

    Addresses of Universe, the app and the hosts of v1 and V2 are understood. What was typed is
    never repeated in an error: it may hold an API key.

    Raises:
        ModelNotFoundError: With near matches, where there are some.
    """
    text = re.split(r"[?#]", name.strip())[0].rstrip("/")
    public = hosted.aliases()
    if text in public:
        return public[text]
    if "roboflow." in text and (found := _id_in_address(text)):
        return found
    # The roboflow package writes workspace/project/3; the image route wants project/3.
    if re.fullmatch(r"[\w.-]+/[\w.-]+/\d+", text):
        text = text.partition("/")[2]
    if re.fullmatch(r"[\w.-]*\w[\w.-]*/[\w.-]*\w[\w.-]*", text):
        return text
    near = difflib.get_close_matches(text.lower(), [*public, *hosted.LOCAL_MODELS.values()], n=3)
    raise ModelNotFoundError(
        f"The model is neither a public model name nor an id of two segments{_NOTHING_SENT}",
        advice=f"Did you mean {' or '.join(near)}?" if near else None,
    )


def _id_in_address(text: str) -> str | None:
    """The model id in an address of Roboflow, copied from a browser or a code snippet."""
    parts = _split(text if "://" in text else f"https://{text}")
    if parts is None:
        return None
    segments = [segment for segment in parts.path.split("/") if segment]
    if parts.hostname in ("universe.roboflow.com", "app.roboflow.com"):
        # /workspace/project/…/3: pages of a model, a dataset version, a deployment
        versions = [segment for segment in segments[2:] if segment.isdigit()]
        segments = [segments[1], versions[-1]] if versions else []
    elif parts.hostname == "api.roboflow.com":
        segments = segments[-2:]
    usable = len(segments) == 2 and all(re.fullmatch(r"[\w.-]+", part) for part in segments)
    return "/".join(segments) if usable else None


def _default_model(task: Task, version: ApiVersion, *, local: bool) -> str:
    if local:
        return hosted.LOCAL_MODELS[task]
    if task in hosted.DEFAULT_MODELS[version]:
        return hosted.DEFAULT_MODELS[version][task]
    raise UnsupportedError(
        f"No public model for {task} is known on {version}{_NOTHING_SENT}",
        advice="Name a model of your own, or use api_version='v2'.",
    )


def _other_route(name: str, version: ApiVersion) -> UnsupportedError:
    family = hosted.prompted_family(name)
    verb = hosted.PROMPTED_MODELS[family].verb if family else None
    if version is ApiVersion.V1 and not (family and hosted.PROMPTED_MODELS[family].v1):
        verb_on_v2 = f" and client.{verb}(image, …)" if verb else ""
        return UnsupportedError(
            f"{name} is served by V2 only{_NOTHING_SENT}",
            advice=f"Use api_version='v2'{verb_on_v2}.",
        )
    return UnsupportedError(
        f"{name} needs a prompt or is not a model for one of the five tasks{_NOTHING_SENT}",
        advice=f"Use client.{verb}(image, …)."
        if verb
        else "Choose a model for one of the five tasks; client.post calls any other route.",
    )
