"""The HTTP port, wired on one page: which path is answered by what.

POST /rpc            JSON-RPC              GET /rpc        the same over a WebSocket, and events
GET /openrpc.json    what there is         GET /metrics    for Prometheus
GET /healthz         is it alive           GET /readyz     can it do its work
anything else        the old dialect
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pfdcmd.dispatch import ACTIONS
from pfdcmd.edge.http.door import Door
from pfdcmd.edge.http.health import respond_alive
from pfdcmd.edge.http.olddialect import OldDialect
from pfdcmd.edge.http.performing import Performing
from pfdcmd.edge.http.rpc import DOCUMENT_PATH, OpenRpcDocument, RpcOverHttp
from pfdcmd.edge.http.rpc import PATH as RPC_PATH
from pfdcmd.edge.http.server import HttpServer, Routes
from pfdcmd.edge.http.websocket import WebSockets
from pfdcmd.edge.livemetrics import Live
from pfdcmd.edge.metrics import Metrics, retrieves_by_state
from pfdcmd.errors import StorageFault
from pfdcmd.methods.perform import Rpc
from pfdcmd.methods.table import METHODS
from pfdcmd.program import Program
from pfdcmd.settings import Settings

_JOBS_COUNTED = 500


class Port:
    """Open from start to stop."""

    def __init__(self, settings: Settings, program: Program, door: Door, answered: Callable[[], None]) -> None:
        """answered is told of each POST's end."""
        self._program = program
        self._performing = Performing()
        self._metrics = Metrics({*ACTIONS, *METHODS}, self._live)
        old_dialect = OldDialect(settings, self._metrics.counting(program.answer), self._performing)
        rpc = Rpc(METHODS, program.context, program.save_since, self._metrics.timing, program.audit.recording)
        over_http = RpcOverHttp(settings, rpc, self._performing)
        self._sockets = WebSockets(program.context, rpc, program.hub, self._performing, door.admit)
        routes: Routes = {
            ("POST", RPC_PATH): over_http.respond,
            ("GET", RPC_PATH): self._sockets.respond,
            ("GET", DOCUMENT_PATH): OpenRpcDocument(METHODS.values()).respond,
            ("GET", "/healthz"): respond_alive,
            ("GET", "/readyz"): program.readiness.respond,
            ("GET", "/metrics"): self._metrics.respond,
        }
        self._server = HttpServer(
            settings,
            routes,
            old_dialect,
            self._performing,
            answered,
            door=door,
            refusers={path: over_http.refused for _, path in routes},
            refused=program.refused,
        )

    async def start(self) -> tuple[str, int]:
        """Open it. Returns: address and port. Raises: OSError: it cannot be opened."""
        return await self._server.start()

    async def stop(self, grace_seconds: float) -> None:
        """Close it, let what is asked for end for up to grace_seconds, cancel the rest (they are told), close all."""
        await asyncio.gather(self._sockets.end(grace_seconds), self._server.stop(grace_seconds))

    async def _live(self) -> Live:
        program = self._program
        try:
            jobs = await program.context.jobs.list(limit=_JOBS_COUNTED)
        except StorageFault:  # /readyz and the log tell of it; the rest is worth knowing all the same
            jobs = []
        return Live(
            listing=program.listeners.listing(),
            retrieves=retrieves_by_state(job.state.value for job in jobs),
            events=program.hub.counts(),
            connections=self._server.connections,
            sockets=self._sockets.count,
            requests=self._performing.count,
            waiting=program.context.pacs.waiting,
        )
