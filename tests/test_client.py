"""The client: what it sends, where, and what it makes of what comes back."""

from __future__ import annotations

import base64
import copy
import json
import pickle

import numpy as np
import pytest
import responses
from PIL import Image

from rfhosted import Client, UnreachableError, errors, hosted, sample
from rfhosted.endpoints.call import Call
from rfhosted.hosted import IMAGE_TASKS, Task
from support.recordings import recordings
from support.scripted import Response

KEY = "abcdef0123456789"
TASK_OF_MODEL = {
    "blob-od": "object-detection",
    "blob-seg": "instance-segmentation",
    "blob-kp": "keypoint-detection",
    "blob-cls": "classification",
    "blob-multi": "classification",
    "blob-sem": "semantic-segmentation",
}


def client(scripted, **options) -> Client:
    return Client(**({"base_url": scripted.url} | options))


def parts(body: bytes) -> tuple[bytes, bytes]:
    """Head and content of the one part of a form."""
    head, _, rest = body.partition(b"\r\n\r\n")
    return head, rest.rpartition(b"\r\n--")[0]


# What is sent ------------------------------------------------------------------------------------

#: Parameters of the recordings that the client sends too, and how it is told to.
SENT_TOO = {"api_key", "confidence", "overlap", "response_mask_format"}


def _comparable():
    for recording in recordings():
        request = recording.request
        body = request.get("body") or {}
        query = dict(p.split("=", 1) for p in request["query"].split("&") if "=" in p)
        project = request["path"].strip("/").split("/")[0]
        if (
            recording.status == 200
            and body.get("encoding") == "multipart"
            and project in TASK_OF_MODEL
            and set(query) <= SENT_TOO
            and _is_fraction(query.get("confidence", "0.4"))
            and _is_fraction(query.get("overlap", "0.3"))
            and query.get("response_mask_format") != "polygon"
            and not body["image_file"].startswith("(")
        ):
            yield recording, query, TASK_OF_MODEL[project]


