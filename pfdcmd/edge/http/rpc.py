"""JSON-RPC over HTTP: POST /rpc, and its description at GET /openrpc.json.

The status is 200 for whatever is answered in JSON-RPC's own words, errors included, and 204 where nothing is answered.
Only what kept the text from being read has another: 413, 400, 415. The Content-Type must be a JSON one: a web page can
send any other without asking whether it may.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus

from aiohttp import web

from pfdcmd.edge.http.body import read_body
from pfdcmd.edge.http.door import CALLER
from pfdcmd.edge.http.performing import Performing
from pfdcmd.errors import AccessRefused, Fault, MessageFault, MessageTooLarge
from pfdcmd.methods.method import Method
from pfdcmd.methods.openrpc import openrpc_document
from pfdcmd.methods.perform import Rpc
from pfdcmd.settings import Settings
from pfdcmd.wire.jsonrpc import encode_error, error_of

PATH = "/rpc"
DOCUMENT_PATH = "/openrpc.json"

_JSON = "application/json"
_ACCEPTED = frozenset({_JSON, "application/json-rpc", "application/jsonrequest"})
_HEADERS = {"Server": "pfdcm", "Content-Type": _JSON, "X-Content-Type-Options": "nosniff"}


class RpcOverHttp:
    """Answers POST /rpc."""

    def __init__(self, settings: Settings, rpc: Rpc, performing: Performing) -> None:
        self._settings = settings
        self._rpc = rpc
        self._performing = performing

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """The response to the text in the request's body; the door has put the caller into the request."""
        if request.content_type not in _ACCEPTED:
            wrong = MessageFault(f"The Content-Type must be {_JSON}.")
            return _told(wrong, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        try:
            text = await read_body(request, self._settings)
        except MessageTooLarge as fault:
            return _told(fault, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except MessageFault as fault:
            return _told(fault, HTTPStatus.BAD_REQUEST)
        try:
            answer = await self._performing.perform(self._rpc.perform(text, request[CALLER]))
        except MessageFault as fault:
            return _told(fault, HTTPStatus.SERVICE_UNAVAILABLE)
        if answer is None:
            return web.Response(status=HTTPStatus.NO_CONTENT, headers={"Server": "pfdcm"})
        return web.Response(body=answer, headers=_HEADERS)

    def refused(self, fault: AccessRefused) -> web.Response:
        """The words for whom the door refuses."""
        return _told(fault, HTTPStatus.FORBIDDEN)


class OpenRpcDocument:
    """Answers GET /openrpc.json; written once."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._body = json.dumps(openrpc_document(methods), indent=2).encode("ascii")

    async def respond(self, _request: web.BaseRequest) -> web.StreamResponse:
        """200, with the document."""
        return web.Response(body=self._body, headers=_HEADERS)


def _told(fault: Fault, status: HTTPStatus) -> web.Response:
    """What is wrong, as the error of a call that is not known."""
    return web.Response(status=status, body=encode_error(error_of(fault, None)), headers=_HEADERS)
