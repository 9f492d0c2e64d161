"""What the explorer runs, without a panel: once, stopped, automatically; and what goes wrong."""

from __future__ import annotations

import time

import pytest

from rfhosted import AuthenticationError, Client, UnreachableError, hosted
from rfhosted.explorer.settings import Event, Outdated
from rfhosted.explorer.state import STOPPED, ExplorerState
from rfhosted.hosted import ApiVersion
from support.explored import FOUND, explored, names, response
from support.jobs import Threads, now
from support.scripted import Response

V1, V2 = ApiVersion.V1, ApiVersion.V2


@pytest.fixture
def case(scripted):
    return explored(scripted)


def test_impatient_clicks_are_one_request(scripted):
    seen = explored(scripted, spawn=(threads := Threads()))
    scripted.respond(response(*FOUND, delay=0.3))
    for _ in range(20):
        seen.state.run()
        seen.state.run_sweep()
        seen.state.run_both_versions()
    assert seen.state.busy
    assert "a/1" in seen.state.notice
    threads.join()
    assert len(scripted.received) == 1
    assert seen.events.count(Event.RESPONSE) == 1


def test_cancel_is_immediate_and_the_response_is_dropped(scripted):
    seen = explored(scripted, spawn=(threads := Threads()), retries=3)
    state = seen.state
    state.run()
    assert state.wait(20)
    before = state.result
    scripted.respond(response(delay=3), response(FOUND[2] | {"confidence": 0.8}))
    state.run()
    while len(scripted.received) < 2:
        time.sleep(0.01)
    state.cancel()
    assert not state.busy
    assert state.notice == STOPPED
    state.run()
    assert state.wait(20)
    assert names(state.result) == ["cat"]
    threads.join()  # the stopped one ended long before its response could arrive
    time.sleep(0.1)
    assert names(state.result) == ["cat"]
    assert state.response.prediction is not before
    assert state.problem is None
    assert len(scripted.received) == 3


def test_cancel_ends_the_further_tries(scripted):
    state = explored(scripted, spawn=(threads := Threads()), retries=3).state
    scripted.respond(Response(status=503))
    state.run()
    while not scripted.received:
        time.sleep(0.01)
    state.cancel()
    threads.join()
    time.sleep(1)  # longer than the pause before another try
    assert len(scripted.received) == 1
    assert (state.problem, state.result) == (None, None)
    assert state.notice == STOPPED


def test_cancel_with_nothing_to_stop_changes_nothing(case):
    case.state.cancel()
    assert case.state.notice == ""
    assert case.events == []


def test_a_stopped_sweep_keeps_the_sizes_that_were_done(scripted):
    seen = explored(scripted, spawn=(threads := Threads()))
    state = seen.state
    scripted.respond(response(*FOUND), response(*FOUND), response(delay=20), response())
    state.run_sweep((100, 200, 300))
    while len(scripted.received) < 3:
        time.sleep(0.01)
    assert state.progress == (2, 4)
    assert state.notice == "200 px"
    state.cancel()
    state.run()  # before the stopped thread could hand over what it has
    threads.join()
    assert list(state.sweep.predictions) == [100]
    assert "stopped" in state.sweep.rows()[1]["error"]
    assert Event.SWEEP in seen.events
    assert state.result is not None
    assert state.progress == (0, 0)  # not the sweep's
    assert state.response is not None


def test_a_sweep(case):
    case.state.run_sweep((100, 200))
    assert list(case.state.sweep.predictions) == [100, 200]
    assert case.state.notice
    assert case.state.progress == (3, 3)
    assert float(case.server.received[0].query["confidence"]) == 0.4  # the one that is shown
    kept = case.state.sweep
    case.server.respond(Response(status=500))
    case.state.run_sweep((100,))
    assert case.state.problem is not None
    assert case.state.sweep is kept


def test_v1_against_v2(case):
    case.state.run_both_versions()
    assert len(case.server.received) == 2
    assert case.state.pinned.call.api_version is V1
    assert case.state.response.call.api_version is V2
    assert case.state.call.model == "a/1"  # the settings are as they were
    assert case.state.outdated is None
    assert case.state.comparison.agreement == 1
    assert {Event.RESPONSE, Event.PINNED} <= set(case.events)
    case.state.unpin()
    assert case.state.comparison is None


