"""Metrics that nobody has to count: what the listing, the jobs, the events and the port say when they are asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from pfdcmd.events.hub import HubCounts
from pfdcmd.service.state import WorkerState

_SERVICE = ("service",)
_TOTALS = (
    ("pfdcm_associations", "associations_total", "Associations that peers have opened."),
    ("pfdcm_images", "images", "Images that were filed."),
    ("pfdcm_received_bytes", "bytes", "Bytes of the images that were filed."),
)


@dataclass(frozen=True)
class Live:
    """What is so at one moment.

    listing: what /listeners shows. retrieves: state -> how many jobs are in it. requests: that are being answered.
    waiting: operations that wait for an association with a PACS. connections, sockets: open at the HTTP port, and how
    many of these are WebSockets.
    """

    listing: Mapping[str, Any] = field(default_factory=dict)
    retrieves: Mapping[str, int] = field(default_factory=dict)
    events: HubCounts = field(default_factory=HubCounts)
    connections: int = 0
    sockets: int = 0
    requests: int = 0
    waiting: int = 0


class LiveCollector(Collector):
    """Shows what `live` was set to last."""

    def __init__(self, build: dict[str, str]) -> None:
        """build: what is true of this program as long as it runs."""
        self._build = build
        self.live = Live()

    def collect(self) -> Iterable[Metric]:
        live = self.live
        yield InfoMetricFamily("pfdcm_build", "Which pfdcm this is.", self._build)
        yield _gauge("pfdcm_http_connections", "Connections to the HTTP port.", live.connections)
        yield _gauge("pfdcm_sockets", "Of these, WebSockets.", live.sockets)
        yield _gauge("pfdcm_requests_under_way", "Calls that are being answered.", live.requests)
        yield _gauge("pfdcm_pacs_waiting", "Operations that wait for an association with a PACS.", live.waiting)
        yield from _services(live.listing)
        yield from _events(live.events)
        retrieves = GaugeMetricFamily("pfdcm_retrieves", "Retrieves by state.", labels=("state",))
        for state, count in live.retrieves.items():
            retrieves.add_metric((state,), count)
        yield retrieves


def _services(listing: Mapping[str, Any]) -> Iterable[Metric]:
    """A dot begins what is not a service (service.listing)."""
    services = {name: each for name, each in listing.items() if not name.startswith(".")}
    serving = GaugeMetricFamily("pfdcm_listener_running", "1 when the service's workers run.", labels=_SERVICE)
    is_open = GaugeMetricFamily("pfdcm_associations_open", "Associations that are open now.", labels=_SERVICE)
    refused = CounterMetricFamily("pfdcm_refused", "What was not let in, by reason.", labels=("service", "reason"))
    for name, each in services.items():
        serving.add_metric((name,), each["state"] == WorkerState.RUNNING.value)
        is_open.add_metric((name,), each["associations_open"])
        for reason, count in each["refused"].items():
            refused.add_metric((name, reason), count)
    yield from (serving, is_open, refused)
    for metric, key, meaning in _TOTALS:
        total = CounterMetricFamily(metric, meaning, labels=_SERVICE)
        for name, each in services.items():
            total.add_metric((name,), each[key])
        yield total


def _events(counts: HubCounts) -> Iterable[Metric]:
    yield _gauge("pfdcm_events_subscribers", "Subscriptions that are open.", counts.followers)
    yield _gauge("pfdcm_events_lag", "Changes that the slowest subscriber has not taken yet.", counts.lag)
    yield CounterMetricFamily("pfdcm_events_published", "Changes that were published.", counts.published)
    yield CounterMetricFamily("pfdcm_events_missed", "Changes that subscribers were too slow for.", counts.missed)


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value)
