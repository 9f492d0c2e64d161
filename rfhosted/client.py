"""From an image to a prediction: prepare a request, send it, read the response."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rfhosted import hosted
from rfhosted.endpoints import image_tasks
from rfhosted.endpoints.call import Call, Prepared, Route
from rfhosted.endpoints.routing import (
    address_of,
    find_route,
)
from rfhosted.images import sources
from rfhosted.workflow_verbs import WorkflowVerbs

if TYPE_CHECKING:
    from rfhosted.hosted import ApiVersion, Task, TaskName, VersionName
    from rfhosted.images.sources import ImageLike, SourceImage
    from rfhosted.images.upload import ImageSize
    from rfhosted.prediction import Prediction
    from rfhosted.transport.connection import Stop


class Client(WorkflowVerbs):
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

    def route(self, call: Call | str | None = None) -> Route:
        """Which model is meant and where the request would go; nothing is sent.

        Args:
            call: What is requested, or the name of a model; None for every default.

        Raises:
            HostedError: The id cannot be routed, or not by that version, region or without a key.
        """
        call = call if isinstance(call, Call) else Call(call)
        self._own_key_must_be_there()
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
