"""What a client makes of a server, for another process: plain values that can be pickled."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import warnings
from dataclasses import dataclass, field

from PIL import Image

from rfhosted import Client, HostedError
from support.leaks import chain

KEY = "CANARYab12CD34ef56GH78"


@dataclass(frozen=True)
class Setup:
    """How a client is used.

    Attributes:
        options: Of ``Client``.
        environment: Variables that are set.
        image: A URL to open instead of a prediction.
    """

    options: dict = field(default_factory=dict)
    environment: dict = field(default_factory=dict)
    image: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        error: Name of the exception, or None.
        typed: Whether it is a HostedError.
        message: Its text.
        shown: All that was printed, logged or stands in a traceback with variables.
        after: Class name of the only object that a second request to the same server found, or the
            name of an exception.
    """

    error: str | None
    typed: bool
    message: str
    shown: str
    after: str | None


def predict(url: str, setup: Setup) -> Outcome:
    """Use a client against a server that may behave badly at its first request.

    The second goes to model ``after/2``; the server should name its only object so.
    """
    os.environ.update(setup.environment)
    os.environ.pop("ROBOFLOW_API_KEY", None)
    os.chdir(tempfile.gettempdir())
    logging.basicConfig(level=logging.DEBUG)
    printed = io.StringIO()
    error: BaseException | None = None
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        logging.getLogger().handlers[0].setStream(printed)
        warnings.simplefilter("always")
        client = Client(KEY, **{"base_url": url, "timeout": 2, "retries": 0} | setup.options)
        image = client.open(Image.new("RGB", (300, 200)))
        try:
            if setup.image:
                client.open(setup.image)
            else:
                prediction = client.predict(image, "fault/1", task="object-detection")
                print(repr(prediction), prediction.raw, prediction.rows())
        except BaseException as caught:  # noqa: BLE001 - it is looked at
            error = caught
        after = None if setup.image else _after(client, image)
    shown = printed.getvalue() + (chain(error) if error else "")
    name = type(error).__name__ if error else None
    return Outcome(name, isinstance(error, HostedError), str(error or ""), shown, after)


def _after(client: Client, image: object) -> str | None:
    try:
        rows = client.predict(image, "after/2", task="object-detection").rows()
    except Exception as caught:  # noqa: BLE001 - it is looked at
        return type(caught).__name__
    return rows[0]["class_name"] if rows else None
