"""The way of one picture: an upload, a response, a prediction."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rfhosted import hosted
from rfhosted.endpoints import embedded, model_info
from rfhosted.endpoints.image_tasks import parse
from rfhosted.endpoints.routing import (
    LOCAL,
    Route,
    check_region,
    checked_base_url,
    find_route,
)
from rfhosted.hosted import ApiVersion, Region, Task
from rfhosted.images import sources
from rfhosted.images.upload import ImageSize, Upload, check_size, fit
from rfhosted.keys import ApiKey, find_key
from rfhosted.prediction import Prediction, Timing, check_fraction, prediction_of
from rfhosted.transport import request as wire
from rfhosted.transport.session import Reply, Transport, seconds_of

if TYPE_CHECKING:
    from rfhosted.images.sources import ImageLike, SourceImage
    from rfhosted.transport.connection import Stop

_DERIVED = "The masks are derived from boxes and a class map: no network was trained for them."
_V2_IS_RECOMMENDED = "v1 is the legacy API: Roboflow recommends V2 (api_version='v2')."


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question that can be sent: see ``Client.prepare``.

    Attributes:
        route: Which model is asked, and where.
        picture: The picture that the answer will be about.
        request: What is sent, less the key.
        upload: What became of the picture.
        confidence: The threshold that is asked for, fraction in [0, 1].
        seconds: Reading, decoding, scaling and encoding took so long.
    """

    route: Route
    source_image: SourceImage
    request: wire.Request
    upload: Upload
    confidence: float
    seconds: float

    @property
    def file(self) -> bytes:
        """The picture's file as it is sent: the upload without the form around it."""
        return wire.file_in(self.request.body)