def _is_fraction(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1 and float(text) != 1
    except ValueError:
        return False


COMPARABLE = list(_comparable())


def test_enough_recordings_are_compared() -> None:
    assert len(COMPARABLE) >= 25
    assert {task for _, _, task in COMPARABLE} == set(map(str, IMAGE_TASKS))


@pytest.mark.parametrize(
    ("recording", "query", "task"), COMPARABLE, ids=lambda v: getattr(v, "name", "")
)
def test_requests_are_the_recorded_ones(scripted, images, recording, query, task) -> None:
    recorded = recording.request
    scripted.respond(Response(recording.body))
    options = {k: float(query[k]) for k in ("confidence", "overlap") if k in query}
    prediction = client(scripted, api_key="test-key").predict(
        images / recorded["body"]["image_file"],
        recorded["path"].strip("/"),
        task=task,
        image_size="original",
        **options,
    )
    (asked,) = scripted.received
    assert asked.method == recorded["method"] == "POST"
    assert asked.path == recorded["path"]
    assert asked.query["api_key"] == query["api_key"]
    for name in set(query) & {"confidence", "overlap"}:
        assert float(asked.query[name]) == float(query[name])
    if query.get("response_mask_format") and task == "instance-segmentation":
        assert asked.query["response_mask_format"] == query["response_mask_format"]
    assert set(asked.query) <= SENT_TOO
    assert asked.headers["content-type"].startswith("multipart/form-data; boundary=")
    head, content = parts(asked.body)
    assert b'name="file"; filename="' in head
    assert content == (images / recorded["body"]["image_file"]).read_bytes()
    assert len(asked.body) == prediction.upload.nbytes
    assert prediction.raw == recording.json
    assert prediction.task == task
    assert prediction.model == recorded["path"].strip("/")


@pytest.mark.parametrize(
    ("given", "sent"),
    [(0, "0"), (0.005, "0.005"), (0.4, "0.4"), (0.999, "0.999"), (1, "100"), (1.0, "100")],
)
def test_one_is_not_one_percent(scripted, images, given, sent) -> None:
    client(scripted).predict(images / "one.jpg", "a/1", confidence=given, overlap=given)
    assert scripted.received[0].query["confidence"] == sent
    assert scripted.received[0].query["overlap"] == sent


@pytest.mark.parametrize("value", [-0.1, 1.01, 40, float("nan")])
def test_percent_is_refused(scripted, images, value) -> None:
    for name in ("confidence", "overlap"):
        with pytest.raises(ValueError, match=r"fraction"):
            client(scripted).predict(images / "one.jpg", "a/1", **{name: value})
    assert not scripted.received


def test_words_are_no_fractions(scripted, images) -> None:
    with pytest.raises(TypeError, match=r"overlap is a fraction from 0 to 1, not 'much'"):
        client(scripted).predict(images / "one.jpg", "a/1", overlap="much")


def test_wrong_choices_are_told_the_right_ones(scripted, images) -> None:
    with pytest.raises(ValueError, match="ApiVersion must be one of v1, v2"):
        client(scripted, api_version="v3")
    with pytest.raises(ValueError, match=r"Task must be one of .* Did you mean object-detection"):
        client(scripted).predict(images / "one.jpg", "a/1", task="detection")


@pytest.mark.parametrize("size", [0, -5, "large", 3.5, True])
def test_sizes_that_make_no_sense(scripted, images, size) -> None:
    with pytest.raises(ValueError, match="image_size"):
        client(scripted).predict(images / "one.jpg", "a/1", image_size=size)


HOSTED = [
    ("v2", "us", task, "https://serverless.roboflow.com") for task in IMAGE_TASKS
] + [
    ("v2", "eu", Task.OBJECT_DETECTION, "https://serverless.roboflow.eu"),
    ("v1", "us", Task.OBJECT_DETECTION, "https://detect.roboflow.com"),
    ("v1", "us", Task.KEYPOINT_DETECTION, "https://detect.roboflow.com"),
    ("v1", "us", Task.INSTANCE_SEGMENTATION, "https://outline.roboflow.com"),
    ("v1", "us", Task.CLASSIFICATION, "https://classify.roboflow.com"),
    ("v1", "us", Task.SEMANTIC_SEGMENTATION, "https://segment.roboflow.com"),
]  # fmt: skip


@pytest.mark.parametrize(("version", "region", "task", "host"), HOSTED)
def test_hosted_requests(images, version, region, task, host) -> None:
    with responses.RequestsMock() as web:
        web.post(
            f"{host}/mine/3",
            json={"predictions": [], "image": {"width": 200, "height": 200}}
            | ({"top": "", "confidence": 0} if task == Task.CLASSIFICATION else {})
            if task != Task.SEMANTIC_SEGMENTATION
            else semantic(),
        )
        prediction = Client(KEY, api_version=version, region=region).predict(
            images / "one.jpg", "mine/3", task=task, confidence=0.25
        )
        (call,) = web.calls
        query = call.request.params
        if version == "v2":
            assert call.request.headers["Authorization"] == f"Bearer {KEY}"
            assert "api_key" not in query
        else:
            assert "Authorization" not in call.request.headers
            assert query["api_key"] == KEY
        assert query["confidence"] == ("25" if "segment" in host else "0.25")
        masks = task == Task.INSTANCE_SEGMENTATION and version == "v2"
        assert query.get("response_mask_format") == ("rle" if masks else None)
    assert prediction.host == host.removeprefix("https://")
    told = any("V2" in note for note in prediction.notes)
    assert told == (version == "v1")


def semantic() -> dict:
    import io

    file = io.BytesIO()
    Image.fromarray(np.array([[0, 1], [1, 7]], np.uint8)).save(file, "PNG")
    mask = base64.b64encode(file.getvalue()).decode()
    return {"segmentation_mask": mask, "class_map": {"0": "background", "1": "road"}}


def test_v2_is_recommended_once(scripted, images) -> None:
    one = client(scripted, api_version="v1")
    notes = [one.predict(images / "one.jpg", "coco/3").notes for _ in range(3)]
    assert [len(n) for n in notes] == [1, 0, 0]


# Sizes -------------------------------------------------------------------------------------------


def mine(web, resize, *, workspace="acme", project="mine", version="3") -> None:
    web.get(f"{hosted.PLATFORM_HOSTS['us']}/", json={"workspace": workspace})
    web.get(
        f"{hosted.PLATFORM_HOSTS['us']}/{workspace}/{project}/{version}",
        json={"version": {"preprocessing": {"resize": resize} if resize else {}}},
    )


EMPTY = {"predictions": [], "image": {"width": 1, "height": 1}}


@pytest.mark.parametrize(("model", "size"), [("mine/3", 416), ("acme/mine-3-rfdetr-small-t2", 416)])
def test_the_platform_is_asked_for_the_input_size_once(images, model, size) -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        mine(web, {"width": "416", "height": "320", "format": "Stretch to"})
        web.post(f"https://serverless.roboflow.com/{model}", json=EMPTY)
        asker = Client(KEY)
        for _ in range(2):
            assert max(asker.predict(images / "scene.jpg", model).upload.size) == size
        questions = [call for call in web.calls if "api.roboflow" in call.request.url]
        assert len(questions) == (2 if model == "mine/3" else 1)


@pytest.mark.parametrize("trouble", ["404", "shape", "silence", "no resize"])
def test_the_platform_is_never_in_the_way(images, trouble) -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        if trouble == "404":
            web.get(f"{hosted.PLATFORM_HOSTS['us']}/", status=404)
        elif trouble == "shape":
            web.get(f"{hosted.PLATFORM_HOSTS['us']}/", json=[1])
        elif trouble == "no resize":
            mine(web, None)
        web.post("https://serverless.roboflow.com/mine/3", json=EMPTY)
        prediction = Client(KEY).predict(images / "scene.jpg", "mine/3")
    assert prediction.upload.size == (640, 480)  # below 1024, so as it was


def test_sizes_by_name_and_by_hand(scripted, images) -> None:
    big = Image.open(images / "scene.jpg").resize((3000, 2250))
    one = client(scripted)
    for model, size, longest in [
        ("yolov8n-640", None, 640),
        ("yolov8n-1280", None, 1280),
        ("yolo26n-sem-1024", None, 1024),
        ("rfdetr-nano", None, 1024),
        ("rfdetr-nano", 320, 320),
        ("rfdetr-nano", np.int64(320), 320),
        ("rfdetr-nano", 9000, 3000),
        ("rfdetr-nano", "original", 3000),
    ]:
        scripted.respond(
            Response(json.dumps(semantic()).encode() if "sem" in model else b'{"predictions": []}')
        )
        assert max(one.predict(big, model, image_size=size).upload.size) == longest
    assert scripted.received[0].path == "/coco/3"


def test_the_limit_of_each_version(scripted) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (2600, 2600, 3), np.uint8)  # nothing compresses noise
    one = client(scripted)
    for version in ("v1", "v2"):
        upload = one.predict(noise, "coco/3", api_version=version, image_size=2600).upload
        limit = hosted.REQUEST_LIMITS[version]
        assert upload.nbytes == len(scripted.received[-1].body) <= limit
        assert upload.nbytes > limit * 0.2
    with pytest.raises(errors.TooLargeError):
        one.predict(
            rng.integers(0, 255, (5000, 5000, 3), np.uint8),
            "coco/3",
            api_version="v1",
            image_size="original",
        )


