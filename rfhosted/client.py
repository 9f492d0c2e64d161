"""From an image to a prediction: prepare a request, send it, read the response."""

from __future__ import annotations

import math
import numbers
import re
import time
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from rfhosted import hosted
from rfhosted.endpoints import embedded, image_tasks, model_info, prompted
from rfhosted.endpoints.call import Call, Prepared, Route
from rfhosted.endpoints.prompted import PreparedPrompts
from rfhosted.endpoints.routing import (
    address_of,
    check_region,
    checked_base_url,
    find_prompted_route,
    find_route,
    json_route,
)
from rfhosted.errors import AuthenticationError, TooLargeError, UnreachableError
from rfhosted.hosted import ApiVersion, Region, Task
from rfhosted.images import sources
from rfhosted.images.reading import bare
from rfhosted.images.upload import check_size
from rfhosted.keys import ApiKey, find_key
from rfhosted.outputs.text import one_line
from rfhosted.prediction import Prediction, Timing, prediction_of
from rfhosted.prediction.timing import credits_of
from rfhosted.transport.session import Transport
from rfhosted.verbs import Verbs

if TYPE_CHECKING:
    from rfhosted.endpoints.image_tasks import Parsed
    from rfhosted.endpoints.prompted import PromptedCall
    from rfhosted.hosted import RegionName, TaskName, VersionName
    from rfhosted.images.sources import ImageLike, SourceImage
    from rfhosted.images.upload import ImageSize
    from rfhosted.transport.connection import Stop
    from rfhosted.transport.request import Reply, Request, SupportsSend

_V2_IS_RECOMMENDED = "v1 is the legacy API: Roboflow recommends V2 (api_version='v2')."
_DEFAULT_TIMEOUT = 60.0
_LONGEST_TIMEOUT = 86_400.0  # a day, in seconds: more overflows in sockets


