"""Where a client's requests go and with which key; how a response becomes a prediction."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import urlsplit

from rfhosted import hosted
from rfhosted.endpoints import embedded, model_info
from rfhosted.endpoints.routing import check_region, checked_base_url
from rfhosted.errors import AuthenticationError, UnreachableError
from rfhosted.hosted import ApiVersion, Region
from rfhosted.images import sources
from rfhosted.images.reading import bare
from rfhosted.keys import ApiKey, find_key
from rfhosted.outputs.text import one_line
from rfhosted.prediction import Prediction, Timing, prediction_of
from rfhosted.prediction.timing import credits_of
from rfhosted.transport.session import Transport

if TYPE_CHECKING:
    from rfhosted.endpoints.call import Prepared, Route
    from rfhosted.endpoints.image_tasks import Parsed
    from rfhosted.endpoints.prompted import PreparedPrompts
    from rfhosted.endpoints.workflows import Interface
    from rfhosted.hosted import RegionName, VersionName
    from rfhosted.images.sources import ImageLike
    from rfhosted.transport.connection import Stop
    from rfhosted.transport.request import Reply, Request, SupportsSend

_V2_IS_RECOMMENDED = "v1 is the legacy API: Roboflow recommends V2 (api_version='v2')."
_DEFAULT_TIMEOUT = 60.0
_LONGEST_TIMEOUT = 86_400.0  # a day, in seconds: more overflows in sockets


class Access:
    """The settings of a client, and what all of its requests have in common.

    ``Client`` describes the arguments.
    """

    # A traceback may show a client whose arguments were refused halfway.
    _key: ApiKey | None = None
    api_version = ApiVersion.V2
    region = Region.US
    base_url: str | None = None
    _custom_transport: SupportsSend | None = None

    def __init__(
        self,
        api_key: str | bytes | ApiKey | None = None,
        *,
        api_version: ApiVersion | VersionName = ApiVersion.V2,
        base_url: str | None = None,
        region: Region | RegionName = Region.US,
        timeout: float = _DEFAULT_TIMEOUT,
        retries: int = 3,
        transport: SupportsSend | None = None,
    ) -> None:
        try:
            self._key = find_key(api_key)
            self.base_url = checked_base_url(base_url)
        finally:
            del api_key, base_url  # both may hold a key, and tracebacks show variables
        self.api_version = ApiVersion(api_version)
        self.region = Region(region)
        if self.base_url and (known := hosted.hosted_version(self.base_url)):
            self.api_version, self.region = known
        self.timeout = _checked_timeout(timeout)
        self.retries = _checked_retries(retries)
        check_region(self.api_version, self.region)
        self._custom_transport = transport
        self._key_was_pickled = False
        self._open_transport()

    def _open_transport(self) -> None:
        """Make the parts that live in one process only."""
        http = self._custom_transport
        # Image URLs are fetched by HTTP, whatever sends the requests.
        self._http = http if isinstance(http, Transport) else Transport()
        self.transport: SupportsSend = self._custom_transport or self._http
        self._sizes = model_info.Sizes()
        self._interfaces: dict[str, Interface] = {}
        self._noted_v2 = False

    def _settings(self) -> dict[str, Any]:
        return {
            "api_version": self.api_version,
            "base_url": self.base_url,
            "region": self.region,
            "timeout": self.timeout,
            "retries": self.retries,
        }

    def __getstate__(self) -> dict[str, Any]:
        transport = self._custom_transport
        return self._settings() | {"transport": transport, "has_key": self.has_key}

    def __setstate__(self, state: dict[str, Any]) -> None:
        had_key = state.pop("has_key")
        self.__init__(**state)  # type: ignore[misc]  # a loaded client is made like a new one
        self._key_was_pickled = had_key and self._key is None

    def __deepcopy__(self, memo: object) -> Self:
        return self.replace()

    @property
    def is_local(self) -> bool:
        """Whether the local models are used: there is neither a key nor ``base_url``."""
        return self._key is None and self.base_url is None

    @property
    def has_key(self) -> bool:
        """Whether there is an API key; the key itself is never shown."""
        return self._key is not None

    def replace(self, **changes: Any) -> Self:
        """The same client with some arguments changed; it shares the open connections.

        Args:
            changes: Arguments of ``Client``: ``client.replace(retries=0)``.

        Raises:
            AuthenticationError, UnsupportedError, ValueError, TypeError: As ``Client``.
        """
        settings = {"api_key": self._key, "transport": self._custom_transport or self._http}
        try:
            return type(self)(**settings | self._settings() | changes)
        finally:
            changes.clear()  # a key that was refused must not stand in a traceback

    def __repr__(self) -> str:
        if self.is_local:
            where = "local models, no key"
        else:
            where = self.base_url or f"hosted, region {self.region}"
            where += ", key set" if self._key else ", no key"
        if self._custom_transport and self._custom_transport is not self._http:
            where += f", {self._custom_transport!r}"
        return f"Client({self.api_version}: {where})"

    def _fetched(self, image: ImageLike) -> ImageLike:
        if sources.is_url(image):
            return self._http.download(bare(str(image)), timeout=self.timeout)
        return image

    def _own_key_must_be_there(self) -> None:
        """Refuse to use the local models in place of a key that pickling left out."""
        if self._key_was_pickled and self.base_url is None:
            _refuse_lost_key()

    def _send(self, request: Request, route: Route, stop: Stop | None) -> Reply:
        # The embedded server has a key of its own, and must not see another.
        key = embedded.key() if route.is_local else self._key
        timeout = self.timeout
        # A cold start of a prompted model takes longer than the default timeout.
        if request.retried is hosted.RETRIED_PROMPTED and timeout == _DEFAULT_TIMEOUT:
            timeout = hosted.PROMPTED_TIMEOUT
        try:
            return self.transport.send(
                request, key, timeout=timeout, retries=self.retries, stop=stop
            )
        except UnreachableError as error:
            if route.is_local and not (stop and stop()):
                raise _local_trouble(error, request.url) from None
            raise

    def _prediction(
        self,
        prepared: Prepared | PreparedPrompts,
        responses: list[Reply],
        raw: Any,
        parsed: Parsed,
        seconds: float,
    ) -> Prediction:
        route = prepared.route
        shared = {
            "source_image": prepared.source_image,
            "task": parsed.task,
            "model": route.model,
            "api_version": route.version,
            "raw": raw,
            "upload": prepared.upload,
            "timing": Timing.of(
                responses, prepare=prepared.seconds, exec_=parsed.exec, parse=seconds
            ),
            "confidence": prepared.confidence,
            "host": f"{route.host_name}, simulated" if parsed.simulated else route.host_name,
            "notes": (*parsed.notes, *self._notes(route, responses)),
            "received": sum(len(response.body) for response in responses),
            "simulated": parsed.simulated,
            "credits": credits_of(responses) if route.is_billable else None,
        }
        return self._made(parsed, shared)

    @staticmethod
    def _made(parsed: Parsed, shared: dict[str, Any]) -> Prediction:
        return prediction_of(parsed.task, parsed.output, shared)

    def _notes(self, route: Route, responses: list[Reply]) -> tuple[str, ...]:
        notes = []
        if len(responses) > 1:
            billable = ", each billable" if route.is_billable else ""
            notes.append(f"Made of {len(responses)} requests{billable}.")
        if label := responses[0].headers.get("x-rfhosted-simulated"):
            notes.append(f"Simulated: {one_line(label)}; no model saw the image.")
        if route.stand_in:
            notes.append(
                f"The local model {route.model} is a stand-in for {route.name}, which needs an API"
                " key."
            )
        if failed := [reason for response in responses for reason in response.retries]:
            notes.append(f"Succeeded after failed tries: {', '.join(failed)}.")
        if route.version is ApiVersion.V1 and not self._noted_v2:
            self._noted_v2 = True
            notes.append(_V2_IS_RECOMMENDED)
        return tuple(notes)


def _checked_timeout(timeout: float) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, numbers.Real):
        raise TypeError("timeout is one number of seconds for all of a try.")
    if math.isnan(timeout) or timeout <= 0:
        raise ValueError("timeout must be more than 0 seconds.")
    return min(float(timeout), _LONGEST_TIMEOUT)


def _checked_retries(retries: int) -> int:
    if isinstance(retries, bool) or not isinstance(retries, numbers.Integral):
        raise TypeError("retries is a whole number.")
    if retries < 0:
        raise ValueError("retries must be 0 or more.")
    return int(retries)


def _refuse_lost_key() -> NoReturn:
    raise AuthenticationError(
        "This client was pickled, which leaves out its API key, and no key was found here",
        advice="Set ROBOFLOW_API_KEY in the worker, or make a new Client there.",
    )


def _local_trouble(error: UnreachableError, url: str) -> UnreachableError:
    """The error of a local server that does not respond in time: no network takes part in that."""
    return UnreachableError(
        error.message.replace(urlsplit(url).netloc, "the local server"),
        advice="The local model needs more time: pass a larger timeout= to Client, or a smaller"
        " image_size.",
    )
