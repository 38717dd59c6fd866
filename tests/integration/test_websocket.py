"""WebSockets at the real HTTP port: calls, subscriptions and streams, spoken to by aiohttp's client."""

import asyncio

import pytest
from socketsite import Client, scenario, until

from pfdcmd.edge.http.socketsession import MAX_REQUESTS


def test_the_same_methods_as_by_post_and_answers_by_id():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            client = Client(raw)
            assert await client.result("tree.get", {"path": "/PACS/a/port"}) == "104"
            assert (await client.call("no.such"))["error"]["code"] == -32601
            await raw.send_str("{")
            assert (await client.receive())["error"]["code"] == -32700
            await raw.send_json(
                [
                    {"jsonrpc": "2.0", "id": "x", "method": "tree.set", "params": ["/PACS/a/port", "105"]},
                    {"jsonrpc": "2.0", "id": "y", "method": "tree.get", "params": ["/PACS/a/port"]},
                ]
            )
            assert [each["result"] for each in await client.receive()] == ["105", "105"]

    scenario(script)


def test_requests_are_done_side_by_side_and_one_too_many_is_told_so():
    async def script(site, http):
        async with http.ws_connect(site.url, headers={"X-Request-Id": "abc"}) as raw:
            client = Client(raw)
            for _ in range(MAX_REQUESTS):
                await client.send("test.wait")
            await until(lambda: site.begun == MAX_REQUESTS)
            await client.send("tree.get", {"path": "/"})
            assert "at once" in (await client.receive())["error"]["message"]
            site.may_end.set()
            results = {(await client.receive())["result"] for _ in range(MAX_REQUESTS)}
            assert results == {f"abc.{number}" for number in range(1, MAX_REQUESTS + 1)}

    scenario(script)


def test_the_end_of_the_connection_ends_what_it_waited_for():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            client = Client(raw)
            await client.send("test.wait")
            await client.result("events.subscribe", {"topic": "tree"})
            await until(lambda: site.begun)
        await until(lambda: site.cancelled == 1 and site.sockets.count == 0 and site.hub.counts().followers == 0)

    scenario(script)


def test_a_snapshot_then_numbered_changes_until_unsubscribed():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            client = Client(raw)
            begun = await client.result("events.subscribe", {"path": "/PACS/a"})
            assert begun["snapshot"] == {"path": "/PACS/a", "value": {"port": "104"}}
            assert (begun["topic"], begun["number"], begun["resumed"]) == ("tree/PACS/a", 0, False)
            site.tree.set("/PACS/a/port", "106")
            site.tree.set("/PACS/b/port", "1")
            site.tree.set("/PACS/a/port", "107")
            told = [await client.notification() for _ in range(2)]
            assert [(t["method"], t["params"]["number"], t["params"]["data"]["value"]) for t in told] == [
                ("events.change", 1, "106"),
                ("events.change", 2, "107"),
            ]
            assert {t["params"]["subscription"] for t in told} == {begun["subscription"]}
            assert await client.result("events.unsubscribe", {"subscription": begun["subscription"]}) is None
            site.tree.set("/PACS/a/port", "108")
            assert await client.result("tree.get", {"path": "/PACS/a/port"}) == "108"
            assert client.told == []
            assert (await client.call("events.unsubscribe", {"subscription": "s1"}))["error"]["code"] == -32602

    scenario(script)


def test_since_goes_on_where_the_broken_connection_ended():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            begun = await Client(raw).result("events.subscribe", {"topic": "tree"})
        site.tree.set("/PACS/a/port", "1")
        site.tree.set("/PACS/a/port", "2")
        since = {"epoch": begun["epoch"], "number": 1}
        async with http.ws_connect(site.url) as raw:
            client = Client(raw)
            again = await client.result("events.subscribe", {"topic": "tree", "since": since})
            assert (again["resumed"], again["number"], again["snapshot"]) == (True, 1, None)
            assert (await client.notification())["params"]["number"] == 2
            other = {"topic": "tree", "since": {"epoch": "another", "number": 1}}
            fresh = await client.result("events.subscribe", other)
            assert (fresh["resumed"], fresh["number"]) == (False, 2)
            assert fresh["snapshot"]["value"] == {"PACS": {"a": {"port": "2"}}}

    scenario(script)


@pytest.mark.parametrize(
    "params", [{}, {"topic": "nothing"}, {"topic": "jobs", "path": "/"}, {"topic": "jobs", "since": 5}, {"path": 7}]
)
def test_what_cannot_be_followed_is_told_so(params):
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            assert (await Client(raw).call("events.subscribe", params))["error"]["code"] == -32602
            assert site.hub.counts().followers == 0

    scenario(script)


def test_listeners_are_followed_by_path_and_by_topic():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            client = Client(raw)
            one = await client.result("events.subscribe", {"path": "/listeners/heart/state"})
            assert one["snapshot"] == {"service": "heart", "listing": {"state": "RUNNING"}}
            every = await client.result("events.subscribe", {"topic": "listeners"})
            assert every["snapshot"] == {"services": {"heart": {"state": "RUNNING"}}}

    scenario(script)


def test_a_stream_comes_item_by_item_before_its_answer():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            client = Client(raw)
            assert await client.result("test.stream") == {"count": 500}
            assert [each["params"]["number"] for each in client.told] == list(range(1, 501))

    scenario(script)


def test_a_reader_that_does_not_read_lags_and_costs_nothing():
    async def script(site, http):
        async with http.ws_connect(site.url, max_msg_size=0) as raw:
            client = Client(raw)
            await client.result("events.subscribe", {"topic": "jobs"})
            # nothing is read from here on: aiohttp stops the transport, the kernel's buffers fill
            for number in range(100_000):
                site.hub.publish("jobs/a", {"number": number, "text": "x" * 200})
                if number % 500 == 0:
                    await asyncio.sleep(0)
            stream = site.hub.follow("jobs", lambda: None).stream
            assert stream.number == 100_000
            assert stream.characters < 8 * 1024 * 1024
            told, missed, last = 0, 0, 0
            while last < 100_000:
                message = await client.notification()
                params = message["params"]
                if message["method"] == "events.lagged":
                    missed += params["missed"]
                    assert params["number"] == last + params["missed"]
                    assert params["snapshot"] == {"jobs": []}
                else:
                    told += 1
                    assert params["number"] == last + 1
                last = params["number"]
            assert missed > 50_000
            assert told + missed == 100_000

    scenario(script)
