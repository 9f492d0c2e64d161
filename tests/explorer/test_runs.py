"""What the explorer runs, without a panel: once, stopped, by itself; and what goes wrong meanwhile."""

from __future__ import annotations

import time

import pytest

from rfhosted import AuthenticationError, Client, UnreachableError, hosted
from rfhosted.explorer.state import ExplorerState
from rfhosted.hosted import ApiVersion
from support.explored import FOUND, explored, names, response
from support.jobs import Threads, now
from support.scripted import Response

V1, V2 = ApiVersion.V1, ApiVersion.V2


@pytest.fixture
def here(scripted):
    return explored(scripted)


def test_impatient_clicks_are_one_request(scripted):
    seen = explored(scripted, spawn=(threads := Threads()))
    scripted.respond(response(*FOUND, delay=0.3))
    for _ in range(20):
        seen.state.run()
        seen.state.run_sweep()
        seen.state.run_both_versions()
    assert seen.state.busy
    assert seen.state.notice == "Asking a/1 …"
    threads.join()
    assert len(scripted.received) == 1
    assert seen.events.count("answer") == 1


def test_cancel_is_at_once_and_the_answer_does_not_count(scripted):
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
    assert state.notice == "Stopped. The last result is kept."
    state.run()
    assert state.wait(20)
    assert names(state.result) == ["cat"]
    threads.join()  # the stopped one gave up long before its answer could come
    time.sleep(0.1)
    assert names(state.result) == ["cat"]
    assert state.answer.prediction is not before
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
    assert state.notice.startswith("Stopped")


def test_cancel_with_nothing_to_stop_says_nothing(here):
    here.state.cancel()
    assert here.state.notice == ""
    assert here.events == []


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
    assert "sweep" in seen.events
    assert state.result is not None
    assert state.progress == (0, 0)  # not the sweep's
    assert state.notice.startswith("Answered in")


def test_a_sweep(here):
    here.state.run_sweep((100, 200))
    assert list(here.state.sweep.predictions) == [100, 200]
    assert here.state.notice == "The sweep is done."
    assert here.state.progress == (3, 3)
    assert float(here.server.received[0].query["confidence"]) == 0.4  # the one that is shown
    kept = here.state.sweep
    here.server.respond(Response(status=500))
    here.state.run_sweep((100,))
    assert here.state.problem is not None
    assert here.state.sweep is kept


def test_v1_against_v2(here):
    here.state.run_both_versions()
    assert len(here.server.received) == 2
    assert here.state.pinned.question.api_version is V1
    assert here.state.answer.question.api_version is V2
    assert here.state.question == here.state.answer.question
    assert here.state.comparison.agreement == 1
    assert here.events.index("answer") < len(here.events)
    assert {"answer", "pinned", "question", "plan"} <= set(here.events)
    here.state.unpin()
    assert here.state.comparison is None


def test_full_against_half_size(here):
    here.state.run_half_size()
    sizes = [max(each.prediction.upload.size) for each in (here.state.pinned, here.state.answer)]
    assert sizes == [512, 256]
    assert here.state.plan.upload.size == (256, 256)  # of the question as it is now
    here.state.ask(image_size=2048)  # more than the picture has
    here.state.run_half_size()
    sizes = [max(each.prediction.upload.size) for each in (here.state.pinned, here.state.answer)]
    assert sizes == [512, 256]
    here.state.ask(image_size="original")
    here.state.run_half_size()
    assert here.state.question.image_size == 256


def test_the_first_of_two_is_kept_when_the_second_fails(here):
    here.state.run()
    here.state.pin()
    pinned, asked = here.state.pinned, here.state.question
    here.server.respond(response(FOUND[2] | {"confidence": 0.8}), Response(status=500))
    here.state.run_both_versions()
    assert here.state.problem is not None
    assert names(here.state.result) == ["cat"]
    assert here.state.answer.question.api_version is V1
    assert here.state.pinned is pinned
    assert here.state.question == asked


def test_two_runs_do_not_undo_a_later_choice(scripted):
    state = explored(scripted, spawn=Threads()).state
    scripted.respond(response(*FOUND, delay=0.2))
    state.run_half_size()
    state.ask(overlap=0.8)
    assert state.wait(20)
    assert state.question.overlap == 0.8
    assert state.question.image_size is None
    assert state.outdated.startswith("The settings changed")


def test_pinned_results_of_another_kind_do_not_compare(here):
    here.state.run()
    here.state.pin()
    assert here.events[-1] == "pinned"
    assert here.state.comparison is None  # of one with itself
    here.state.choose_sample("coffee")
    here.state.run()
    with pytest.raises(ValueError, match="predictions of one picture"):
        _ = here.state.comparison


# Asking by itself.


def auto(state):
    state.set_auto(auto=True)
    assert state.auto
    return state


def test_each_change_of_the_question_asks_where_that_is_free(here):
    auto(here.state).choose_sample("coffee")
    assert len(here.server.received) == 1
    here.state.ask(overlap=0.5)
    assert len(here.server.received) == 2
    here.state.ask(overlap=0.5)
    here.state.show(confidence=0.9)
    here.state.ask(model="no such model")
    assert len(here.server.received) == 2
    here.state.set_auto(auto=False)
    here.state.ask(model="a/1", overlap=0.6)
    assert len(here.server.received) == 2


