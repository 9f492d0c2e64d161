"""The verbs for prompted models: what ``Client`` can do besides ``predict``.

Each verb turns its arguments into the call of one route (``endpoints/``) and runs it.
``client.py`` knows how a call is prepared, sent and read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfhosted.endpoints.prompted import PreparedPrompts, PromptedCall
    from rfhosted.hosted import ApiVersion, VersionName
    from rfhosted.images.sources import ImageLike
    from rfhosted.images.upload import ImageSize
    from rfhosted.prediction import Prediction


class Verbs:
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

    def prepare_prompted(
        self,
        image: ImageLike,
        call: PromptedCall,
        *,
        image_size: ImageSize = None,
        api_version: ApiVersion | VersionName | None = None,
    ) -> PreparedPrompts:
        """What ``run`` would send; ``Client`` does it."""
        raise NotImplementedError

    def send_prompted(self, prepared: PreparedPrompts) -> Prediction:
        """Send it; ``Client`` does it."""
        raise NotImplementedError