# What comes back ---------------------------------------------------------------------------------


def test_html_instead_of_json(scripted, images) -> None:
    scripted.respond(Response(b"<html>Log in</html>"))
    with pytest.raises(errors.UnexpectedAnswerError, match="not JSON") as caught:
        client(scripted).predict(images / "one.jpg", "a/1")
    assert caught.value.raw == "<html>Log in</html>"


def test_the_task_is_taken_from_the_answer_where_nobody_tells(scripted, images) -> None:
    for name, task in [
        ("instance-segmentation/rle", "instance-segmentation"),
        ("keypoint-detection/keypoint_confidence-0.5", "keypoint-detection"),
        ("classification/confidence-0", "classification"),
        ("multi-label-classification/base64-scene", "classification"),
        ("semantic-segmentation/scene", "semantic-segmentation"),
    ]:
        scripted.respond(Response(next(r.body for r in recordings() if r.name == name)))
        prediction = client(scripted).predict(images / "one.jpg", "mine/3")
        assert prediction.task == task
        assert scripted.received[-1].query["response_mask_format"] == "rle"


def test_retries_are_noted(scripted, images, monkeypatch) -> None:
    monkeypatch.setattr("rfhosted.transport.session._FIRST_BACKOFF", 0)
    scripted.respond(Response(status=503), Response(b'{"predictions": []}'))
    prediction = client(scripted).predict(images / "one.jpg", "a/1")
    assert prediction.timing.retries == ("503",)
    assert "503" in prediction.notes[0]


def test_pictures_from_urls(scripted, images) -> None:
    data = (images / "scene.jpg").read_bytes()
    scripted.respond(
        Response(data, headers={"content-type": "image/jpeg"}), Response(b'{"predictions": []}')
    )
    prediction = client(scripted).predict(f"{scripted.url}/scene.jpg", "a/1")
    assert prediction.image.size == (640, 480)
    assert parts(scripted.received[1].body)[1] == data


def test_an_image_from_a_url_that_is_none(scripted) -> None:
    scripted.respond(Response(b"GIF? no", headers={"content-type": "application/octet-stream"}))
    with pytest.raises(errors.ImageError):
        client(scripted).predict(f"{scripted.url}/x", "a/1")


def test_nothing_is_decoded_until_a_picture_is_asked_for(scripted, images, monkeypatch) -> None:
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    prediction = client(scripted).predict(images / "scene.jpg", "a/1", image_size="original")
    assert prediction.rows() == []
    assert "no objects above 0.40" in repr(prediction)


