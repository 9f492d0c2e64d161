"""One client in many threads, in asyncio, in forked and in spawned processes: each its response."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from rfhosted import Client
from support.raw_server import RawServer, response

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
#: Python warns of a fork beside threads; that it goes well is what is tested.
FORK_WARNS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def server():
    """Responds with one object, whose class is the model's name."""

    def behave(number: int, head: str):
        name = head.split()[1].split("/")[1]
        box = f'{{"x": 5, "y": 5, "width": 2, "height": 1, "confidence": 0.9, "class": "{name}"}}'
        body = f'{{"image": {{"width": 30, "height": 20}}, "predictions": [{box}]}}'
        return [0.005, response(200, body.encode())]

    with RawServer(behave) as server:
        yield server


def found(client: Client, name: str) -> str:
    """The class that a model of this name finds."""
    import numpy as np

    image = np.zeros((20, 30, 3), np.uint8)
    rows = client.predict(image, f"{name}/1", task="object-detection").rows()
    return rows[0]["class_name"]


NAMES = [f"m{i}" for i in range(64)]


def test_threads_get_their_own_responses_without_warnings(server, caplog) -> None:
    caplog.set_level(logging.WARNING)
    client = Client(base_url=server.url)
    together = threading.Barrier(32)

    def work(number: int) -> list[str]:
        together.wait(60)
        return [found(client, name) for name in NAMES[number::32]]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ThreadPoolExecutor(32) as pool:
            results = list(pool.map(work, range(32)))
    assert results == [NAMES[i::32] for i in range(32)]
    assert caplog.records == []


def test_asyncio_threads_get_their_own_responses(server) -> None:
    client = Client(base_url=server.url)

    async def work() -> list[str]:
        jobs = (asyncio.to_thread(found, client, name) for name in NAMES)
        return await asyncio.gather(*jobs)

    assert asyncio.run(work()) == NAMES


CLIENT: list[Client] = []


def found_by_child(name: str) -> str:
    return found(CLIENT[0], name)


@FORKS
@FORK_WARNS
def test_forked_workers_get_their_own_responses(server) -> None:
    CLIENT[:] = [Client(base_url=server.url)]
    assert found(CLIENT[0], "parent") == "parent"  # its connection stays open
    with multiprocessing.get_context("fork").Pool(4) as pool:
        results = pool.map_async(found_by_child, NAMES, chunksize=1)
        here = [found(CLIENT[0], name) for name in NAMES]
        assert results.get(60) == here == NAMES


@FORKS
@FORK_WARNS
def test_a_fork_during_requests_is_fine(server) -> None:
    CLIENT[:] = [Client(base_url=server.url)]
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            found(CLIENT[0], "thread")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(5):
        child = os.fork()
        if child == 0:
            names = [f"child{i}-{k}" for k in range(3)]
            os._exit(0 if [found(CLIENT[0], name) for name in names] == names else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    over.set()
    for thread in threads:
        thread.join()


def test_spawned_workers_get_their_own_responses(server) -> None:
    client = Client(base_url=server.url)
    assert found(client, "parent") == "parent"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        results = pool.map(found, [client] * 8, NAMES[:8], timeout=120)
        assert list(results) == NAMES[:8]
