"""A caller's connection, and the two shapes of a response on it: in HTTP's frame, or bare."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

SECURITY_HEADERS = {
    # The inner header says text/html; a browser must not come to believe it.
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    # Replies hold patients' data: they are not for a cache to keep.
    "Cache-Control": "no-store",
}
HEADERS = {"Server": "pfdcm", "Content-Type": "text/plain; charset=UTF-8", **SECURITY_HEADERS}
_LINGER_SECONDS = 10.0
_REFUSAL_SECONDS = 2.0
_MAX_REFUSALS = 256

_log = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """One connection, served by aiohttp; what is not HTTP is answered in our words, and nobody may stall it.

    idle_seconds bounds the wait for a request's header and for the next request; a caller that stops reading is cut off
    by the kernel after the same time (tcp(7), TCP_USER_TIMEOUT).
    """

    def __init__(
        self,
        server: web.Server,
        open_connections: set[Any],
        broken: Callable[[str], web.Response],
        idle_seconds: float,
    ) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=idle_seconds,
            lingering_time=_LINGER_SECONDS,
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to have none
        )
        self._open_connections = open_connections
        self._broken = broken
        self._idle_seconds = idle_seconds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open_connections.add(self)
        connection = transport.get_extra_info("socket")
        if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self._idle_seconds * 1000))
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._open_connections.discard(self)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Malformed HTTP (status 400): one line in the log. Anything else is a fault of ours: a traceback there."""
        if status == HTTPStatus.BAD_REQUEST:
            _log.info("malformed HTTP from %s: %s", request.remote, (message or "").split("\n")[0][:200])
        else:
            _log.error("A request could not be answered", exc_info=exc)
        response = self._broken((message or "malformed").split("\n")[0][:200].rstrip(":"))
        response.force_close()
        return response


class Refusal(asyncio.Protocol):
    """A connection that is one too many: told so, and closed once it has had the time to read it."""

    def __init__(self, open_connections: set[Any], body: bytes, *, is_bare: bool, origin: str) -> None:
        """origin: whose pages may read it, without knowing who asks: everybody's (*) or nobody's (empty)."""
        self._open_connections = open_connections
        self._bytes = body if is_bare else _head(len(body), origin) + body
        self._closing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            return
        refusals = sum(isinstance(connection, Refusal) for connection in self._open_connections)
        if refusals >= _MAX_REFUSALS:
            transport.abort()
            return
        self._open_connections.add(self)
        transport.write(self._bytes)
        end_of_writing(transport)
        self._closing = asyncio.get_running_loop().call_later(_REFUSAL_SECONDS, transport.abort)

    def connection_lost(self, _error: BaseException | None) -> None:
        self._open_connections.discard(self)
        if self._closing is not None:
            self._closing.cancel()


class _Bare(web.Response):
    """A response without status line and headers: the body, then the end of what we send."""

    async def prepare(self, request: web.BaseRequest) -> None:
        transport = request.transport
        if transport is None or transport.is_closing() or not isinstance(self.body, bytes):
            return
        transport.write(self.body)
        end_of_writing(transport)

    async def write_eof(self, data: bytes = b"") -> None:
        """All is written."""


def end_of_writing(transport: asyncio.WriteTransport) -> None:
    """Say that nothing follows; TLS, as asyncio has it, can only do so by closing both directions."""
    if transport.can_write_eof():
        transport.write_eof()


def framed(body: bytes, origin: str) -> web.Response:
    """The body as an HTTP response, status 200; origin: whose pages may read it, * or nobody's."""
    return web.Response(body=body, headers={**HEADERS, **_allowing(origin)})


def bare(body: bytes) -> web.Response:
    """The body alone; the connection ends with it."""
    response = _Bare(body=body)
    response.force_close()
    return response


def _allowing(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin} if origin else {}


def _head(length: int, origin: str) -> bytes:
    fields = {**HEADERS, **_allowing(origin), "Content-Length": str(length), "Connection": "close"}
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("ascii")
