"""The exported code is run, as Python and by curl, and gives the result that it was exported for."""

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

import rfhosted
from rfhosted import Client, Task, local, sample
from rfhosted.explorer.code_export import LOCAL_ADDRESS, Call, curl_command, python_code
from rfhosted.explorer.code_export import _text as literal
from rfhosted.images import sources
from support.exported import SAMPLES, lasting, lasting_part, needs_curl, python, shell
from support.scripted import Response

NASTY = 'it\'s a "dog"; $HOME, `x` & é\\n.jpg'


@pytest.fixture(scope="module")
def server():
    with local.serve() as running:
        yield running


def asked(client, image, call):
    return client.prepare(
        image,
        rfhosted.Call(
            call.model,
            call.task,
            call.api_version,
            call.image_size,
            call.confidence,
            call.overlap,
        ),
        ask_platform=False,
    )


@needs_curl
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("task", Task)
def test_a_file_that_goes_as_it_is(task, version, server):
    image = str(sample(SAMPLES[task]))
    call = Call(image, task=task, api_version=version, confidence=0.3, overlap=0.6)
    prepared = asked(Client(), image, call)
    expected = lasting(Client().send(prepared))
    assert lasting(python(python_code(call))) == expected
    curl = curl_command(prepared, call, local_address=server.url)
    assert "python -c" not in curl
    assert lasting_part(json.loads(shell(curl))) == expected


@needs_curl
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("task", Task)
def test_a_picture_that_is_scaled_first(task, version, server):
    name = SAMPLES[task]
    call = Call(
        name,
        "sample",
        model=f"local/{task}",
        task=task,
        api_version=version,
        image_size=300,
        confidence=0.1,
        shown_confidence=0.2,
    )
    prepared = asked(Client(), sample(name), call)
    expected = Client().send(prepared)
    shown = python(python_code(call))
    assert lasting(shown) == lasting(expected)
    assert shown.confidence == 0.2
    assert shown.rows() == expected.filter(confidence=0.2).rows()
    curl = curl_command(prepared, call, local_address=server.url)
    assert "not filtered" in curl
    assert lasting_part(json.loads(shell(curl))) == lasting(expected)
    (made,) = Path().glob("rfhosted-upload.*")
    assert made.read_bytes() == prepared.file


def test_the_python_runs_in_a_process_of_its_own():
    call = Call("camera", "sample", task="keypoint-detection", keypoint_confidence=0.5)
    expected = python(python_code(call))
    code = python_code(call) + "\nprint(p.rows())\n"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert ast.literal_eval(said.stdout) == expected.rows()
    points = [point for row in expected.rows() for point in row["key_points"].values()]
    assert points
    assert min(confidence for _, _, confidence in points) >= 0.5


@needs_curl
@pytest.mark.parametrize("size", [None, 200])
def test_names_of_any_characters(size, server):
    shutil.copy(sample("cat"), NASTY)
    call = Call(NASTY, image_size=size)
    prepared = asked(Client(), NASTY, call)
    expected = lasting(Client().send(prepared))
    assert expected["predictions"]
    assert lasting(python(python_code(call))) == expected
    curl = curl_command(prepared, call, local_address=server.url)
    assert lasting_part(json.loads(shell(curl))) == expected


@pytest.mark.parametrize("source", ["upload", "pixels"])
def test_what_is_no_file_here_is_saved_first(source, server):
    name = f"mine {source}.png"
    Image.open(sample("cat")).save(name)
    image = Image.open(name).copy() if source == "pixels" else Path(name).read_bytes()
    call = Call(name, source)
    prepared = asked(Client(), image, call)
    expected = lasting(Client().send(prepared))
    code = python_code(call)
    assert f"# First save the picture as {name}" in code
    assert lasting(python(code)) == expected
    curl = curl_command(prepared, call, local_address=server.url)
    assert f"# First save the picture as {name}" in curl
    assert ("python -c" in curl) == (source == "pixels")
    if shutil.which("curl"):
        assert lasting_part(json.loads(shell(curl))) == expected


