"""A retrieve followed to its end: by events, by asking where there are none, and what Ctrl-C does."""

import asyncio
import os
import signal

import pytest

from pfdcmd.ctl import following
from pfdcmd.ctl.configuration import settle
from pfdcmd.ctl.following import follow_job
from pfdcmd.ctl.problems import Interrupted, Refused, Unreachable
from pfdcmd.ctl.session import Session
from pfdcmd.ctl.subscribing import Event, NoEvents


def job(state, received=0):
    series = {"series": "1.2", "state": state, "expected": 3, "received": received}
    return {"job": "j1", "pacs": "p", "study": "1", "state": state, "verdict": "", "series": [series]}


class Server:
    """What the server would answer: events, and the states it tells when it is asked."""

    def __init__(self, monkeypatch, events=(), states=(), failure=None):
        self.events = list(events)
        self.states = list(states)
        self.failure = failure
        self.called = []
        monkeypatch.setattr(following, "follow", self.follow)
        monkeypatch.setattr(following, "call", self.call)
        monkeypatch.setattr(following, "_POLL_SECONDS", 0.0)

    async def follow(self, server, what):
        self.called.append(("follow", what["topic"]))
        for event in self.events:
            if callable(event):
                await event()
            else:
                yield Event("change", what["topic"], 1, event)
        if self.failure is not None:
            raise self.failure
        await asyncio.Event().wait()

    async def call(self, server, method, params):
        self.called.append((method, params["job"]))
        answer = self.states.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def followed(begin):
    shown = []
    ended = follow_job(Session(settle({}, {}, {})), begin, lambda one: shown.append(one["series"][0]["received"]))
    return ended, shown


def test_a_job_that_has_ended_is_shown_once(monkeypatch):
    server = Server(monkeypatch)
    assert followed(job("complete", 3)) == ((job("complete", 3), False), [3])
    assert server.called == []


def test_each_event_is_shown_until_the_end(monkeypatch):
    server = Server(monkeypatch, [job("running", 1), job("running", 2), job("complete", 3), job("running", 9)])
    (ended, is_interrupted), shown = followed(job("queued"))
    assert (ended["state"], is_interrupted, shown) == ("complete", False, [0, 1, 2, 3])
    assert server.called == [("follow", "jobs/j1")]


def test_what_an_event_does_not_hold_is_asked_for(monkeypatch):
    server = Server(monkeypatch, [{"is_large": True}, None], [job("running", 1), job("complete", 3)])
    _, shown = followed(job("queued"))
    assert shown == [0, 1, 3]
    assert server.called[1:] == [("retrieve.status", "j1")] * 2


@pytest.mark.parametrize("failure", [NoEvents("no upgrade"), Unreachable("broken")])
def test_without_events_the_server_is_asked_again_and_again(monkeypatch, capsys, failure):
    states = [job("running", 1), job("running", 2), job("partial", 2)]
    Server(monkeypatch, [], states, failure)
    (ended, _), shown = followed(job("queued"))
    assert (ended["state"], shown) == ("partial", [0, 1, 2, 2])
    assert "asking it every second" in capsys.readouterr().err


def test_a_server_that_is_started_again_is_waited_for(monkeypatch):
    states = [job("running", 1), Unreachable("gone"), Unreachable("gone"), job("complete", 3)]
    Server(monkeypatch, [], states, NoEvents("no upgrade"))
    assert followed(job("queued"))[1] == [0, 1, 3]


def test_a_server_that_stays_away_is_given_up(monkeypatch):
    monkeypatch.setattr(following, "GIVE_UP_SECONDS", -1.0)
    Server(monkeypatch, [], [job("running", 1), Unreachable("gone")], NoEvents("no upgrade"))
    with pytest.raises(Unreachable):
        followed(job("queued"))


def test_events_that_stay_away_are_made_up_for_by_asking(monkeypatch):
    monkeypatch.setattr(following, "_ASK_ANYWAY_SECONDS", 0.01)
    Server(monkeypatch, [], [job("running", 1), job("complete", 3)])
    assert followed(job("queued"))[1] == [0, 1, 3]


def test_a_job_that_is_gone_ends_it(monkeypatch):
    Server(monkeypatch, [], [Refused("no such job")], NoEvents("no upgrade"))
    with pytest.raises(Refused):
        followed(job("queued"))


def test_ctrl_c_asks_the_server_to_cancel_and_waits_for_the_end(monkeypatch):
    cancelled = []

    async def interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        while not cancelled:
            await asyncio.sleep(0)

    server = Server(monkeypatch, [interrupt, job("cancelled", 1)])
    answer = server.call

    async def call(address, method, params):
        cancelled.append(method)
        server.states.append(job("cancelled", 1))
        return await answer(address, method, params)

    monkeypatch.setattr(following, "call", call)
    (ended, is_interrupted), _ = followed(job("running"))
    assert (ended["state"], is_interrupted, cancelled) == ("cancelled", True, ["retrieve.cancel"])


def test_a_second_ctrl_c_leaves_at_once(monkeypatch):
    async def interrupt_twice():
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    server = Server(monkeypatch, [interrupt_twice])

    async def never(address, method, params):
        await asyncio.Event().wait()

    monkeypatch.setattr(following, "call", never)
    with pytest.raises(Interrupted, match="j1 goes on"):
        followed(job("running"))
    assert server.called == [("follow", "jobs/j1")]


def test_what_ctrl_c_did_before_is_what_it_does_after(monkeypatch):
    Server(monkeypatch)
    before = signal.getsignal(signal.SIGINT)
    followed(job("complete", 3))
    assert signal.getsignal(signal.SIGINT) is before
