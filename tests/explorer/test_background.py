"""One job at a time, without a panel: what begins, what counts, what is told, what is hidden."""

from __future__ import annotations

import threading
import time

import pytest

from rfhosted.explorer.background import Jobs, Newest, on_a_thread
from support.jobs import Threads, now


class Told:
    """Takes and tells, and remembers both."""

    def __init__(self, spawn):
        self.taken, self.told = [], []
        self.jobs = Jobs(spawn, self.take, lambda *events: self.told.extend(events))

    def take(self, made, problem, stopped):
        self.taken.append((dict(made), problem, stopped))
        return ("ended",)

    def start(self, work, **options):
        return self.jobs.start(work, begin=options.pop("begin", lambda: None), **options)


def test_what_a_job_makes_is_taken_and_told():
    seen = Told(now)
    assert seen.start(lambda stop, made: made.update(one=1))
    assert seen.taken == [({"one": 1}, None, False)]
    assert seen.told == ["ended"]
    assert not seen.jobs.busy


def test_a_job_that_fails_keeps_what_it_made_before():
    def work(_, made):
        made["first"] = 1
        raise OSError("no")

    seen = Told(now)
    seen.start(work)
    ((made, problem, stopped),) = seen.taken
    assert (made, str(problem), stopped) == ({"first": 1}, "no", False)


def test_a_defect_is_taken_and_raised(raised):
    seen = Told(now)
    with pytest.raises(ZeroDivisionError):
        seen.start(lambda *_: 1 / 0)
    assert isinstance(seen.taken[0][1], ZeroDivisionError)
    threads = Threads()
    seen = Told(threads)
    seen.start(lambda *_: 1 / 0)
    threads.join()
    assert raised == [seen.taken[0][1]]
    assert not seen.jobs.busy


def test_two_at_once_are_one():
    go, begun = threading.Event(), []
    seen = Told(threads := Threads())
    assert seen.start(lambda *_: go.wait(20), begin=lambda: begun.append(1))
    assert seen.jobs.busy
    assert not seen.start(lambda *_: None, begin=lambda: begun.append(2))
    assert not seen.jobs.wait(0.01)
    go.set()
    assert seen.jobs.wait(20)
    threads.join()
    assert begun == [1]
    assert len(seen.taken) == 1


def test_many_threads_begin_one():
    go, ready = threading.Event(), threading.Barrier(8)
    seen = Told(threads := Threads())
    began = []

    def click():
        ready.wait()
        began.append(seen.start(lambda *_: go.wait(20)))

    clickers = [threading.Thread(target=click) for _ in range(8)]
    for clicker in clickers:
        clicker.start()
    for clicker in clickers:
        clicker.join()
    go.set()
    threads.join()
    assert sorted(began) == [False] * 7 + [True]


def test_a_stopped_job_is_over_at_once_and_known_as_stopped():
    stopped, go = threading.Event(), threading.Event()

    def work(stop, made):
        stop.wait(20)
        stopped.set()
        go.wait(20)
        made["late"] = 1

    seen = Told(threads := Threads())
    seen.start(work)
    assert seen.jobs.stop()
    assert not seen.jobs.stop()
    assert not seen.jobs.busy
    assert seen.jobs.wait(0)
    assert stopped.wait(20)
    assert seen.start(lambda _, made: made.update(new=1))
    assert seen.jobs.wait(20)
    go.set()
    threads.join()
    assert seen.taken == [({"new": 1}, None, False), ({"late": 1}, None, True)]


def test_a_stopped_job_does_not_end_the_one_after_it():
    first, second = threading.Event(), threading.Event()
    seen = Told(threads := Threads())
    seen.start(lambda *_: first.wait(20))
    seen.jobs.stop()
    seen.start(lambda *_: second.wait(20))
    first.set()
    threads.all[0].join(20)
    assert seen.jobs.busy
    second.set()
    threads.join()
    assert [stopped for _, _, stopped in seen.taken] == [True, False]


def test_later_comes_once_when_what_runs_is_over():
    go, later = threading.Event(), []
    seen = Told(threads := Threads())
    seen.start(lambda *_: go.wait(20), later=lambda: later.append("began: never"))
    for number in range(5):
        seen.start(lambda *_: None, later=lambda number=number: later.append(number))
    seen.start(lambda *_: None)  # wants nothing later, and takes nothing away
    assert later == []
    go.set()
    assert seen.jobs.wait(20)
    assert later == [4]
    seen.start(lambda *_: None)
    threads.join()
    assert later == [4]


def test_a_stop_forgets_what_was_to_come_later():
    go, later = threading.Event(), []
    seen = Told(threads := Threads())
    seen.start(lambda *_: go.wait(20))
    seen.start(lambda *_: None, later=lambda: later.append(1))
    seen.jobs.stop()
    go.set()
    threads.join()
    assert later == []


def test_waiting_lasts_over_the_jobs_that_follow():
    made = []
    seen = Told(on_a_thread)

    def again():
        if len(made) < 5:
            seen.start(work, later=again)

    def work(*_):
        time.sleep(0.01)
        made.append(1)

    seen.jobs._tell = lambda *_: again()
    again()
    assert seen.jobs.wait(20)
    assert len(made) == 5


def test_the_last_wish_is_never_lost():
    """Wishes come while jobs end, in every order that threads make: the last one is done."""
    wish, done = [0], []
    seen = Told(on_a_thread)

    def grant():
        wanted = wish[0]
        seen.start(lambda *_: done.append(wanted), later=grant)

    for number in range(1, 2001):
        wish[0] = number
        grant()
        if number % 100 == 0:
            assert seen.jobs.wait(20)
            assert done[-1] == number


def test_the_newest_asking_is_done_and_those_between_are_one():
    go, seen, state = threading.Event(), [], [0]

    def job():
        seen.append(state[0])
        go.wait(20)

    newest = Newest(on_a_thread, job)
    newest.ask()
    for number in range(1, 10):
        state[0] = number
        newest.ask()
    assert not newest.wait(0.01)
    go.set()
    assert newest.wait(20)
    assert seen[-1] == 9
    assert len(seen) <= 3


def test_newest_survives_a_defect(raised):
    trouble = [1]

    def job():
        if trouble.pop():
            raise ZeroDivisionError

    newest = Newest(now, job)
    with pytest.raises(ZeroDivisionError):
        newest.ask()
    assert newest.wait(0)
    trouble.append(0)
    newest.ask()
    assert trouble == []
