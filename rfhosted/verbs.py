"""The verbs for prompted models: what ``Client`` can do besides ``predict``.

Each verb turns its arguments into the call of one route (``endpoints/``) and runs it.
``access.py`` knows how a request is sent, and what a prediction needs beside the response.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, cast

from rfhosted import hosted
from rfhosted.access import Access
from rfhosted.endpoints import clip, florence2, ocr, open_vocabulary, prompted, sam
from rfhosted.endpoints.prompted import PreparedPrompts
from rfhosted.endpoints.routing import address_of, find_prompted_route, json_route
from rfhosted.errors import TooLargeError
from rfhosted.hosted import ApiVersion
from rfhosted.images import sources
from rfhosted.images.upload import check_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfhosted.endpoints.call import Route
    from rfhosted.endpoints.prompted import PromptedCall
    from rfhosted.hosted import VersionName
    from rfhosted.images.sources import ImageLike
    from rfhosted.images.upload import ImageSize
    from rfhosted.outputs.values import Box
    from rfhosted.prediction import (
        ClassificationPrediction,
        DetectionPrediction,
        InstancePrediction,
        Prediction,
        TextPrediction,
    )
    from rfhosted.transport.connection import Stop
    from rfhosted.transport.request import Request


class Verbs(Access):
    """The methods of ``Client`` for prompted models."""

    def run(
        self,
        call: PromptedCall,
        image: ImageLike,
        *,
        image_size: ImageSize = None,
        api_version: ApiVersion | VersionName | None = None,
    ) -> Prediction:
        """Prepare, send and read a prompted call; the other verbs come down to it.

        Args:
            call: What is requested: ``rfhosted.endpoints`` has a file for each route.
            image: As ``predict`` takes it.
            image_size: Longest side to send, in pixels; "original"; None for the route's default.
            api_version: "v1" or "v2"; None for the client's.

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
            ValueError, TypeError: An argument makes no sense; nothing was sent.
        """
        prepared = self.prepare_prompted(
            image, call, image_size=image_size, api_version=api_version
        )
        return self.send_prompted(prepared)

    def segment(
        self,
        image: ImageLike,
        names: Sequence[str] | str | None = None,
        *,
        points: Sequence[tuple[float, float] | tuple[float, float, bool]] | None = None,
        box: Box | None = None,
        boxes: Sequence[Box] | None = None,
        like: Box | Sequence[Box] | None = None,
        unlike: Box | Sequence[Box] | None = None,
        model: str = "sam3",
        confidence: float | None = None,
        image_size: ImageSize = None,
        api_version: ApiVersion | VersionName | None = None,
    ) -> InstancePrediction:
        """Segment what is prompted: by names, by points, by boxes, or by an example.

        Exactly one kind of prompt: ``names``; ``points`` with or without ``box``; ``boxes``; or
        ``like``. Note the difference: ``box`` is "the object in this box", ``like`` is "everything
        that looks like what is in this box".

        Args:
            image: As ``predict`` takes it.
            names: What to segment, in words; the class name is the prompt.
            points: Points of one object, (x, y), or (x, y, False) for what does not belong to it;
                pixels of the original, upright image.
            box: The box of one object, (x0, y0, x1, y1), in pixels of the original image.
            boxes: A box for each of several objects; each is a request.
            like: One or several example boxes.
            unlike: Boxes of counter-examples, together with ``like`` or ``names``.
            model: "sam3", or "sam2" for points and boxes ("sam2/hiera_tiny" chooses a version).
            confidence: Least confidence, fraction in [0, 1]; None for 0.5, the model's default;
                for points and boxes, None keeps every mask.
            image_size: Longest side to send, in pixels; "original"; None for 1024.
            api_version: "v1" or "v2"; None for the client's.

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
            ValueError, TypeError: The prompts make no sense; nothing was sent.
        """
        call = sam.call(
            names=names,
            points=points,
            box=box,
            boxes=boxes,
            like=like,
            unlike=unlike,
            model=model,
            confidence=confidence,
        )
        prediction = self.run(call, image, image_size=image_size, api_version=api_version)
        return cast("InstancePrediction", prediction)

    def detect(
        self,
        image: ImageLike,
        names: Sequence[str] | str,
        *,
        model: str = "yolo-world",
        confidence: float | None = None,
        image_size: ImageSize = None,
        api_version: ApiVersion | VersionName | None = None,
    ) -> DetectionPrediction:
        """Detect objects of any names (open-vocabulary detection).

        Args:
            image: As ``predict`` takes it.
            names: What to detect, in words.
            model: "yolo-world", or "yolo-world/v2-s" for one of its versions.
            confidence: Least confidence, fraction in [0, 1]; None for 0.05, as the documentation
                has it: YOLO-World's scores are low, above all for one lone name.
            image_size: Longest side to send, in pixels; "original"; None for 1024.
            api_version: "v1" or "v2"; None for the client's.

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
            ValueError, TypeError: The names make no sense; nothing was sent.
        """
        call = open_vocabulary.call(names, model=model, confidence=confidence)
        prediction = self.run(call, image, image_size=image_size, api_version=api_version)
        return cast("DetectionPrediction", prediction)

    def classify(
        self,
        image: ImageLike,
        names: Sequence[str] | str,
        *,
        model: str = "clip",
        image_size: ImageSize = None,
        api_version: ApiVersion | VersionName | None = None,
    ) -> ClassificationPrediction:
        """Rank names by how well they describe the image (zero-shot classification).

        The scores are cosine similarities, not probabilities: they order the names, and mean
        nothing as percent. More than 8 names become several requests.

        Args:
            image: As ``predict`` takes it.
            names: The descriptions to compare, such as "a photo of a cat".
            model: "clip", or "clip/ViT-B-32" for one of its versions.
            image_size: Longest side to send, in pixels; "original"; None for 1024.
            api_version: "v1" or "v2"; None for the client's.

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
            ValueError, TypeError: The names make no sense; nothing was sent.
        """
        call = clip.call(names, model=model)
        prediction = self.run(call, image, image_size=image_size, api_version=api_version)
        return cast("ClassificationPrediction", prediction)

    def ask(
        self,
        image: ImageLike,
        prompt: str | Sequence[str] | None = None,
        *,
        task: str | None = None,
        region: Box | None = None,
        model: str = "florence-2-base",
        max_new_tokens: int = 1024,
        image_size: ImageSize = None,
        api_version: ApiVersion | VersionName | None = None,
    ) -> Prediction:
        """Send a vision-language model a text or a task; without either it writes a caption.

        Args:
            image: As ``predict`` takes it.
            prompt: A text such as "How many dogs are there?" (Qwen-VL, PaliGemma, …); for
                Florence-2 the phrase or the names that its task needs.
            task: A task of Florence-2 by its plain name, such as "object-detection" or "ocr".
            region: A box (x0, y0, x1, y1) in pixels of the original, for the tasks on regions.
            model: "florence-2-base", "florence-2-large", "qwen3vl-2b-instruct", ….
            max_new_tokens: Longest response in tokens, at most 1024.
            image_size: Longest side to send, in pixels; "original"; None for 1024.
            api_version: "v2"; v1 does not run these models.

        Returns:
            A TextPrediction; a DetectionPrediction or InstancePrediction where the task gives
            boxes or masks. Florence-2 reports no confidences: they are None.

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
            ValueError, TypeError: The prompt makes no sense; nothing was sent.
        """
        call: PromptedCall = florence2.call(
            prompt, task=task, region=region, model=model, max_new_tokens=max_new_tokens
        )
        return self.run(call, image, image_size=image_size, api_version=api_version)

    def read(
        self,
        image: ImageLike,
        *,
        model: str = "pp-ocr",
        image_size: ImageSize = None,
        api_version: ApiVersion | VersionName | None = None,
    ) -> TextPrediction:
        """Read the text in an image (OCR).

        Args:
            image: As ``predict`` takes it.
            model: "pp-ocr" (text with boxes), "easy-ocr", "doctr" or "trocr" (one line of text).
            image_size: Longest side to send, in pixels; "original"; None for 2048.
            api_version: "v1" or "v2"; None for the client's.

        Returns:
            The text, and one detection for each line where the model gives boxes; its class name
            is the text.

        Raises:
            HostedError: See ``rfhosted.errors``; each says the next step.
            ValueError: No such model; nothing was sent.
        """
        prediction = self.run(
            ocr.call(model), image, image_size=image_size, api_version=api_version
        )
        return cast("TextPrediction", prediction)

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
        self._own_key_must_be_there()
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
        self._own_key_must_be_there()
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
