"""What a WebSocket's subscriptions send, to a caller that reads, reads slowly, or not at all."""

import asyncio
import json

import pytest

from pfdcmd.edge.http.socketsubscriptions import MAX_SUBSCRIPTIONS, Subscriptions
from pfdcmd.errors import JobNotFound, MessageFault, ParameterFault
from pfdcmd.events.hub import EventHub


class Caller:
    """Reads what is sent once it may."""

    def __init__(self):
        self.sent = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.has_gone = False

    async def send(self, text):
        await self.reads.wait()
        if self.has_gone:
            raise ConnectionResetError
        self.sent.append(json.loads(text))

    def numbers(self, subscription="s1"):
        return [m["params"]["number"] for m in self.sent if m["params"]["subscription"] == subscription]


async def snapshot(topic):
    if topic == "jobs/gone":
        raise JobNotFound
    return {"of": topic}


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


def scenario(script):
    """Run the script with a hub, a caller and its subscriptions."""

    async def run():
        hub, caller = EventHub(), Caller()
        subscriptions = Subscriptions(hub, caller.send, snapshot)
        telling = asyncio.create_task(subscriptions.tell())
        try:
            await script(hub, caller, subscriptions)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    asyncio.run(run())


def test_nothing_is_told_before_the_caller_knows_the_subscription():
    async def script(hub, caller, subscriptions):
        first, _ = subscriptions.add("jobs", None)
        second, _ = subscriptions.add("jobs", None)
        hub.publish("jobs/a", {"state": "running"})
        subscriptions.begin([second])
        await until(lambda: caller.sent)
        assert [message["params"]["subscription"] for message in caller.sent] == [second]
        subscriptions.begin([first])
        await until(lambda: len(caller.sent) == 2)
        assert caller.sent[1] == {
            "jsonrpc": "2.0",
            "method": "events.change",
            "params": {"subscription": first, "number": 1, "topic": "jobs/a", "data": {"state": "running"}},
        }

    scenario(script)


def test_a_caller_that_does_not_read_is_told_once_how_much_it_has_missed():
    async def script(hub, caller, subscriptions):
        identifier, _ = subscriptions.add("jobs", None)
        subscriptions.begin([identifier])
        hub.publish("jobs/a", {"n": 0})
        await until(lambda: caller.sent)
        caller.reads.clear()
        for number in range(100_000):
            hub.publish("jobs/a", {"n": number})
            if number % 1000 == 0:
                await asyncio.sleep(0)
        caller.reads.set()
        hub.publish("jobs/a", {"n": "last"})
        await until(lambda: caller.sent[-1]["params"].get("number") == 100_002)
        lagged = [message["params"] for message in caller.sent if message["method"] == "events.lagged"]
        assert len(lagged) == 1
        assert (lagged[0]["topic"], lagged[0]["snapshot"]) == ("jobs", {"of": "jobs"})
        told = {m["params"]["number"] for m in caller.sent if m["method"] == "events.change"}
        assert len(told) + lagged[0]["missed"] == 100_002
        assert len(caller.sent) < 5000

    scenario(script)


def test_a_lag_of_what_is_gone_has_no_snapshot():
    async def script(hub, caller, subscriptions):
        identifier, _ = subscriptions.add("jobs/gone", None)
        for _ in range(5000):
            hub.publish("jobs/gone", {})
        subscriptions.begin([identifier])
        await until(lambda: caller.sent)
        assert caller.sent[0]["params"] == {
            "subscription": identifier,
            "topic": "jobs/gone",
            "missed": 5000,
            "number": 5000,
        }

    scenario(script)


def test_a_busy_topic_does_not_keep_another_waiting():
    async def script(hub, caller, subscriptions):
        busy, _ = subscriptions.add("jobs/busy", None)
        quiet, _ = subscriptions.add("jobs/quiet", None)
        for _ in range(4000):
            hub.publish("jobs/busy", {})
        hub.publish("jobs/quiet", {})
        subscriptions.begin([busy, quiet])
        await until(lambda: caller.numbers(quiet))
        await until(lambda: len(caller.numbers(busy)) == 4000)
        order = [message["params"]["subscription"] for message in caller.sent]
        assert order.index(quiet) <= 200

    scenario(script)


def test_what_was_unsubscribed_is_not_told_any_more():
    async def script(hub, caller, subscriptions):
        first, _ = subscriptions.add("jobs", None)
        second, _ = subscriptions.add("jobs", None)
        subscriptions.begin([first, second])
        subscriptions.remove(first)
        hub.publish("jobs/a", {})
        await until(lambda: caller.numbers(second))
        assert caller.numbers(first) == []
        assert hub.counts().followers == 1
        subscriptions.remove_all()
        assert subscriptions.is_empty
        assert hub.counts().followers == 0

    scenario(script)


def test_there_are_limits_and_ids_that_are_none():
    async def script(_hub, _caller, subscriptions):
        for _ in range(MAX_SUBSCRIPTIONS):
            subscriptions.add("jobs", None)
        with pytest.raises(MessageFault):
            subscriptions.add("jobs", None)
        with pytest.raises(ParameterFault):
            subscriptions.remove("s999")
        subscriptions.begin(["s999"])

    scenario(script)


def test_it_ends_with_the_connection():
    async def run():
        hub, caller = EventHub(), Caller()
        subscriptions = Subscriptions(hub, caller.send, snapshot)
        subscriptions.begin([subscriptions.add("jobs", None)[0]])
        caller.has_gone = True
        hub.publish("jobs/a", {})
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(subscriptions.tell(), 20)

    asyncio.run(run())


def test_after_the_end_of_the_loop_a_change_troubles_nobody():
    hub = EventHub()

    async def run():
        subscriptions = Subscriptions(hub, Caller().send, snapshot)
        _, follower = subscriptions.add("jobs", None)
        hub.take(follower, 1)

    asyncio.run(run())
    hub.publish("jobs/a", {})
