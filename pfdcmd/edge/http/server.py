"""The HTTP server: one port, a table of routes, and the old dialect for whatever path is not among them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from pfdcmd.edge.http.connection import Connection, Refusal
from pfdcmd.edge.http.door import ANY_ORIGIN, CALLER, Door, parse_origins
from pfdcmd.edge.http.headers import guard, preflight
from pfdcmd.edge.http.olddialect import OldDialect
from pfdcmd.edge.http.performing import Performing
from pfdcmd.edge.http.refusals import Refuser, mark
from pfdcmd.edge.http.requestid import begin_request, name_request
from pfdcmd.edge.http.tls import Handshake
from pfdcmd.errors import AccessRefused, LocalError, MessageFault, TooManyAttempts
from pfdcmd.settings import Settings

Responder = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Routes = Mapping[tuple[str, str], Responder]
"""Method and path -> who answers; whoever does bounds what it reads (edge.http.body). request[CALLER] is who calls."""

Refusers = Mapping[str, Refuser]
"""Path -> who words a refusal there; the old dialect does for the rest."""

_BACKLOG = 1024

_log = logging.getLogger(__name__)


def _tell_nobody(_request: web.BaseRequest, _fault: AccessRefused) -> None:
    """For a server without an audit."""


class HttpServer:
    """Listens, and has each request answered by whom its route names."""

    def __init__(
        self,
        settings: Settings,
        routes: Routes,
        old_dialect: OldDialect,
        performing: Performing,
        answered: Callable[[], None],
        *,
        door: Door | None = None,
        refusers: Refusers | None = None,
        refused: Callable[[web.BaseRequest, AccessRefused], None] = _tell_nobody,
    ) -> None:
        """answered is told of each POST's end, refused of each request that was not let in."""
        self._settings = settings
        self._routes = routes
        self._old_dialect = old_dialect
        self._performing = performing
        self._answered = answered
        self._door = door or Door(origins=parse_origins(settings.allowed_origins))
        self._refusers = refusers or {}
        self._refused = refused
        self._connections: set[Connection | Handshake | Refusal] = set()
        self._listening: asyncio.Server | None = None
        self._http: web.Server | None = None

    @property
    def connections(self) -> int:
        """How many callers are connected."""
        return len(self._connections)

    async def start(self) -> tuple[str, int]:
        """Open the port. Returns: address and port. Raises: OSError: it cannot be opened."""
        self._http = web.Server(self._respond, handler_cancellation=True)
        self._listening = await asyncio.get_running_loop().create_server(
            self._connection, self._settings.ip_self, self._settings.port_self, backlog=_BACKLOG
        )
        host, port = self._listening.sockets[0].getsockname()[:2]
        return host, port

    async def stop(self, grace_seconds: float) -> None:
        """Close the port, let actions end for up to grace_seconds, cancel the rest (they are told), close all."""
        if self._listening is not None:
            self._listening.close()
        await self._performing.end(grace_seconds)
        if self._http is not None:
            await self._http.shutdown(timeout=1.0)

    def _connection(self) -> asyncio.Protocol:
        """The protocol of a new connection; beyond max_connections, one that says so and closes."""
        if len(self._connections) >= self._settings.max_connections:
            return self._busy()
        tls = self._door.tls
        return self._spoken() if tls is None else Handshake(tls, self._connections, self._spoken)

    def _spoken(self) -> Connection:
        """A connection on which HTTP is spoken."""
        if self._http is None:
            raise LocalError("a connection before the server has started")
        return Connection(
            self._http,
            self._connections,
            self._old_dialect.broken,
            self._settings.request_seconds,
        )

    def _busy(self) -> Refusal:
        """Without a word where TLS would be spoken: a handshake is what there is no room for."""
        if self._door.tls is not None:
            return Refusal(self._connections, b"", is_bare=True, origin="")
        busy = MessageFault("pfdcm has too many connections open; try again later.")
        origin = ANY_ORIGIN if ANY_ORIGIN in parse_origins(self._settings.allowed_origins) else ""
        body = self._old_dialect.refuse(busy)
        return Refusal(self._connections, body, is_bare=not self._settings.http_response, origin=origin)

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        request_id = begin_request(request)
        response = await self._answer(request)
        name_request(response, request_id)
        return response

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        origin = self._door.origin_for(request)
        if request.method == "OPTIONS":
            return preflight(request, origin)
        try:
            request[CALLER] = self._door.admit(request)
        except AccessRefused as fault:
            return self._refuse(request, fault, origin)
        respond = self._routes.get((request.method, request.path), self._old_dialect.respond)
        response = await respond(request)
        guard(response, origin or "")
        if not request.content.is_eof():
            response.force_close()
        if request.method == "POST":
            self._answered()
        return response

    def _refuse(self, request: web.BaseRequest, fault: AccessRefused, origin: str | None) -> web.Response:
        """Refuse whom the door refuses, in the dialect of the path, with the body unread and the connection closed.

        Who comes too often fills neither the log nor the audit.
        """
        if not isinstance(fault, TooManyAttempts):
            _log.info("refused: %s, %s", request.remote, type(fault).__name__)
            self._refused(request, fault)
        refuser = self._refusers.get(request.path, self._old_dialect.refused)
        response = mark(refuser(fault), fault)
        guard(response, origin or "")
        response.force_close()
        return response
