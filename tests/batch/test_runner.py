"""One loop for many calls: order, laziness, errors, stop, Ctrl-C, schedule."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

import rfhosted
from rfhosted.batch.runner import run
from rfhosted.endpoints.call import Call
from rfhosted.transport.connection import Stop
from support.scripted import Response


@pytest.fixture(params=["this thread", "threads"])
def executor(request):
    """Both ways to run the calls."""
    if request.param == "this thread":
        yield None
    else:
        with ThreadPoolExecutor(4) as pool:
            yield pool


def results(done):
    return [outcome.result for outcome in done.outcomes]


def test_results_are_in_input_order(executor):
    seen = []
    done = run(abs, [-3, -1, -2], executor=executor, at_once=8, on_done=seen.append)
    assert results(done) == [3, 1, 2]
    assert [(o.index, o.item) for o in done.outcomes] == [(0, -3), (1, -1), (2, -2)]
    assert sorted(o.index for o in seen) == [0, 1, 2]
    assert (done.stopped, done.problem) == (False, None)


def test_no_items_is_no_run():
    assert run(abs, []).outcomes == []


def test_an_error_belongs_to_its_item(executor):
    def invert(number):
        return 1 / number

    done = run(invert, [2, 0, 4], executor=executor, at_once=2)
    assert results(done) == [0.5, None, 0.25]
    assert isinstance(done.outcomes[1].error, ZeroDivisionError)
    assert not done.stopped


def test_the_frames_of_a_kept_error_hold_no_images(executor):
    class Image:
        pass

    alive = []

    def fail(_):
        image = Image()
        alive.append(__import__("weakref").ref(image))
        raise ValueError

    done = run(fail, [1, 2], executor=executor)
    assert [type(o.error) for o in done.outcomes] == [ValueError, ValueError]
    assert [ref() for ref in alive] == [None, None]


@pytest.mark.parametrize("at_once", [1, 3])
def test_an_endless_input_is_read_as_it_is_needed(executor, at_once):
    read, stop = itertools.count(), Stop()
    done = run(
        abs,
        read,
        executor=executor,
        at_once=at_once,
        on_done=lambda outcome: outcome.index >= 9 and stop.set(),
        stop=stop,
    )
    assert done.stopped
    assert results(done)[:10] == list(range(10))
    assert next(read) <= len(done.outcomes) + at_once + 1


def test_never_more_in_flight_than_allowed():
    lock, now, most = threading.Lock(), [0], [0]

    def call(_):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.005)
        with lock:
            now[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        run(call, range(20), executor=pool, at_once=3)
    assert most[0] <= 3


def test_a_process_pool_takes_the_calls():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert results(run(abs, [-1, -2], executor=pool, at_once=2)) == [1, 2]


def test_input_that_fails_keeps_what_is_done(executor):
    def numbers():
        yield 1
        yield 2
        raise OSError("the folder is gone")

    seen = []
    done = run(abs, numbers(), executor=executor, at_once=4, on_done=seen.append)
    assert results(done) == [1, 2]
    assert len(seen) == 2
    assert isinstance(done.problem, OSError)
    assert not done.stopped


def test_a_callback_that_fails_ends_the_run_and_keeps_what_is_done(executor):
    def full(_):
        raise OSError("the disk is full")

    done = run(abs, itertools.count(1), executor=executor, at_once=4, on_done=full)
    assert isinstance(done.problem, OSError)
    assert results(done) == list(range(1, len(done.outcomes) + 1))
    assert done.outcomes


def test_a_pool_that_is_closed_is_reported():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    assert isinstance(run(abs, [1], executor=pool).problem, RuntimeError)


def test_a_stopped_run_begins_nothing():
    stop = Stop()
    stop.set()
    called = []
    done = run(called.append, [1], stop=stop)
    assert (done.outcomes, done.stopped, done.interrupted, called) == ([], True, False, [])
    assert run(called.append, [1], stop=lambda: True).stopped


def test_a_stop_after_the_last_call_changes_nothing(executor):
    stop = Stop()
    done = run(abs, [-1], executor=executor, on_done=lambda _: stop.set(), stop=stop)
    assert (results(done), done.stopped) == ([1], False)


def test_an_interrupted_call_in_this_thread_keeps_the_others():
    stop = Stop()

    def call(number):
        if number == 3:
            raise KeyboardInterrupt
        return number

    done = run(call, range(10), stop=stop)
    assert (results(done), done.stopped, done.interrupted) == ([0, 1, 2], True, True)
    assert stop()


def test_ctrl_c_cuts_off_what_is_in_flight(scripted):
    scripted.respond(Response(), Response(), Response(delay=30))
    client, stop = rfhosted.Client(base_url=scripted.url, retries=0), Stop()
    prepared = client.prepare(rfhosted.sample("cat"), Call("a/1"))
    seen = []

    def press(outcome):
        seen.append(outcome)
        if len(seen) == 2:
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()

    with ThreadPoolExecutor(1) as pool:
        done = run(
            lambda p: client.send(p, stop=stop),
            [prepared] * 9,
            executor=pool,
            at_once=2,
            on_done=press,
            stop=stop,
        )
    assert done.stopped
    assert [o.index for o in done.outcomes] == [0, 1]  # what was cut off has not failed
    assert len(scripted.received) == 3


def test_one_stop_ends_many_requests(scripted):
    scripted.respond(Response(delay=30))
    client, stop = rfhosted.Client(base_url=scripted.url, retries=0), Stop()
    prepared = client.prepare(rfhosted.sample("cat"), Call("a/1"))
    waiting = threading.Thread(target=lambda: (_in_flight(scripted, 4), stop.set()))
    waiting.start()
    with ThreadPoolExecutor(4) as pool:
        done = run(
            lambda p: client.send(p, stop=stop), [prepared] * 8, executor=pool, at_once=8, stop=stop
        )
    waiting.join()
    assert done.stopped
    assert done.outcomes == []
    assert len(scripted.received) == 4


def _in_flight(server, number):
    while len(server.received) < number:
        time.sleep(0.01)


def test_no_call_begins_before_it_is_due(executor):
    first = time.perf_counter() + 0.05
    began = {}

    def call(number):
        began[number] = time.perf_counter()

    run(call, range(4), executor=executor, at_once=4, due=lambda n: first + 0.05 * n)
    assert all(began[n] >= first + 0.05 * n for n in range(4))


def test_a_stop_ends_a_wait_for_the_next_due_time():
    stop = Stop()
    done = run(
        abs,
        [1, 2],
        due=lambda n: 0.0 if n == 1 else time.perf_counter() + 3600,
        on_done=lambda _: stop.set(),
        stop=stop,
    )
    assert (results(done), done.stopped) == ([1], True)
