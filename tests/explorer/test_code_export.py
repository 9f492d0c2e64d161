"""The exported code, run as Python and by curl, gives the result that it was exported for."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rfhosted import Call, Client, local, sample
from rfhosted.explorer.code_export import LOCAL_ADDRESS, curl_command, python_code
from rfhosted.explorer.code_export import _text as literal
from rfhosted.explorer.settings import Source
from rfhosted.hosted import IMAGE_TASKS
from support.exported import SAMPLES, lasting, lasting_part, needs_curl, python, shell
from support.scripted import Response

NASTY = 'it\'s a "dog"; $HOME, `x` & é\\n.jpg'


@pytest.fixture(scope="module")
def server():
    with local.serve() as running:
        yield running


def named(name, kind="file"):
    """An image's source where only its name matters."""
    return Source(None, name, kind)


def prepared(client, name, kind="file", image=None, **fields):
    """A source, and the request that is made of it."""
    source = Source(client.open(name if image is None else image), name, kind)
    return source, client.prepare(source.image, Call(**fields), ask_platform=False)


@needs_curl
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("task", IMAGE_TASKS)
def test_a_file_that_is_sent_as_it_is(task, version, server):
    client = Client()
    source, request = prepared(
        client,
        str(sample(SAMPLES[task])),
        task=task,
        api_version=version,
        confidence=0.3,
        overlap=0.6,
    )
    expected = lasting(client.send(request))
    assert lasting(python(python_code(client, source, request.call))) == expected
    curl = curl_command(client, source, request, local_address=server.url)
    assert "python -c" not in curl
    assert lasting_part(json.loads(shell(curl))) == expected


@needs_curl
@pytest.mark.parametrize("version", [pytest.param("v1", marks=pytest.mark.slow), "v2"])
@pytest.mark.parametrize("task", IMAGE_TASKS)
def test_an_image_that_is_scaled_first(task, version, server):
    client, filters = Client(), {"confidence": 0.2, "classes": None}
    source, request = prepared(
        client,
        SAMPLES[task],
        "sample",
        sample(SAMPLES[task]),
        model=f"local/{task}",
        task=task,
        api_version=version,
        image_size=300,
        confidence=0.1,
    )
    expected = client.send(request)
    shown = python(python_code(client, source, request.call, filters))
    assert lasting(shown) == lasting(expected)
    # v1's class maps have no confidences that a threshold could be applied to.
    assert shown.confidence == (0.2 if shown.has_confidences else 0.1)
    assert shown.rows() == expected.filter(confidence=0.2).rows()
    curl = curl_command(client, source, request, filters, local_address=server.url)
    assert "not filtered" in curl
    assert lasting_part(json.loads(shell(curl))) == lasting(expected)
    (made,) = Path().glob("rfhosted-upload.*")
    assert made.read_bytes() == request.file


def test_the_python_runs_in_another_process():
    call, filters = Call(task="keypoint-detection"), {"keypoint_confidence": 0.5}
    code = python_code(Client(), named("camera", "sample"), call, filters)
    expected = python(code)
    code += "\nprint(p.rows())\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert ast.literal_eval(done.stdout) == expected.rows()
    points = [point for row in expected.rows() for point in row["key_points"].values()]
    assert points
    assert min(confidence for _, _, confidence in points) >= 0.5


@needs_curl
@pytest.mark.parametrize("size", [None, 200])
def test_names_of_any_characters(size, server):
    shutil.copy(sample("cat"), NASTY)
    client = Client()
    source, request = prepared(client, NASTY, image_size=size)
    expected = lasting(client.send(request))
    assert expected["predictions"]
    assert lasting(python(python_code(client, source, request.call))) == expected
    curl = curl_command(client, source, request, local_address=server.url)
    assert lasting_part(json.loads(shell(curl))) == expected


@pytest.mark.parametrize("kind", ["upload", "pixels"])
def test_an_image_without_a_file_is_saved_first(kind, server):
    name = f"mine {kind}.png"
    Image.open(sample("cat")).save(name)
    image = Image.open(name).copy() if kind == "pixels" else Path(name).read_bytes()
    client = Client()
    source, request = prepared(client, name, kind, image)
    expected = lasting(client.send(request))
    code = python_code(client, source, request.call)
    assert f"# First save the image as {name}" in code
    assert lasting(python(code)) == expected
    curl = curl_command(client, source, request, local_address=server.url)
    assert f"# First save the image as {name}" in curl
    assert ("python -c" in curl) == (kind == "pixels")
    if shutil.which("curl"):
        assert lasting_part(json.loads(shell(curl))) == expected


