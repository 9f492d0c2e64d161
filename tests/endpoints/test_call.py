"""What is requested, as one value: odd values are refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from rfhosted import ApiVersion, Client, Task
from rfhosted.endpoints.call import Call


def test_strings_and_numpys_numbers_become_the_librarys_own():
    call = Call("a/1", "object-detection", "V2", np.int64(640), np.float32(0.5))
    assert (call.task, call.api_version) == (Task.OBJECT_DETECTION, ApiVersion.V2)
    assert type(call.image_size) is int
    assert call == Call("a/1", Task.OBJECT_DETECTION, ApiVersion.V2, 640, 0.5)


@pytest.mark.parametrize("model", [3, ("project", 3), b"a/1", 1.5, ["a/1"]])
def test_a_model_of_another_type(model):
    client = Client("k" * 20)
    for use in (Call, client.route, lambda model: client.predict(b"", model)):
        with pytest.raises(TypeError, match="model"):
            use(model)


@pytest.mark.parametrize(
    "fields",
    [{"api_version": ""}, {"api_version": 0}, {"api_version": []}, {"api_version": "v3"},
     {"task": ""}, {"task": "detect"}, {"image_size": 0}, {"image_size": "huge"},
     {"image_size": True}, {"confidence": 40}, {"overlap": float("nan")}],
)  # fmt: skip
def test_a_value_that_makes_no_sense(fields):
    with pytest.raises(ValueError):
        Call("a/1", **fields)


def test_a_route_may_be_looked_up_by_the_name_of_a_model():
    client = Client("k" * 20)
    assert client.route("rfdetr-nano") == client.route(Call("rfdetr-nano"))
    assert client.route() == client.route(Call())
