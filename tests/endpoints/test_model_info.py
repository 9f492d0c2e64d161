"""The input size of a model, from a platform that reports it, or reports something else."""

from __future__ import annotations

import json
import threading

import pytest

from rfhosted.endpoints.model_info import Sizes
from rfhosted.errors import UnreachableError
from rfhosted.hosted import Region
from rfhosted.keys import ApiKey
from rfhosted.transport.request import Reply
from rfhosted.transport.stopwatch import Split


class Platform:
    """A transport to a platform that responds with these bodies, by path."""

    def __init__(self, **bodies: bytes) -> None:
        self.bodies, self.paths = bodies, []

    def send(self, request, key, *, timeout, retries, stop=None) -> Reply:
        assert (request.method, key.reveal(), retries) == ("GET", "k3y", 0)
        path = request.url.partition("roboflow.com/")[2]
        self.paths.append(path)
        body = self.bodies["workspace" if path == "" else "version"]
        if body == b"":
            raise UnreachableError("No response")
        return Reply(200, {}, body, 0.1, Split(0, 0, 0, 0))


def look_up(platform: Platform, model_id: str = "mine/3") -> int | None:
    return Sizes().look_up(platform, ApiKey("k3y"), Region.US, model_id)


def resize(**size) -> bytes:
    return json.dumps({"version": {"preprocessing": {"resize": size}}}).encode()


WORKSPACE = b'{"workspace": "acme"}'


@pytest.mark.parametrize(
    ("model_id", "paths"),
    [
        ("mine/3", ["", "acme/mine/3"]),
        ("acme/mine-3-rfdetr-small-t2", ["acme/mine/3"]),
        ("acme/my-cats-12-yolo-t1", ["acme/my-cats/12"]),
    ],
)
def test_where_the_size_is(model_id, paths) -> None:
    platform = Platform(workspace=WORKSPACE, version=resize(width="416", height="320"))
    assert look_up(platform, model_id) == 416
    assert platform.paths == paths


def test_a_slug_that_names_no_version_is_not_looked_up() -> None:
    platform = Platform()
    assert look_up(platform, "acme/some-workflow") is None
    assert platform.paths == []


def test_a_workspace_stays_one_segment() -> None:
    platform = Platform(workspace=b'{"workspace": "../a?b#c"}', version=resize(width=1, height=1))
    look_up(platform)
    assert platform.paths[1] == "..%2Fa%3Fb%23c/mine/3"


@pytest.mark.parametrize("body", [
    b"", b"<html>", b"[1]", b"{}", b"null", b'{"version": {"preprocessing": {}}}',
    b'{"version": {"preprocessing": {"resize": null}}}', b"[" * 100_000,
    resize(width="wide", height="416"), resize(width=None, height=1), resize(width=0, height=0),
    resize(width=-5, height=-5), resize(width=10**30, height=1), resize(width=float("inf"), height=1),
    resize(width=float("nan"), height=1), resize(width=[1], height=1), resize(width="9" * 5000, height=1),
], ids=range(17))  # fmt: skip
def test_anything_else_is_no_size(body) -> None:
    assert look_up(Platform(workspace=WORKSPACE, version=body)) is None
    assert look_up(Platform(workspace=body, version=b"")) is None


def test_it_is_looked_up_once_by_all_threads() -> None:
    platform = Platform(workspace=WORKSPACE, version=resize(width=640, height=640))
    sizes, found = Sizes(), []

    def work() -> None:
        found.append(sizes.look_up(platform, ApiKey("k3y"), Region.US, "mine/3"))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [640] * 16
    assert len(platform.paths) == 2