def test_full_against_half_size(case):
    case.state.run_half_size()
    sizes = [max(each.prediction.upload.size) for each in (case.state.pinned, case.state.response)]
    assert sizes == [512, 256]
    assert case.state.plan.upload.size == (512, 512)  # the settings are as they were
    case.state.change(image_size=2048)  # more than the image has
    case.state.run_half_size()
    sizes = [max(each.prediction.upload.size) for each in (case.state.pinned, case.state.response)]
    assert sizes == [512, 256]
    case.state.change(image_size="original")
    case.state.run_half_size()
    assert case.state.call.image_size == "original"


def test_the_first_of_two_is_kept_when_the_second_fails(case):
    case.state.run()
    case.state.pin()
    pinned, before = case.state.pinned, case.state.call
    case.server.respond(response(FOUND[2] | {"confidence": 0.8}), Response(status=500))
    case.state.run_both_versions()
    assert case.state.problem is not None
    assert names(case.state.result) == ["cat"]
    assert case.state.response.call.api_version is V1
    assert case.state.pinned is pinned
    assert case.state.call == before


def test_two_runs_do_not_undo_a_later_choice(scripted):
    state = explored(scripted, spawn=Threads()).state
    scripted.respond(response(*FOUND, delay=0.2))
    state.run_half_size()
    state.change(overlap=0.8)
    assert state.wait(20)
    assert state.call.overlap == 0.8
    assert state.call.image_size is None
    assert state.outdated is Outdated.CALL


def test_pinned_results_of_another_kind_do_not_compare(case):
    case.state.run()
    case.state.pin()
    assert case.events[-1] is Event.PINNED
    assert case.state.comparison is None  # of one with itself
    case.state.choose_sample("coffee")
    case.state.run()
    with pytest.raises(ValueError, match=r"one (picture|image)"):
        _ = case.state.comparison


# Running on every change.


def auto(state):
    state.set_auto(auto=True)
    assert state.auto
    return state


def test_each_change_of_the_call_runs_where_that_is_free(case):
    auto(case.state).choose_sample("coffee")
    assert len(case.server.received) == 1
    case.state.change(overlap=0.5)
    assert len(case.server.received) == 2
    case.state.change(overlap=0.5)
    case.state.show(confidence=0.9)
    case.state.change(model="no such model")
    assert len(case.server.received) == 2
    case.state.set_auto(auto=False)
    case.state.change(model="a/1", overlap=0.6)
    assert len(case.server.received) == 2


def test_many_quick_changes_are_few_runs_and_the_last_one_wins(scripted):
    seen = explored(scripted, spawn=(threads := Threads()))
    state = auto(seen.state)
    scripted.respond(response(*FOUND, delay=0.4))
    for size in range(100, 200):
        state.change(image_size=size)
    assert state.wait(20)
    threads.join()
    assert len(scripted.received) <= 4
    assert state.response.call == state.call
    assert state.call.image_size == 199
    assert max(state.result.upload.size) == 199
    assert state.outdated is None


def test_no_order_of_threads_loses_the_last_change(scripted):
    seen = explored(scripted, spawn=Threads(), picture="coffee")
    state = auto(seen.state)
    responses = []
    state.observe(lambda _: responses.append(state.response))
    for number in range(60):
        state.change(overlap=number / 100)
        if number % 6 == 5:
            assert state.wait(20)
            assert state.response.call == state.call
    for each in filter(None, responses):
        assert float(each.prepared.request.params["overlap"]) == each.call.overlap


def test_back_and_forth_ends_where_it_began(scripted):
    state = auto(explored(scripted, spawn=Threads()).state)
    state.change(image_size=100)
    assert state.wait(20)
    scripted.respond(response(delay=0.3))
    state.change(image_size=200)
    state.change(image_size=100)
    assert state.wait(20)
    assert state.response.call.image_size == 100
    assert state.outdated is None