class Client:
    """Asks the hosted API, a server of your own, or the models of this machine.

    With neither a key nor ``base_url`` the client is local: the embedded server starts in this
    process when it is first needed.

    Args:
        api_key: Else ROBOFLOW_API_KEY, else ``.env`` in the working directory, else Colab's secret
            of that name, else none.
        api_version: "v2" or "v1"; ``predict`` may choose another.
        base_url: One server for every task and both versions (self-hosted, dedicated).
        region: "us" or "eu"; the EU has V2 only.
        timeout: Seconds for one try, all of it.
        retries: How many further tries at most, where they help (429, 502 once, 503, 504, no
            connection); all tries and pauses together take two timeouts at most.

    Raises:
        AuthenticationError: The key holds characters that no key has.
        UnsupportedError: v1 in a region that has none.
        ValueError: Another argument makes no sense.
    """

    # A traceback may show a client whose arguments were refused halfway.
    _key: ApiKey | None = None
    api_version = ApiVersion.V2
    region = Region.US
    base_url: str | None = None

    def __init__(
        self,
        api_key: str | ApiKey | None = None,
        *,
        api_version: ApiVersion | str = ApiVersion.V2,
        base_url: str | None = None,
        region: Region | str = Region.US,
        timeout: float = 60.0,
        retries: int = 3,
    ) -> None:
        # First of all, so that no traceback of what follows shows a key among its variables.
        if isinstance(api_key, str):
            api_key = ApiKey(api_key.strip()) if api_key.strip() else None
        self._key = api_key or find_key()
        self.api_version = ApiVersion(api_version)
        self.region = Region(region)
        self.base_url = checked_base_url(base_url)
        if timeout <= 0 or retries < 0:
            raise ValueError("timeout is more than 0 seconds, retries is 0 or more.")
        self.timeout = timeout
        self.retries = retries
        if base_url is None:
            check_region(self.api_version, self.region)
        self._transport = Transport()
        self._sizes = model_info.Sizes()
        self._told_of_v2 = False

    @property
    def is_local(self) -> bool:
        """Whether the models of this machine answer: neither a key nor ``base_url``."""
        return self._key is None and self.base_url is None

    @property
    def has_key(self) -> bool:
        """Whether there is a key; the key itself is told to nobody."""
        return self._key is not None

    def with_key(self, api_key: str) -> Client:
        """Another client, of the same settings, with this key.

        Args:
            api_key: The key.

        Raises:
            AuthenticationError: The key holds characters that no key has.
        """
        return Client(
            api_key,
            api_version=self.api_version,
            base_url=self.base_url,
            region=self.region,
            timeout=self.timeout,
            retries=self.retries,
        )

    def __repr__(self) -> str:
        if self.is_local:
            where = "this machine's own models, no key"
        else:
            where = self.base_url or f"hosted, region {self.region}"
            where += ", key set" if self._key else ", no key"
        return f"Client({self.api_version}: {where})"

    def predict(
        self,
        image: ImageLike,
        model: str | None = None,
        *,
        task: Task | str | None = None,
        api_version: ApiVersion | str | None = None,
        image_size: ImageSize = None,
        confidence: float | None = None,
        overlap: float = hosted.DEFAULT_OVERLAP,
    ) -> Prediction:
        """Send one picture to one model.

        Args:
            image: Path, http(s) URL, data URI, bytes, file object, PIL image, or numpy array
                (height, width, 3) of uint8, RGB.
            model: "project/3", "workspace/slug" or a public name ("rfdetr-nano"); None for a good
                default for the task, the version and the place.
            task: What the model answers; needed where nothing else tells it (own models on v1).
            api_version: "v1" or "v2"; None for the client's.
            image_size: Longest side sent, in pixels, never more than the picture's; "original"; or
                None for the model's input size where it is known, else 1024.
            confidence: Least confidence, fraction in [0, 1]; None for 0.4, or 0 for classification.
            overlap: Largest IoU of two boxes of one class, fraction in [0, 1].

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
            ValueError, TypeError: An argument makes no sense; nothing was sent.
        """
        prepared = self.prepare(
            image,
            model,
            task=task,
            api_version=api_version,
            image_size=image_size,
            confidence=confidence,
            overlap=overlap,
        )
        return self.send(prepared)

    def prepare(
        self,
        image: ImageLike,
        model: str | None = None,
        *,
        task: Task | str | None = None,
        api_version: ApiVersion | str | None = None,
        image_size: ImageSize = None,
        confidence: float | None = None,
        overlap: float = hosted.DEFAULT_OVERLAP,
        ask_platform: bool = True,
    ) -> Prepared:
        """What ``predict`` would send, to look at or to ``send``; nothing is sent to a model.

        Args:
            image: This and the others as ``predict`` takes them.
            model: See there.
            task: See there.
            api_version: See there.
            image_size: See there.
            confidence: See there.
            overlap: See there.
            ask_platform: Whether the platform may be asked for a model's input size.

        Raises:
            HostedError: What can be told before sending.
            ValueError, TypeError: An argument makes no sense.
        """
        check_fraction("confidence", confidence)
        check_fraction("overlap", overlap)
        check_size(image_size)
        version = ApiVersion(api_version or self.api_version)
        route = self.route(model, task=task, api_version=version)
        if confidence is None:
            ranking = route.task is Task.CLASSIFICATION
            confidence = 0.0 if ranking else hosted.DEFAULT_CONFIDENCE
        address = _address(route)
        image = self._fetched(image)
        import cv2  # noqa: F401 - loading it is no part of preparing a picture

        began = time.perf_counter()
        picture = sources.load(image)
        asked = time.perf_counter()
        longest = self._longest_side(route, picture, image_size, ask=ask_platform)
        asked = time.perf_counter() - asked
        params = wire.parameters(
            route.task, version, route.host, confidence=confidence, overlap=overlap
        )
        request, upload = _request(route, f"{address}/{route.model}", params, picture, longest)
        seconds = time.perf_counter() - began - asked
        return Prepared(route, picture, request, upload, confidence, seconds)

    def open(self, image: ImageLike) -> SourceImage:
        """An image of any kind as a picture that ``predict`` takes too; a URL is fetched once.

        Args:
            image: As ``predict`` takes it.

        Raises:
            ImageError: Not to be had, or not an image.
        """
        return sources.load(self._fetched(image))

    def _fetched(self, image: ImageLike) -> ImageLike:
        if sources.is_url(image):
            return self._transport.download(str(image), timeout=self.timeout)
        return image

    def route(
        self,
        model: str | None = None,
        *,
        task: Task | str | None = None,
        api_version: ApiVersion | str | None = None,
    ) -> Route:
        """Which model is meant and who would answer; nothing is sent.

        Args:
            model: As ``predict`` takes it.
            task: As ``predict`` takes it.
            api_version: As ``predict`` takes it.

        Raises:
            HostedError: The id cannot be routed, or not by that version, region or without a key.
        """
        return find_route(
            model,
            Task(task) if task else None,
            ApiVersion(api_version or self.api_version),
            region=self.region,
            base_url=self.base_url,
            has_key=self._key is not None,
        )

    def send(self, prepared: Prepared, *, stop: Stop | None = None) -> Prediction:
        """Ask the model, and understand its answer.

        Args:
            prepared: What ``prepare`` made.
            stop: Ends it from another thread; an UnreachableError says so then.

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
        """
        route, upload, picture = prepared.route, prepared.upload, prepared.source_image
        reply = self._send(prepared.request, route, stop)
        began = time.perf_counter()
        raw = reply.json()
        answered, answer = parse(raw, route.task, picture=picture.size, sent=upload.size)
        timing = Timing(
            prepare=prepared.seconds,
            e2e=reply.e2e,
            exec=seconds_of(raw.get("time")),
            parse=time.perf_counter() - began,
            server=seconds_of(reply.headers.get("x-processing-time")),
            load=seconds_of(reply.headers.get("x-model-load-time")),
            retries=reply.retries,
            connect=reply.split.connect,
            upload=reply.split.upload,
            wait=reply.split.wait,
            download=reply.split.download,
        )
        host = LOCAL if route.host == LOCAL else urlsplit(route.host).netloc
        shared = {
            "source_image": picture,
            "task": answered,
            "model": route.model,
            "api_version": route.version,
            "raw": raw,
            "upload": upload,
            "timing": timing,
            "confidence": prepared.confidence,
            "host": f"{host}, simulated" if "simulated" in raw else host,
            "notes": self._notes(route, reply, raw),
            "received": len(reply.body),
        }
        return prediction_of(answered, answer, shared)

    def _send(self, request: wire.Request, route: Route, stop: Stop | None = None) -> Reply:
        # The models of this machine take no key, and a key has no business there.
        key = None if route.host == LOCAL else self._key
        return self._transport.send(
            request, key, timeout=self.timeout, retries=self.retries, stop=stop
        )

    def _longest_side(
        self, route: Route, picture: SourceImage, size: ImageSize, *, ask: bool
    ) -> int | None:
        if size == "original":
            return None
        if size is not None:
            return size
        known = hosted.input_size(route.name)
        hosted_model = self._key is not None and self.base_url is None and route.name == route.model
        # Nothing to ask for a picture that is smaller than any model's input.
        if (
            known is None
            and ask
            and hosted_model
            and route.host != LOCAL
            and max(picture.size) > 320
        ):
            known = self._sizes.ask(self._transport, self._key, self.region, route.model)
        return known or hosted.DEFAULT_IMAGE_SIZE

    def _notes(self, route: Route, reply: Reply, raw: Any) -> tuple[str, ...]:
        notes = []
        found = raw.get("predictions")
        if isinstance(found, list) and any(item.get("mask_source") == "derived" for item in found):
            notes.append(_DERIVED)
        if label := reply.headers.get("x-rfhosted-simulated"):
            notes.append(f"Simulated: {label}; no model looked at the picture.")
        if route.stands_in:
            notes.append(
                f"{route.model} of this machine stands in for {route.name}, which needs an API key."
            )
        if reply.retries:
            notes.append(f"Answered after {len(reply.retries)} failed: {', '.join(reply.retries)}.")
        if route.version is ApiVersion.V1 and not self._told_of_v2:
            self._told_of_v2 = True
            notes.append(_V2_IS_RECOMMENDED)
        return tuple(notes)


def predict(image: ImageLike, model: str | None = None, **options: Any) -> Prediction:
    """``Client().predict``, with one client for all calls, as long as the key is the same.

    Args:
        image: As ``Client.predict`` takes it.
        model: As ``Client.predict`` takes it.
        options: The other arguments of ``Client.predict``.
    """
    return default_client().predict(image, model, **options)


def default_client() -> Client:
    """The client that ``predict`` uses: made anew only when another key is found."""
    return _client_for(find_key())


@functools.lru_cache(maxsize=1)
def _client_for(key: ApiKey | None) -> Client:
    return Client(key)


def _request(
    route: Route, url: str, params: dict[str, str], picture: SourceImage, longest: int | None
) -> tuple[wire.Request, Upload]:
    content, upload = fit(
        picture,
        longest,
        budget=hosted.REQUEST_LIMITS[route.version] - hosted.HEAD_ROOM,
        around=wire.form_bytes,
    )
    body, content_type = wire.multipart(content, upload.format)
    request = wire.Request(url, params, body, content_type, key_in_header=route.key_in_header)
    return request, upload


def _address(route: Route) -> str:
    if route.host != LOCAL:
        return route.host
    return embedded.address() + ("/v1" if route.version is ApiVersion.V1 else "")
