"""One job at a time, without a panel: what begins, what counts, which events follow."""

from __future__ import annotations

import threading
import time

import pytest

from rfhosted.explorer.background import Worker, on_a_thread
from support.jobs import Threads, now


class Observed:
    """A worker, and everything that it takes and reports."""

    def __init__(self, spawn):
        self.taken, self.events = [], []
        self.worker = Worker(spawn, self.take, lambda *events: self.events.extend(events))

    def take(self, result, problem, stopped):
        self.taken.append((result, problem, stopped))
        return ("ended",)

    def start(self, job, **options):
        return self.worker.start(job, **options)


def test_a_result_is_taken_and_reported():
    seen = Observed(now)
    assert seen.start(lambda _: 1)
    assert seen.taken == [(1, None, False)]
    assert seen.events == ["ended"]
    assert not seen.worker.busy


def test_an_error_is_taken():
    def job(_):
        raise OSError("no")

    seen = Observed(now)
    seen.start(job)
    ((result, problem, stopped),) = seen.taken
    assert (result, str(problem), stopped) == (None, "no", False)


def test_a_bug_is_taken_and_raised(raised):
    seen = Observed(now)
    with pytest.raises(ZeroDivisionError):
        seen.start(lambda _: 1 / 0)
    assert isinstance(seen.taken[0][1], ZeroDivisionError)
    threads = Threads()
    seen = Observed(threads)
    seen.start(lambda _: 1 / 0)
    threads.join()
    assert raised == [seen.taken[0][1]]
    assert not seen.worker.busy


def test_a_second_job_does_not_begin():
    go, begun = threading.Event(), []
    seen = Observed(threads := Threads())
    assert seen.start(lambda _: go.wait(20), begin=lambda: begun.append(1))
    assert seen.worker.busy
    assert not seen.start(lambda _: None, begin=lambda: begun.append(2))
    assert not seen.worker.wait(0.01)
    go.set()
    assert seen.worker.wait(20)
    threads.join()
    assert begun == [1]
    assert len(seen.taken) == 1


def test_many_threads_begin_one_job():
    go, ready = threading.Event(), threading.Barrier(8)
    seen = Observed(threads := Threads())
    began = []

    def click():
        ready.wait()
        began.append(seen.start(lambda _: go.wait(20)))

    clickers = [threading.Thread(target=click) for _ in range(8)]
    for clicker in clickers:
        clicker.start()
    for clicker in clickers:
        clicker.join()
    go.set()
    threads.join()
    assert sorted(began) == [False] * 7 + [True]


def test_a_stopped_job_is_over_at_once_and_its_result_is_marked():
    stopped, go = threading.Event(), threading.Event()

    def job(stop):
        stop.wait(20)
        stopped.set()
        go.wait(20)
        return "late"

    seen = Observed(threads := Threads())
    seen.start(job)
    assert seen.worker.stop()
    assert not seen.worker.stop()
    assert not seen.worker.busy
    assert seen.worker.wait(0)
    assert stopped.wait(20)
    assert seen.start(lambda _: "new")
    assert seen.worker.wait(20)
    go.set()
    threads.join()
    assert seen.taken == [("new", None, False), ("late", None, True)]


def test_a_stopped_job_does_not_end_the_next_one():
    first, second = threading.Event(), threading.Event()
    seen = Observed(threads := Threads())
    seen.start(lambda _: first.wait(20))
    seen.worker.stop()
    seen.start(lambda _: second.wait(20))
    first.set()
    threads.all[0].join(20)
    assert seen.worker.busy
    second.set()
    threads.join()
    assert [stopped for _, _, stopped in seen.taken] == [True, False]


def test_later_is_called_once_when_the_running_job_ends():
    go, later = threading.Event(), []
    seen = Observed(threads := Threads())
    seen.start(lambda _: go.wait(20), later=lambda: later.append("it began: never"))
    for number in range(5):
        seen.start(lambda _: None, later=lambda number=number: later.append(number))
    seen.start(lambda _: None)  # has no later, and takes none away
    assert later == []
    go.set()
    assert seen.worker.wait(20)
    assert later == [4]
    seen.start(lambda _: None)
    threads.join()
    assert later == [4]


def test_stop_drops_later():
    go, later = threading.Event(), []
    seen = Observed(threads := Threads())
    seen.start(lambda _: go.wait(20))
    seen.start(lambda _: None, later=lambda: later.append(1))
    seen.worker.stop()
    go.set()
    threads.join()
    assert later == []


def test_wait_includes_the_jobs_that_follow():
    made = []
    seen = Observed(on_a_thread)

    def again():
        if len(made) < 5:
            seen.start(job, later=again)

    def job(_):
        time.sleep(0.01)
        made.append(1)

    seen.worker._notify = lambda *_: again()
    again()
    assert seen.worker.wait(20)
    assert len(made) == 5


def test_the_last_change_is_never_lost():
    """Changes come while jobs end, in every order that threads make: the last one is done."""
    change, done = [0], []
    seen = Observed(on_a_thread)

    def apply():
        wanted = change[0]
        seen.start(lambda _: done.append(wanted), later=apply)

    for number in range(1, 2001):
        change[0] = number
        apply()
        if number % 100 == 0:
            assert seen.worker.wait(20)
            assert done[-1] == number