def test_a_cancel_also_ends_what_was_to_come(scripted):
    state = auto(explored(scripted, spawn=(threads := Threads())).state)
    scripted.respond(response(delay=2))
    state.change(image_size=100)
    state.change(image_size=200)
    while not scripted.received:
        time.sleep(0.01)
    state.cancel()
    threads.join()
    time.sleep(0.1)
    assert len(scripted.received) == 1
    assert state.response is None


def test_a_failure_is_not_tried_for_ever(scripted):
    state = auto(explored(scripted, spawn=(threads := Threads())).state)
    scripted.respond(Response(status=500, delay=0.2))
    state.change(image_size=100)
    state.change(image_size=200)
    assert state.wait(20)
    threads.join()
    assert len(scripted.received) == 2
    assert state.problem is not None


# Where requests go.


def test_only_run_sends_hosted_requests(scripted, monkeypatch):
    monkeypatch.setitem(hosted.V2_HOSTS, hosted.Region.US, scripted.url)
    state = ExplorerState(Client("a-key", retries=0), spawn=now)
    assert state.spends_credits
    assert not state.auto
    state.set_auto(auto=True)
    assert not state.auto
    state.choose_sample("astronaut")
    state.change(task="instance-segmentation", image_size=100)
    state.change(model="mine/3")
    assert scripted.received == []
    assert state.plan.upload.size == (100, 100)
    state.run()
    assert [request.path for request in scripted.received] == ["/mine/3"]
    assert scripted.received[0].headers["authorization"] == "Bearer a-key"
    state.change(model="local/instance-segmentation")
    assert not state.spends_credits
    state.set_auto(auto=True)
    state.run()
    assert state.auto
    state.change(model="mine/3")
    assert state.spends_credits
    assert not state.auto
    state.change(model="local/instance-segmentation")
    assert not state.auto  # it was switched off for a reason, and stays off
    assert len(scripted.received) == 1


def test_a_key_switches_automatic_runs_off():
    state = ExplorerState(Client(), spawn=now)
    state.choose_sample("cat")
    assert state.auto
    assert state.response is not None  # from the local model, without Run
    state.change(model="local/object-detection")
    seen = []
    state.observe(seen.append)
    before = state.response
    state.set_key("a-key-of-mine")
    assert not state.auto
    assert state.spends_credits
    assert state.call.model is None
    assert state.response is before
    assert {Event.KEY, Event.CALL} <= set(seen)
    assert state.outdated is not None


def test_a_good_key_ends_the_error_of_a_malformed_one(case):
    case.state.fail(AuthenticationError("malformed"))
    case.state.set_key("a-key-of-mine")
    assert case.state.problem is None


def test_a_refused_key_changes_nothing(case):
    client = case.state.client
    with pytest.raises(AuthenticationError):
        case.state.set_key("no key at all")
    assert case.state.client is client
    assert case.events == []


# Bugs.


def broken(state, monkeypatch, error):
    def send(*_, **__):
        raise error

    monkeypatch.setattr(state.client, "send", send)


def test_a_bug_is_shown_and_raised(case, monkeypatch):
    broken(case.state, monkeypatch, ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        case.state.run()
    assert isinstance(case.state.problem, ZeroDivisionError)
    assert not case.state.busy


def test_a_bug_on_a_thread_is_shown_and_raised(scripted, monkeypatch, raised):
    state = explored(scripted, spawn=(threads := Threads())).state
    broken(state, monkeypatch, KeyError("ours"))
    state.run()
    assert state.wait(20)
    threads.join()
    assert raised == [state.problem]
    assert isinstance(state.problem, KeyError)


def test_an_expected_error_is_only_shown(scripted, monkeypatch, raised):
    state = explored(scripted, spawn=(threads := Threads())).state
    broken(state, monkeypatch, UnreachableError("no network"))
    state.run()
    assert state.wait(20)
    threads.join()
    assert isinstance(state.problem, UnreachableError)
    assert raised == []


def test_fail_shows_and_changes_nothing_else(case):
    case.state.run()
    before = case.state.result
    case.events.clear()
    case.state.fail(ValueError("shown"))
    assert case.events == [Event.ACTIVITY]
    assert case.state.result is before
