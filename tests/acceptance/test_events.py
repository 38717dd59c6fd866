"""Events of a real retrieve, heard over connections that keep breaking."""

import asyncio
import itertools

import aiohttp
import pytest
from bench.workloads import make
from orthanc import free_ports, running_orthanc
from pfdcmprocess import end_supervisord, running

pytestmark = pytest.mark.acceptance

IMAGES = 300
RECONNECTIONS = 50
SECONDS = 120
ENDED = {"complete", "partial", "failed", "cancelled"}


@pytest.fixture
def site(tmp_path):
    """(pfdcm, study): a PACS that has the study, and a listener that is up."""
    workload = make(tmp_path / "images", "events", count=IMAGES, rows=128)
    (listener_port,) = free_ports(1)
    with (
        running_orthanc(tmp_path / "orthanc", listener_port) as orthanc,
        running(tmp_path, "--forever", "--httpResponse") as pfdcm,
    ):
        assert orthanc.load(workload.files) == IMAGES
        pfdcm.ask("internalctl", {"var": "/PACS", "set": {"orthanc": orthanc.entry}})
        pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": str(listener_port)})
        assert pfdcm.ask("xinetd", {"object": "service", "do": "everything"})["status"] is True
        yield pfdcm, workload.study
        end_supervisord(tmp_path / "state")


class Subscriber:
    """Follows topics over one connection after the other, and notes every number that it is told."""

    def __init__(self, http, url, topics):
        self._http = http
        self._url = url
        self.heard = {topic: [] for topic in topics}
        self.resumed = {topic: [] for topic in topics}
        self._places = {}

    async def connect(self, heard_enough):
        """Subscribe, hear until that is enough, and break the connection off."""
        async with self._http.ws_connect(self._url) as socket:
            names = {}
            for topic in self.heard:
                params = {"topic": topic} | ({"since": self._places[topic]} if topic in self._places else {})
                await socket.send_json({"jsonrpc": "2.0", "id": topic, "method": "events.subscribe", "params": params})
            while not heard_enough():
                message = await asyncio.wait_for(socket.receive_json(), SECONDS)
                if "id" in message:
                    answer = message["result"]
                    names[answer["subscription"]] = message["id"]
                    self.resumed[message["id"]].append(answer["resumed"])
                    self._places[message["id"]] = {"epoch": answer["epoch"], "number": answer["number"]}
                else:
                    assert message["method"] == "events.change", message
                    topic, told = names[message["params"]["subscription"]], message["params"]
                    self.heard[topic].append((told["number"], told["data"]))
                    self._places[topic]["number"] = told["number"]
            socket._response.connection.transport.abort()

    def numbers(self, topic):
        return [number for number, _ in self.heard[topic]]


async def call(http, url, method, params, request_id="other"):
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with http.post(url, json=request, headers={"X-Request-Id": request_id}) as response:
        answer = await response.json()
    assert "result" in answer, answer
    return answer["result"]


def test_a_subscriber_that_reconnects_50_times_in_a_retrieve_hears_every_number_once(site):
    pfdcm, study = site

    async def scenario():
        url = f"http://127.0.0.1:{pfdcm.port}/rpc"
        async with asyncio.timeout(SECONDS), aiohttp.ClientSession() as http:
            subscriber = Subscriber(http, url, ["jobs", "tree/test"])
            await subscriber.connect(lambda: all(subscriber.resumed.values()))
            wanted = {"pacs": "orthanc", "study": study}
            job = (await call(http, url, "retrieve.start", wanted, "from-the-ward"))["job"]

            async def set_often():
                for number in itertools.count():
                    await call(http, url, "tree.set", {"path": "/test/value", "value": number})

            setting = asyncio.create_task(set_often())
            under_way = 0
            for reconnection in range(RECONNECTIONS):
                before = sum(map(len, subscriber.heard.values()))
                wanted = before + 1 + reconnection % 7
                await subscriber.connect(lambda least=wanted: sum(map(len, subscriber.heard.values())) >= least)
                under_way += (
                    subscriber.heard["jobs"][-1:] == [] or subscriber.heard["jobs"][-1][1]["state"] not in ENDED
                )
            await subscriber.connect(lambda: any(told["state"] in ENDED for _, told in subscriber.heard["jobs"]))
            setting.cancel()
            await asyncio.gather(setting, return_exceptions=True)
            ended = await call(http, url, "retrieve.status", {"job": job})
        return subscriber, job, ended, under_way

    subscriber, job, ended, under_way = asyncio.run(scenario())
    assert under_way > RECONNECTIONS // 2, "the retrieve was over too soon to show anything"
    for topic in subscriber.heard:
        numbers = subscriber.numbers(topic)
        assert numbers == list(range(1, len(numbers) + 1))
        assert subscriber.resumed[topic][0] is False
        # a connection may break before the answer for the second topic has come
        assert all(subscriber.resumed[topic][1:])
    assert len(subscriber.heard["tree/test"]) > RECONNECTIONS
    assert [told["value"] for _, told in subscriber.heard["tree/test"]] == list(
        range(len(subscriber.heard["tree/test"]))
    )
    assert {told["job"] for _, told in subscriber.heard["jobs"]} == {job}
    assert subscriber.heard["jobs"][-1][1] == ended
    assert (ended["state"], ended["progress"]["received"]) == ("complete", IMAGES)
    # the id that came with the request is still named where the association with the PACS is
    assert "[from-the-ward]: association with ORTHANC" in pfdcm.log