@needs_curl
def test_a_picture_from_a_url_is_the_same_bytes(scripted, server):
    scripted.respond(Response(sample("cat").read_bytes(), headers={"content-type": "image/jpeg"}))
    url = f"{scripted.url}/cat.jpg?a=1&b=it's"
    call = Call(url)
    prepared = asked(Client(), url, call)
    expected = lasting(Client().send(prepared))
    assert lasting(python(python_code(call))) == expected
    curl = curl_command(prepared, call, local_address=server.url)
    assert lasting_part(json.loads(shell(curl))) == expected


@needs_curl
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_key_comes_from_the_shell(version, scripted):
    image = str(sample("cat"))
    call = Call(image, model="my-project/3", task="object-detection", api_version=version)
    prepared = asked(Client("canary-key-123"), image, call)
    curl = curl_command(prepared, call)
    assert "canary" not in curl + python_code(call)
    assert "$ROBOFLOW_API_KEY" in curl
    host = {"v1": "https://detect.roboflow.com", "v2": "https://serverless.roboflow.com"}[version]
    assert f"'{host}/my-project/3?" in curl
    shell(curl.replace(host, scripted.url), ROBOFLOW_API_KEY="of-the-shell")
    (got,) = scripted.received
    in_header = got.headers.get("authorization") == "Bearer of-the-shell"
    in_query = got.query.pop("api_key", None) == "of-the-shell"
    assert (in_header, in_query) == (version == "v2", version == "v1")
    assert got.query == prepared.request.params
    assert prepared.file in got.body


@needs_curl
def test_a_server_of_your_own(scripted):
    image = np.asarray(Image.open(sample("cat")).resize((40, 30)))
    Image.fromarray(image).save("small.png")
    call = Call("small.png", "pixels", model="a/1", task="object-detection", base_url=scripted.url)
    python(python_code(call))
    prepared = asked(Client(base_url=scripted.url), image, call)
    shell(curl_command(prepared, call, has_key=False))
    by_python, by_curl = scripted.received
    assert by_python.path == by_curl.path == "/a/1"
    assert by_python.query == by_curl.query == prepared.request.params
    assert by_python.body == prepared.request.body
    assert prepared.file in by_curl.body
    assert "api_key" not in by_curl.query


def test_code_leaves_out_what_is_the_default():
    assert python_code(Call("dog.jpg")) == 'import rfhosted\n\np = rfhosted.predict("dog.jpg")\np'
    same = Call(
        "dog.jpg",
        model="yolov8n-640",
        task="object-detection",
        shown_confidence=0.4,
        region="us",
    )
    assert 'p = rfhosted.predict("dog.jpg", "yolov8n-640")\np' in python_code(same)
    ranking = Call("dog.jpg", task="classification", shown_confidence=0.4)
    assert "p = p.filter(confidence=0.4)" in python_code(ranking)


def test_code_says_everything_else():
    call = Call(
        "dog.jpg",
        model="mine/3",
        task="instance-segmentation",
        api_version="v2",
        image_size="original",
        confidence=0.05,
        overlap=0.5,
        region="eu",
        shown_confidence=0.5,
        classes=("dog", "it's"),
        keypoint_confidence=0.25,
    )
    assert python_code(call) == (
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


def test_this_machine_is_served_where_its_own_command_serves_it():
    image = sample("cat")
    curl = curl_command(asked(Client(), image, Call(str(image))), Call(str(image)))
    assert curl.startswith("# Serve the models of this machine first: python -m rfhosted.local\n")
    assert f"'{LOCAL_ADDRESS}/local/object-detection?" in curl
    assert "api_key" not in curl
    assert "Authorization" not in curl


def test_a_name_cannot_end_a_comment():
    call = Call("a\nrm -rf x.png", "upload")
    assert python_code(call).split("\n") == [
        "import rfhosted",
        "",
        "# First save the picture as a\\nrm -rf x.png.",
        'p = rfhosted.predict("a\\nrm -rf x.png")',
        "p",
    ]
    ast.parse(python_code(call))


@given(st.text(st.characters()))
def test_a_literal_is_the_text(text):
    assert ast.literal_eval(literal(text)) == text
    literal(text).encode()
    assert "\n" not in literal(text)


def test_the_file_of_a_prepared_question():
    data = sample("cat").read_bytes()
    assert Client().prepare(data).file == data
    scaled = Client().prepare(data, rfhosted.Call(image_size=100))
    assert scaled.request.body.count(scaled.file) == 1
    assert sources.load(scaled.file).size == scaled.upload.size
