"""The default client, and the methods of ``Client`` that are module functions with it."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from rfhosted.client import Client
from rfhosted.keys import find_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfhosted.keys import ApiKey

P = ParamSpec("P")
Result = TypeVar("Result")


def default_client() -> Client:
    """The client of the module functions: made anew only when another key is found."""
    return _client_for(find_key())


@functools.lru_cache(maxsize=1)
def _client_for(key: ApiKey | None) -> Client:
    return Client(key)


def _with_default_client(
    method: Callable[Concatenate[Client, P], Result],
) -> Callable[P, Result]:
    """The method of Client as a function that uses the default client."""

    @functools.wraps(method)
    def function(*args: P.args, **kwargs: P.kwargs) -> Result:
        return method(default_client(), *args, **kwargs)

    # What Tab and Shift-Tab show: the method without self.
    signature = inspect.signature(method)
    _, *parameters = signature.parameters.values()
    function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # read by inspect
    function.__module__ = __name__
    return function


predict = _with_default_client(Client.predict)
segment = _with_default_client(Client.segment)
detect = _with_default_client(Client.detect)
classify = _with_default_client(Client.classify)
ask = _with_default_client(Client.ask)
read = _with_default_client(Client.read)
run_workflow = _with_default_client(Client.run_workflow)
describe_workflow = _with_default_client(Client.describe_workflow)
