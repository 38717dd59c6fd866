"""The HTTP server: one port, a table of routes, and the old dialect for whatever path is not among them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from aiohttp import web

from pfdcmd.edge.httpconnection import Connection, Refusal
from pfdcmd.edge.olddialect import OldDialect
from pfdcmd.edge.performing import Performing
from pfdcmd.errors import LocalError, MessageFault
from pfdcmd.settings import Settings

Responder = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Routes = Mapping[tuple[str, str], Responder]
"""Method and path -> who answers; whoever does bounds what it reads (edge.body)."""

_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1024}\Z")
_PREFLIGHT_SECONDS = "86400"
_BACKLOG = 1024


class HttpServer:
    """Listens, and has each request answered by whom its route names."""

    def __init__(
        self,
        settings: Settings,
        routes: Routes,
        old_dialect: OldDialect,
        performing: Performing,
        answered: Callable[[], None],
    ) -> None:
        """answered is told of each POST's end."""
        self._settings = settings
        self._routes = routes
        self._old_dialect = old_dialect
        self._performing = performing
        self._answered = answered
        self._connections: set[Connection | Refusal] = set()
        self._listening: asyncio.Server | None = None
        self._http: web.Server | None = None

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
        if self._http is None:
            raise LocalError("a connection before the server has started")
        if len(self._connections) < self._settings.max_connections:
            return Connection(
                self._http,
                self._connections,
                self._old_dialect.broken,
                self._settings.request_seconds,
            )
        busy = MessageFault("pfdcm has too many connections open; try again later.")
        return Refusal(self._connections, self._old_dialect.refuse(busy), is_bare=not self._settings.http_response)

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return _preflight(request)
        respond = self._routes.get((request.method, request.path), self._old_dialect.respond)
        response = await respond(request)
        if not request.content.is_eof():
            response.force_close()
        if request.method == "POST":
            self._answered()
        return response


def _preflight(request: web.BaseRequest) -> web.Response:
    """What a browser asks before it lets a page send: yes, from anywhere, with the headers that it names.

    Source: Fetch standard, section 3.2 (CORS protocol).
    """
    asked = request.headers.get("Access-Control-Request-Headers", "")
    return web.Response(
        status=HTTPStatus.NO_CONTENT,
        headers={
            "Server": "pfdcm",
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": "POST, OPTIONS",
            "Access-Control-Allow-Headers": asked if _HEADER_NAMES.match(asked) else "*",
            "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
        },
    )
