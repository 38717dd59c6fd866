"""/metrics for Prometheus: what is counted here as it happens, and what others know at the moment of asking.

No label holds what a caller or a peer sent: actions, methods, services, states and reasons alone, all of them names of
ours or of the operator's. Whatever else is called counts as OTHER.

Source: Prometheus, "Exposition formats" and "Metric and label naming".
"""

from __future__ import annotations

import platform
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

from pfdcmd import __version__
from pfdcmd.actions.caller import Caller
from pfdcmd.actions.context import Reply
from pfdcmd.edge.livemetrics import Live, LiveCollector
from pfdcmd.errors import AccessRefused, Fault
from pfdcmd.wire.pfdialect import Call

OTHER = "other"
OK, FAULT, REFUSED, ENDED = "ok", "fault", "refused", "ended"
"""How a call ended: with a result, with a fault, at the caller's lack of rights, with the caller gone."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""A tree get takes a millisecond, a query seconds, a retrieve that is waited for minutes."""

Answer = Callable[[Call, Caller], Awaitable[Reply]]


class Metrics:
    """Counts calls, and answers GET /metrics."""

    def __init__(self, calls: Iterable[str], live: Callable[[], Awaitable[Live]]) -> None:
        """Args: calls: the names of all actions and methods. live: what is so just now."""
        self._calls = frozenset(calls)
        self._live = live
        self._registry = CollectorRegistry(auto_describe=False)
        self._collector = LiveCollector({"version": __version__, "python": platform.python_version()})
        self._registry.register(self._collector)
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "pfdcm_requests", "Calls that have ended.", ("call", "outcome"), registry=self._registry
        )
        self._seconds = Histogram(
            "pfdcm_request_seconds", "How long calls took.", ("call",), buckets=_SECONDS, registry=self._registry
        )
        self._series: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def count(self, call: str, outcome: str, seconds: float) -> None:
        """Count a call that has ended."""
        requests, durations = self._series.get((call, outcome)) or self._find_series(call, outcome)
        requests.inc()
        durations.observe(seconds)

    def _find_series(self, call: str, outcome: str) -> tuple[Counter, Histogram]:
        """The two that this counts in; kept for the calls that have a name here, for looking them up takes longer than
        the counting."""
        name = call if call in self._calls else OTHER
        found = self._requests.labels(name, outcome), self._seconds.labels(name)
        if name == call:
            self._series[call, outcome] = found
        return found

    def timing(self, call: str) -> AbstractContextManager[None]:
        """Count what is done within, by how it ends."""
        return _Timed(self, call)

    def counting(self, answer: Answer) -> Answer:
        """What answers a message of the old dialect, counted; there a fault is a reply."""

        async def answer_and_count(call: Call, caller: Caller) -> Reply:
            started, outcome = time.monotonic(), ENDED
            try:
                reply = await answer(call, caller)
                outcome = OK if reply.get("status") is True else FAULT
                return reply
            except AccessRefused:
                outcome = REFUSED
                raise
            finally:
                self.count(call.action, outcome, time.monotonic() - started)

        return answer_and_count

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """GET /metrics, in whichever of Prometheus' formats is asked for."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        self._collector.live = await self._live()
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})


class _Timed(AbstractContextManager[None]):
    """A call while it is being done; a class, as a generator takes twice the time."""

    def __init__(self, metrics: Metrics, call: str) -> None:
        self._metrics = metrics
        self._call = call
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if kind is None:
            outcome = OK
        elif issubclass(kind, AccessRefused):
            outcome = REFUSED
        else:
            outcome = FAULT if issubclass(kind, Fault) else ENDED
        self._metrics.count(self._call, outcome, time.monotonic() - self._started)


def retrieves_by_state(states: Iterable[str]) -> Mapping[str, int]:
    """How many there are of each state."""
    counted: dict[str, int] = {}
    for state in states:
        counted[state] = counted.get(state, 0) + 1
    return counted