@needs_curl
def test_an_image_from_a_url_is_the_same_bytes(scripted, server):
    scripted.respond(Response(sample("cat").read_bytes(), headers={"content-type": "image/jpeg"}))
    client = Client()
    source, request = prepared(client, f"{scripted.url}/it's a cat.jpg")
    expected = lasting(client.send(request))
    assert lasting(python(python_code(client, source, request.call))) == expected
    curl = curl_command(client, source, request, local_address=server.url)
    assert lasting_part(json.loads(shell(curl))) == expected


@needs_curl
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_key_comes_from_the_shell(version, scripted):
    client = Client("canary-key-123")
    source, request = prepared(
        client,
        str(sample("cat")),
        model="my-project/3",
        task="object-detection",
        api_version=version,
    )
    curl = curl_command(client, source, request)
    assert "canary" not in curl + python_code(client, source, request.call)
    assert "$ROBOFLOW_API_KEY" in curl
    host = {"v1": "https://detect.roboflow.com", "v2": "https://serverless.roboflow.com"}[version]
    assert f"'{host}/my-project/3?" in curl
    shell(curl.replace(host, scripted.url), ROBOFLOW_API_KEY="of-the-shell")
    (received,) = scripted.received
    in_header = received.headers.get("authorization") == "Bearer of-the-shell"
    in_query = received.query.pop("api_key", None) == "of-the-shell"
    assert (in_header, in_query) == (version == "v2", version == "v1")
    assert received.query == request.request.params
    assert request.file in received.body


@needs_curl
def test_a_server_of_your_own(scripted):
    image = np.asarray(Image.open(sample("cat")).resize((40, 30)))
    Image.fromarray(image).save("small.png")
    client = Client(base_url=scripted.url)
    source, request = prepared(
        client, "small.png", "pixels", image, model="a/1", task="object-detection"
    )
    python(python_code(client, source, request.call))
    shell(curl_command(client, source, request))
    by_python, by_curl = scripted.received
    assert by_python.path == by_curl.path == "/a/1"
    assert by_python.query == by_curl.query == request.request.params
    assert by_python.body == request.request.body
    assert request.file in by_curl.body
    assert "api_key" not in by_curl.query


def test_default_values_are_left_out():
    client, source = Client(), named("dog.jpg")
    code = python_code(client, source, Call())
    assert code == 'import rfhosted\n\np = rfhosted.predict("dog.jpg")\np'
    same = Call("yolov8n-640", task="object-detection", api_version="v2", overlap=0.3)
    code = python_code(client, source, same, {"confidence": None, "classes": None})
    assert 'p = rfhosted.predict("dog.jpg", "yolov8n-640")\np' in code
    low = Call(task="classification", confidence=0)
    assert "p = p.filter(confidence=0.4)" in python_code(client, source, low, {"confidence": 0.4})
    equal = Call(confidence=0.4)
    assert "filter" not in python_code(client, source, equal, {"confidence": 0.4})


def test_all_other_values_are_written():
    call = Call("mine/3", "instance-segmentation", "v2", "original", 0.05, 0.5)
    filters = {"confidence": 0.5, "classes": ["dog", "it's"], "keypoint_confidence": 0.25}
    assert python_code(Client(region="eu"), named("dog.jpg"), call, filters) == (
        "import rfhosted\n\n"
        'client = rfhosted.Client(region="eu")\n'
        "p = client.predict(\n"
        '    "dog.jpg",\n'
        '    "mine/3",\n'
        '    task="instance-segmentation",\n'
        '    image_size="original",\n'
        "    confidence=0.05,\n"
        "    overlap=0.5,\n"
        ")\n"
        'p = p.filter(confidence=0.5, classes=["dog", "it\'s"], keypoint_confidence=0.25)\n'
        "p"
    )


def test_the_local_server_is_started_first():
    client = Client()
    source, request = prepared(client, str(sample("cat")))
    curl = curl_command(client, source, request)
    assert curl.startswith("#")
    assert curl.partition("\n")[0].endswith("python -m rfhosted.local")
    assert f"'{LOCAL_ADDRESS}/local/object-detection?" in curl
    assert "api_key" not in curl
    assert "Authorization" not in curl


def test_a_name_cannot_end_a_comment():
    code = python_code(Client(), named("a\nrm -rf x.png", "upload"), Call())
    assert code.split("\n") == [
        "import rfhosted",
        "",
        "# First save the image as a\\nrm -rf x.png.",
        'p = rfhosted.predict("a\\nrm -rf x.png")',
        "p",
    ]
    ast.parse(code)


@given(st.text(st.characters()))
def test_a_literal_is_the_text(text):
    assert ast.literal_eval(literal(text)) == text
    literal(text).encode()
    assert "\n" not in literal(text)
