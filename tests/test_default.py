"""The module functions: a default client, and everything that Tab and Shift-Tab can tell."""

from __future__ import annotations

import inspect
import typing

import pytest

import rfhosted
from rfhosted import Client
from rfhosted.default import default_client
from rfhosted.hosted import IMAGE_TASKS, ApiVersion, Region, RegionName, TaskName, VersionName

FUNCTIONS = ["predict", "compare", "sweep", "benchmark", "explore", "sample", "sample_names"]


def test_predict_has_the_signature_of_the_method() -> None:
    method = inspect.signature(Client.predict)
    _, *parameters = method.parameters.values()
    assert inspect.signature(rfhosted.predict) == method.replace(parameters=parameters)
    assert rfhosted.predict.__doc__ == Client.predict.__doc__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_names_and_documents_its_arguments(name) -> None:
    function = getattr(rfhosted, name)
    parameters = inspect.signature(function).parameters
    _, _, documented = function.__doc__.partition("Args:")
    for parameter in parameters.values():
        assert parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        assert parameter.annotation is not parameter.empty
        assert f"  {parameter.name}: " in documented


@pytest.mark.parametrize("name", ["predict", "sweep", "benchmark"])
def test_the_tasks_are_in_the_help(name) -> None:
    assert [task for task in IMAGE_TASKS if task not in getattr(rfhosted, name).__doc__] == []


def test_names_as_text_are_those_of_the_enums() -> None:
    for names, choices in (
        (TaskName, IMAGE_TASKS),
        (VersionName, ApiVersion),
        (RegionName, Region),
    ):
        assert typing.get_args(names) == tuple(choices)


def test_ipython_completes_verbs_first_and_arguments() -> None:
    from IPython.core.completer import provisionalcompleter
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.user_ns["rfhosted"] = rfhosted

    def completed(text: str) -> list[str]:
        with provisionalcompleter():
            return [found.text for found in shell.Completer.completions(text, len(text))]

    assert set(FUNCTIONS) < {name.strip(".") for name in completed("rfhosted.")} < {*dir(rfhosted)}
    assert completed("rfhosted.predict(image_s") == ["image_size="]
    assert completed("rfhosted.Task.OBJECT_D") != []  # not listed, but known


def test_the_default_client_follows_the_key(monkeypatch) -> None:
    local = default_client()
    assert local.is_local
    assert default_client() is local
    monkeypatch.setenv("ROBOFLOW_API_KEY", "canary")
    assert not default_client().is_local
