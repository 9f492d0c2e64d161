"""Explore Roboflow's Serverless Hosted API in notebooks: an image in, an understood prediction out.

>>> import rfhosted
>>> rfhosted.predict(rfhosted.sample("cat"))  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rfhosted.client import Client, predict
    from rfhosted.comparison.comparison import Comparison, compare
    from rfhosted.comparison.size_sweep import Sweep, sweep
    from rfhosted.endpoints.call import Call
    from rfhosted.errors import (
        AuthenticationError,
        HostedError,
        ImageError,
        InvalidRequestError,
        ModelNotFoundError,
        ModelNotReadyError,
        PaymentRequiredError,
        PermissionDeniedError,
        RateLimitedError,
        ServiceError,
        TooLargeError,
        UnexpectedAnswerError,
        UnreachableError,
        UnsupportedError,
    )
    from rfhosted.explorer import Explorer, explore
    from rfhosted.hosted import ApiVersion, Task
    from rfhosted.images.samples import sample, sample_names
    from rfhosted.latency import Benchmark, benchmark, published
    from rfhosted.prediction import Prediction

#: Public name -> the module that it comes from, imported when the name is first used.
_HOMES = {
    "client": ("Client", "predict"),
    "endpoints.call": ("Call",),
    "comparison.comparison": ("Comparison", "compare"),
    "comparison.size_sweep": ("Sweep", "sweep"),
    "errors": (
        *("AuthenticationError", "HostedError", "ImageError", "InvalidRequestError"),
        *("ModelNotFoundError", "ModelNotReadyError", "PaymentRequiredError"),
        *("PermissionDeniedError", "RateLimitedError", "ServiceError", "TooLargeError"),
        *("UnexpectedAnswerError", "UnreachableError", "UnsupportedError"),
    ),
    "explorer": ("Explorer", "explore"),
    "hosted": ("ApiVersion", "Task"),
    "images.samples": ("sample", "sample_names"),
    "latency": ("Benchmark", "benchmark", "published"),
    "prediction": ("Prediction",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__version__ = "0.1.0"
__all__ = [
    "ApiVersion",
    "AuthenticationError",
    "Benchmark",
    "Call",
    "Client",
    "Comparison",
    "Explorer",
    "HostedError",
    "ImageError",
    "InvalidRequestError",
    "ModelNotFoundError",
    "ModelNotReadyError",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "Prediction",
    "RateLimitedError",
    "ServiceError",
    "Sweep",
    "Task",
    "TooLargeError",
    "UnexpectedAnswerError",
    "UnreachableError",
    "UnsupportedError",
    "benchmark",
    "compare",
    "explore",
    "predict",
    "published",
    "sample",
    "sample_names",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'rfhosted' has no attribute {name!r}")
    return getattr(importlib.import_module(f"rfhosted.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
