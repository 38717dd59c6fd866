"""What /metrics says, read by Prometheus' own parser."""

import asyncio
import contextlib

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pfdcmd.edge.livemetrics import Live
from pfdcmd.edge.metrics import Metrics, retrieves_by_state
from pfdcmd.errors import AccessRefused, TreeFault
from pfdcmd.events.hub import HubCounts
from pfdcmd.wire.pfdialect import Call

SERVICE = {
    **{"state": "RUNNING", "associations_open": 2, "associations_total": 7, "images": 40, "bytes": 5000},
    **{"refused": {"address": 3, "calling_ae": 1}},
}
LIVE = Live(
    listing={"heart": SERVICE, 'odd"\n\\': {**SERVICE, "state": "FATAL"}, ".reload": {"when": ""}, ".faults": []},
    retrieves={"running": 2, "complete": 5},
    events=HubCounts(followers=3, streams=2, published=100, missed=4, lag=9),
    connections=5,
    sockets=2,
    requests=1,
    waiting=6,
)


class Request:
    def __init__(self):
        self.headers = {}


@pytest.fixture
def metrics():
    async def live():
        return LIVE

    return Metrics(["hello", "tree.get"], live)


def samples(metrics):
    response = asyncio.run(metrics.respond(Request()))
    assert response.headers["Content-Type"].startswith("text/plain")
    # the labels come in the order of their names
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.body.decode())
        for sample in family.samples
    }


def test_what_is_live_is_shown(metrics):
    said = samples(metrics)
    assert said["pfdcm_associations_open", "heart"] == 2
    assert said["pfdcm_associations_total", "heart"] == 7
    assert said["pfdcm_images_total", "heart"] == 40
    assert said["pfdcm_received_bytes_total", "heart"] == 5000
    assert said["pfdcm_refused_total", "calling_ae", "heart"] == 1
    assert (said["pfdcm_listener_running", "heart"], said["pfdcm_listener_running", 'odd"\n\\']) == (1, 0)
    assert (said["pfdcm_retrieves", "running"], said["pfdcm_retrieves", "complete"]) == (2, 5)
    assert (said["pfdcm_events_subscribers",], said["pfdcm_events_lag",]) == (3, 9)
    assert (said["pfdcm_events_published_total",], said["pfdcm_events_missed_total",]) == (100, 4)
    assert (said["pfdcm_http_connections",], said["pfdcm_sockets",], said["pfdcm_requests_under_way",]) == (5, 2, 1)
    assert said["pfdcm_pacs_waiting",] == 6
    assert any(name[0] == "pfdcm_build_info" for name in said)
    assert said["process_resident_memory_bytes",] > 0
    assert not any(".reload" in name for name in said)


def test_calls_are_counted_by_name_and_how_they_ended(metrics):
    metrics.count("tree.get", "ok", 0.002)
    metrics.count("tree.get", "ok", 0.2)
    said = samples(metrics)
    assert said["pfdcm_requests_total", "tree.get", "ok"] == 2
    assert said["pfdcm_request_seconds_bucket", "tree.get", "0.0025"] == 1
    assert said["pfdcm_request_seconds_count", "tree.get"] == 2


def test_a_name_that_is_none_of_ours_is_no_label(metrics):
    for name in ("DOE^JANE", "1.2.3", *map(str, range(1000))):
        metrics.count(name, "fault", 0.001)
    said = samples(metrics)
    assert said["pfdcm_requests_total", "other", "fault"] == 1002
    assert len([name for name in said if name[0] == "pfdcm_requests_total"]) == 1


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [({"status": True}, "ok"), ({"status": False}, "fault"), (AccessRefused(), "refused"), (KeyError(), "ended")],
)
def test_a_message_of_the_old_dialect_is_counted_however_it_ends(metrics, answer, outcome):
    async def give(_call, _caller):
        if isinstance(answer, Exception):
            raise answer
        return answer

    counted = metrics.counting(give)
    if isinstance(answer, Exception):
        with pytest.raises(type(answer)):
            asyncio.run(counted(Call("hello", {}), None))
    else:
        assert asyncio.run(counted(Call("hello", {}), None)) is answer
    assert samples(metrics)["pfdcm_requests_total", "hello", outcome] == 1


@pytest.mark.parametrize(
    ("error", "outcome"), [(None, "ok"), (TreeFault(), "fault"), (AccessRefused(), "refused"), (KeyError(), "ended")]
)
def test_a_method_is_counted_however_it_ends(metrics, error, outcome):
    with pytest.raises(type(error)) if error else contextlib.nullcontext(), metrics.timing("tree.get"):
        if error:
            raise error
    assert samples(metrics)["pfdcm_requests_total", "tree.get", outcome] == 1


def test_retrieves_are_counted_by_state():
    assert retrieves_by_state(["running", "complete", "running"]) == {"running": 2, "complete": 1}