class Client(Verbs):
    """Sends images to the hosted API, to a server of your own, or to the local models.

    With neither a key nor ``base_url`` the client is local: the embedded server starts in this
    process when it is first needed. A client may be used from many threads. A pickled client
    holds no key: where it is loaded, the key is looked for again.

    Args:
        api_key: Text, bytes or a SecretStr; else ROBOFLOW_API_KEY, else ``.env`` in the working
            directory, else Colab's secret of that name, else none.
        api_version: "v2" or "v1"; ``predict`` may choose another.
        base_url: One server for every task and both versions (self-hosted, dedicated). An address
            of the hosted API is known as such and settles version and region.
        region: "us" or "eu"; the EU has V2 only.
        timeout: Seconds for one try, all of it; the prompted models get 180 unless this is set,
            because a cold start of theirs takes long.
        retries: How many further tries at most, where they help (429, 502 once, 503, 504, no
            connection); all tries and pauses together take two timeouts at most.
        transport: Sends the requests: anything with ``send`` as ``rfhosted.transport`` has it;
            None for HTTP.

    Raises:
        AuthenticationError: The key holds characters that no key has.
        UnsupportedError: v1 in a region that has none.
        ValueError, TypeError: Another argument makes no sense.
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

    def __deepcopy__(self, memo: object) -> Client:
        return self.replace()

    @property
    def is_local(self) -> bool:
        """Whether the local models are used: there is neither a key nor ``base_url``."""
        return self._key is None and self.base_url is None

    @property
    def has_key(self) -> bool:
        """Whether there is an API key; the key itself is never shown."""
        return self._key is not None

    def replace(self, **changes: Any) -> Client:
        """The same client with some arguments changed; it shares the open connections.

        Args:
            changes: Arguments of ``Client``: ``client.replace(retries=0)``.

        Raises:
            AuthenticationError, UnsupportedError, ValueError, TypeError: As ``Client``.
        """
        settings = {"api_key": self._key, "transport": self._custom_transport or self._http}
        try:
            return Client(**settings | self._settings() | changes)
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

    def predict(
        self,
        image: ImageLike,
        model: str | None = None,
        *,
        task: Task | TaskName | None = None,
        api_version: ApiVersion | VersionName | None = None,
        image_size: ImageSize = None,
        confidence: float | None = None,
        overlap: float = hosted.DEFAULT_OVERLAP,
    ) -> Prediction:
        """Send one image to one model.

        Args:
            image: Path, http(s) or file URL, data URI, text in base64, bytes, file object, PIL
                image, or numpy array (height, width, 3) of uint8, RGB.
            model: "project/3", "workspace/slug", a public name ("rfdetr-nano"), or the address of
                a model's page; None for a default that suits the task, the version and the place.
            task: What the model outputs: "object-detection", "classification",
                "instance-segmentation", "semantic-segmentation" or "keypoint-detection"; needed
                where nothing else tells it (own models on v1).
            api_version: "v1" or "v2"; None for the client's.
            image_size: Longest side sent, in pixels, never more than the image's; "original"; or
                None for the model's input size where it is known, else 1024.
            confidence: Least confidence, fraction in [0, 1]; None for 0.4, or 0 for classification.
            overlap: IoU threshold of non-maximum suppression, fraction in [0, 1].

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
            ValueError, TypeError: An argument makes no sense; nothing was sent.

        Example:
            >>> prediction = rfhosted.predict("dog.jpg", task="object-detection")
            >>> prediction  # the last line of a cell: the image and a caption
        """
        call = Call(
            model,
            task,  # type: ignore[arg-type]  # Call takes their strings as well
            api_version,  # type: ignore[arg-type]
            image_size,
            confidence,
            overlap,
        )
        return self.send(self.prepare(image, call))

    def prepare(
        self, image: ImageLike, call: Call | str | None = None, *, ask_platform: bool = True
    ) -> Prepared:
        """What ``predict`` would send, to look at or to ``send``; no request goes to a model.

        Args:
            image: As ``predict`` takes it.
            call: What is requested, or the name of a model; None for every default.
            ask_platform: Whether the model's input size may be looked up on the platform.

        Raises:
            HostedError: What is known to fail before sending.
            ValueError, TypeError: An argument makes no sense.
        """
        call = call if isinstance(call, Call) else Call(call)
        route = self.route(call)
        call = call.settled(route.version, route.task)
        address = address_of(route)
        image = self._fetched(image)
        import cv2  # noqa: F401 - loading it is not a part of preparing an image

        began = time.perf_counter()
        source_image = sources.load(image)
        loaded = time.perf_counter()
        longest = self._longest_side(route, source_image, call.image_size, ask=ask_platform)
        looked_up = time.perf_counter()
        request, upload, file = image_tasks.build(route, address, call, source_image, longest)
        seconds = time.perf_counter() - looked_up + loaded - began
        return Prepared(call, route, source_image, request, upload, file, seconds)

    def open(self, image: ImageLike) -> SourceImage:
        """Any kind of image as one that ``predict`` takes too; a URL is fetched once.

        Args:
            image: As ``predict`` takes it.

        Raises:
            ImageError: It cannot be read or fetched, or is not an image.
        """
        return sources.load(self._fetched(image))

    def _fetched(self, image: ImageLike) -> ImageLike:
        if sources.is_url(image):
            return self._http.download(bare(str(image)), timeout=self.timeout)
        return image

    def route(self, call: Call | str | None = None) -> Route:
        """Which model is meant and where the request would go; nothing is sent.

        Args:
            call: What is requested, or the name of a model; None for every default.

        Raises:
            HostedError: The id cannot be routed, or not by that version, region or without a key.
        """
        call = call if isinstance(call, Call) else Call(call)
        if self._key_was_pickled and self.base_url is None:
            _refuse_lost_key()
        return find_route(
            call,
            call.api_version or self.api_version,
            region=self.region,
            base_url=self.base_url,
            has_key=self.has_key,
        )

    def send(self, prepared: Prepared, *, stop: Stop | None = None) -> Prediction:
        """Send a request to the model, and read its response.

        Args:
            prepared: What ``prepare`` made.
            stop: Ends it from another thread; an UnreachableError says so then.

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
        """
        response = self._send(prepared.request, prepared.route, stop)
        began = time.perf_counter()
        raw = response.json()
        parsed = image_tasks.parse(
            raw,
            prepared.route.task,
            image_size=prepared.source_image.size,
            sent_size=prepared.upload.size,
        )
        seconds = time.perf_counter() - began
        return self._prediction(prepared, [response], raw, parsed, seconds)

    def prepare_prompted(
        self,
        image: ImageLike,
        call: PromptedCall,
        *,
        image_size: ImageSize = None,
        api_version: ApiVersion | VersionName | None = None,
    ) -> PreparedPrompts:
        """What a verb such as ``segment`` would send, to look at or to ``send_prompted``.

        Args:
            image: As ``predict`` takes it.
            call: What is requested: ``rfhosted.endpoints`` has a file for each route.
            image_size: As ``predict`` takes it; None for the default of the route.
            api_version: "v1" or "v2"; None for the client's.

        Raises:
            HostedError: What is known to fail before sending.
            ValueError, TypeError: An argument makes no sense.
        """
        size = check_size(image_size) or call.image_size
        if self._key_was_pickled and self.base_url is None:
            _refuse_lost_key()
        route = find_prompted_route(
            call,
            ApiVersion(api_version or self.api_version),
            region=self.region,
            base_url=self.base_url,
            has_key=self.has_key,
        )
        address = address_of(route)
        image = self._fetched(image)
        began = time.perf_counter()
        source_image = sources.load(image)
        longest = None if size == "original" else size
        requests, upload = prompted.build(route, address, call, source_image, longest)
        seconds = time.perf_counter() - began
        return PreparedPrompts(call, route, source_image, requests, upload, seconds)

    def send_prompted(self, prepared: PreparedPrompts, *, stop: Stop | None = None) -> Prediction:
        """Send the requests of a prompted call one after another, and read the responses.

        Args:
            prepared: What ``prepare_prompted`` made.
            stop: Ends it from another thread; an UnreachableError says so then.

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
        """
        responses = [self._send(request, prepared.route, stop) for request in prepared.requests]
        began = time.perf_counter()
        raws = [response.json() for response in responses]
        parsed = prepared.call.read(raws, prepared.scale)
        raw = raws[0] if len(raws) == 1 else raws
        seconds = time.perf_counter() - began
        return self._prediction(prepared, responses, raw, parsed, seconds)

    def post(
        self,
        path: str,
        body: Any,
        *,
        api_version: ApiVersion | VersionName | None = None,
        stop: Stop | None = None,
    ) -> Any:
        """Send JSON to any other route of the server, and return the JSON of its response.

        Args:
            path: The route: "/clip/embed_text".
            body: What to send, without the key.
            api_version: "v1" or "v2"; None for the client's.
            stop: Ends it from another thread; an UnreachableError says so then.

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
            ValueError, TypeError: The path is no route, or the body no JSON.
        """
        if not re.fullmatch(r"(/[\w.-]+)+", path):
            raise ValueError("path is a route such as '/clip/embed_text', without a query.")
        route, request = self._json_request(path, body, api_version)
        return self._send(request, route, stop).json()

    def _json_request(
        self, path: str, body: Any, api_version: ApiVersion | VersionName | None
    ) -> tuple[Route, Request]:
        if self._key_was_pickled and self.base_url is None:
            _refuse_lost_key()
        version = ApiVersion(api_version or self.api_version)
        route = json_route(
            version, region=self.region, base_url=self.base_url, has_key=self.has_key
        )
        request = prompted.json_request(route, address_of(route) + path, body)
        limit = hosted.REQUEST_LIMITS[route.version] - hosted.HEAD_ROOM
        if len(request.body) > limit:
            raise TooLargeError(
                f"The request has {len(request.body):,} bytes, and {limit:,} are allowed;"
                " nothing was sent"
            )
        return route, request

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
        return prediction_of(parsed.task, parsed.output, shared)

    def _longest_side(
        self, route: Route, image: SourceImage, size: ImageSize, *, ask: bool
    ) -> int | None:
        """Longest side to send, in pixels; None for every pixel."""
        if size == "original":
            return None
        if size is not None:
            return size
        known = hosted.input_size(route.name)
        own_model = self.has_key and route.is_billable and route.name == route.model
        # An image smaller than any model's input is sent as it is, whatever the platform says.
        if known is None and ask and own_model and max(image.size) > 320:
            known = self._sizes.look_up(self.transport, self._key, self.region, route.model)
        return known or hosted.DEFAULT_IMAGE_SIZE

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