def test_a_filter_of_classes_that_leaves_nothing_says_what_there_is(images) -> None:
    cat = Client().predict(images / "cat.jpg")
    assert "1 cat" in cat.summary()
    assert (
        cat.filter(classes="dog").summary() == "no object of these classes above 0.40, only 1 cat"
    )
    above = cat.filter(classes="dog", confidence=1.0)
    assert above.summary() == "no objects above 1.00; try a lower confidence"
    with pytest.raises(ValueError, match="max_side is a whole number of pixels"):
        cat.draw(max_side=0)


def test_predictions_pickle(scripted, images) -> None:
    prediction = client(scripted, api_key=KEY).predict(images / "one.jpg", "coco/3")
    again = pickle.loads(pickle.dumps(prediction))
    assert again.raw == prediction.raw
    assert again.image.size == (200, 200)


def test_errors_pickle() -> None:
    error = errors.error_for(402, "no credits")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.status, again.server_message) == (402, "no credits")


@pytest.mark.parametrize(
    "url", ["localhost:9001", "ftp://a", "http://", "http://a?api_key=x", "http://u:p@a"]
)
def test_addresses_that_make_no_sense(url) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Client(base_url=url)


@pytest.mark.parametrize(
    "bad", [{"timeout": 0}, {"retries": -1}, {"api_version": "v3"}, {"region": "mars"}]
)
def test_arguments_that_make_no_sense(bad) -> None:
    with pytest.raises(ValueError):
        Client(**bad)


def test_reprs_say_where() -> None:
    assert repr(Client()) == "Client(v2: local models, no key)"
    assert repr(Client(base_url="http://x:1")) == "Client(v2: http://x:1, no key)"
    assert repr(Client(KEY, region="eu")) == "Client(v2: hosted, region eu, key set)"


def test_a_client_is_pickled_and_copied_without_its_key(scripted, images, monkeypatch) -> None:
    own = client(scripted, timeout=7, retries=0)
    for again in (pickle.loads(pickle.dumps(own)), copy.deepcopy(own), own.replace()):
        assert (again.base_url, again.timeout, again.retries) == (scripted.url, 7, 0)
        again.predict(images / "one.jpg", "a/1")
    data = pickle.dumps(Client(KEY))
    assert KEY.encode() not in data
    lost = pickle.loads(data)
    with pytest.raises(errors.AuthenticationError, match="pickled"):
        lost.predict(images / "one.jpg", "mine/3")
    monkeypatch.setenv("ROBOFLOW_API_KEY", KEY)
    assert pickle.loads(data).has_key
    assert copy.deepcopy(Client(KEY)).has_key


class _Recorded:
    """A transport that sends nothing and replies with what another one received."""

    def __init__(self, reply) -> None:
        self.reply, self.requests = reply, []

    def send(self, request, key, *, timeout, retries, stop=None):
        self.requests.append(request)
        return self.reply


def test_a_transport_can_be_passed_in(scripted, images) -> None:
    http = client(scripted)
    prepared = http.prepare(images / "one.jpg", Call("a/1"))
    reply = http.transport.send(prepared.request, None, timeout=5, retries=0)
    replay = _Recorded(reply)
    prediction = Client(base_url="http://x:1", transport=replay).predict(images / "one.jpg", "a/1")
    assert prediction.raw == reply.json()
    assert [request.url for request in replay.requests] == ["http://x:1/a/1"]


@pytest.mark.parametrize("bad", [{"timeout": (3, 10)}, {"timeout": None}, {"timeout": float("nan")},
                                 {"retries": 1.5}, {"retries": True}])  # fmt: skip
def test_arguments_of_another_type_are_named(bad) -> None:
    with pytest.raises((TypeError, ValueError), match=next(iter(bad))):
        Client(**bad)
    with pytest.raises(TypeError, match="model"):
        Client(KEY).predict("x.jpg", 3)


def test_an_endless_timeout_is_a_long_one(scripted, images) -> None:
    assert client(scripted, timeout=float("inf")).predict(images / "one.jpg", "a/1").rows() == []


def test_earlier_names_of_fields_are_kept(scripted, images) -> None:
    prediction = client(scripted).predict(images / "one.jpg", "a/1")
    assert prediction.picture is prediction.source_image
    assert prediction.found is prediction.objects


def test_a_local_model_that_needs_more_time_is_no_matter_of_the_network() -> None:
    client = Client(timeout=0.001)
    with pytest.raises(UnreachableError) as caught:
        client.predict(sample("photo_wall"), image_size="original")
    assert "local server" in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    assert "timeout=" in caught.value.advice
    assert "network" not in str(caught.value)