def test_many_quick_changes_are_few_runs_and_the_last_one_wins(scripted):
    seen = explored(scripted, spawn=(threads := Threads()))
    state = auto(seen.state)
    scripted.respond(response(*FOUND, delay=0.4))
    for size in range(100, 200):
        state.ask(image_size=size)
    assert state.wait(20)
    threads.join()
    assert len(scripted.received) <= 4
    assert state.answer.question == state.question
    assert state.question.image_size == 199
    assert max(state.result.upload.size) == 199
    assert state.outdated is None


def test_no_order_of_threads_loses_the_last_change(scripted):
    seen = explored(scripted, spawn=Threads(), picture="coffee")
    state = auto(seen.state)
    told = []
    state.observe(lambda event: told.append((event, state.answer)))
    for number in range(60):
        state.ask(overlap=number / 100)
        if number % 6 == 5:
            assert state.wait(20)
            assert state.answer.question == state.question
    for _, given in told:
        if given:
            query = given.prepared.request.params
            assert float(query["overlap"]) == given.question.overlap


def test_back_and_forth_ends_where_it_began(scripted):
    state = auto(explored(scripted, spawn=Threads()).state)
    state.ask(image_size=100)
    assert state.wait(20)
    scripted.respond(response(delay=0.3))
    state.ask(image_size=200)
    state.ask(image_size=100)
    assert state.wait(20)
    assert state.answer.question.image_size == 100
    assert state.outdated is None


def test_a_cancel_also_ends_what_was_to_come(scripted):
    state = auto(explored(scripted, spawn=(threads := Threads())).state)
    scripted.respond(response(delay=2))
    state.ask(image_size=100)
    state.ask(image_size=200)
    while not scripted.received:
        time.sleep(0.01)
    state.cancel()
    threads.join()
    time.sleep(0.1)
    assert len(scripted.received) == 1
    assert state.answer is None


def test_a_failure_is_not_tried_for_ever(scripted):
    state = auto(explored(scripted, spawn=(threads := Threads())).state)
    scripted.respond(Response(status=500, delay=0.2))
    state.ask(image_size=100)
    state.ask(image_size=200)
    assert state.wait(20)
    threads.join()
    assert len(scripted.received) == 2
    assert state.problem is not None


# Who is asked.


def test_hosted_calls_are_made_by_run_alone(scripted, monkeypatch):
    monkeypatch.setitem(hosted.V2_HOSTS, hosted.Region.US, scripted.url)
    state = ExplorerState(Client("a-key", retries=0), spawn=now)
    assert state.spends_credits
    assert not state.auto
    state.set_auto(auto=True)
    assert not state.auto
    state.choose_sample("astronaut")
    state.ask(task="instance-segmentation", image_size=100)
    state.ask(model="mine/3")
    assert scripted.received == []
    assert state.plan.upload.size == (100, 100)
    state.run()
    assert [asked.path for asked in scripted.received] == ["/mine/3"]
    assert scripted.received[0].headers["authorization"] == "Bearer a-key"
    state.ask(model="local/instance-segmentation")
    assert not state.spends_credits
    state.set_auto(auto=True)
    state.run()
    assert state.auto
    state.ask(model="mine/3")
    assert state.spends_credits
    assert not state.auto
    state.ask(model="local/instance-segmentation")
    assert not state.auto  # what was off for a reason does not come back unasked
    assert len(scripted.received) == 1


def test_a_key_turns_the_asking_by_itself_off():
    state = ExplorerState(Client(), spawn=now)
    state.choose_sample("cat")
    assert state.auto
    assert state.answer is not None  # this machine answered, unasked
    state.ask(model="local/object-detection")
    seen = []
    state.observe(seen.append)
    given = state.answer
    state.set_key("a-key-of-mine")
    assert not state.auto
    assert state.spends_credits
    assert state.question.model is None
    assert state.answer is given
    assert {"key", "question"} <= set(seen)
    assert state.outdated is not None


def test_a_refused_key_changes_nothing(here):
    client = here.state.client
    with pytest.raises(AuthenticationError):
        here.state.set_key("no key at all")
    assert here.state.client is client
    assert here.events == []


# Defects.


def broken(state, monkeypatch, error):
    def send(*_, **__):
        raise error

    monkeypatch.setattr(state.client, "send", send)


def test_a_defect_is_shown_and_raised(here, monkeypatch):
    broken(here.state, monkeypatch, ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        here.state.run()
    assert isinstance(here.state.problem, ZeroDivisionError)
    assert not here.state.busy


def test_a_defect_on_a_thread_is_shown_and_raised(scripted, monkeypatch, raised):
    state = explored(scripted, spawn=(threads := Threads())).state
    broken(state, monkeypatch, KeyError("ours"))
    state.run()
    assert state.wait(20)
    threads.join()
    assert raised == [state.problem]
    assert isinstance(state.problem, KeyError)


def test_what_is_expected_is_only_shown(scripted, monkeypatch, raised):
    state = explored(scripted, spawn=(threads := Threads())).state
    broken(state, monkeypatch, UnreachableError("no network"))
    state.run()
    assert state.wait(20)
    threads.join()
    assert isinstance(state.problem, UnreachableError)
    assert raised == []


def test_fail_shows_and_changes_nothing_else(here):
    here.state.run()
    before = here.state.result
    here.events.clear()
    here.state.fail(ValueError("told"))
    assert here.events == ["activity"]
    assert here.state.result is before
