"""One thread keeps all deadlines."""

from __future__ import annotations

import os
import threading
import time

import pytest

from rfhosted.transport.deadline import clear_deadline, set_deadline


def test_each_is_called_in_its_time_and_a_cleared_one_never() -> None:
    called: dict[str, float] = {}
    began = time.monotonic()
    for name, seconds in (("late", 0.4), ("soon", 0.1), ("cleared", 0.2), ("now", 0.0)):
        set_deadline(name, seconds, lambda n=name: called.setdefault(n, time.monotonic() - began))
    clear_deadline("cleared")
    clear_deadline("unknown")
    last = threading.Event()
    set_deadline("last", 0.5, last.set)
    assert last.wait(60)
    assert list(called) == ["now", "soon", "late"]
    for name, seconds in (("now", 0.0), ("soon", 0.1), ("late", 0.4)):
        assert called[name] >= seconds


def test_many_take_one_thread() -> None:
    for i in range(50):
        set_deadline(i, 30, lambda: None)
    assert [t.name for t in threading.enumerate()].count("rfhosted.deadline") == 1
    for i in range(50):
        clear_deadline(i)


def test_one_that_is_set_after_quiet_is_kept() -> None:
    reached = threading.Event()
    set_deadline("a", 0.01, lambda: None)
    time.sleep(0.1)
    set_deadline("b", 0.05, reached.set)
    assert reached.wait(60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_keeps_its_own() -> None:
    set_deadline("parent", 30, lambda: None)
    child = os.fork()
    if child == 0:
        reached = threading.Event()
        set_deadline("child", 0.05, reached.set)
        os._exit(0 if reached.wait(60) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    clear_deadline("parent")
