"""JSON-RPC 2.0 over HTTP: one connection, one call after another, every size and time bounded."""

from __future__ import annotations

import http.client
import json
import secrets
import select
import socket
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pfdcmd.ctl.configuration import Server
from pfdcmd.ctl.problems import Refused, Unreachable

MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""A list of 100,000 matches is some 60 MiB."""

_CONNECT_SECONDS = 10.0
_METHOD_NOT_FOUND = -32601
_INVALID_PARAMS = -32602


class Rpc:
    """A connection to one server, opened by the first call."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._connection: http.client.HTTPConnection | None = None

    def call(self, method: str, params: Mapping[str, Any] | list[Any], seconds: float) -> Any:
        """The result of one method. Args: seconds: that each step of the answer may take.

        Raises: Unreachable: nobody answers, not in time, or not as pfdcm does; Refused: the server's error.
        """
        status, body = self._post(encode_request(method, params), seconds)
        return result_of(self.server, method, status, body)

    def close(self) -> None:
        """End the connection, if there is one; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, body: bytes, seconds: float) -> tuple[int, bytes]:
        try:
            connection = self._open()
            connection.sock.settimeout(seconds)
            connection.request("POST", f"{self.server.path}/rpc", body, headers_of(self.server))
            response = connection.getresponse()
            answer = response.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise unreachable(self.server, error, seconds) from error
        except KeyboardInterrupt:
            self.close()  # the server sees that nobody waits any more
            raise
        if len(answer) > MAX_ANSWER_BYTES:
            self.close()
            raise Unreachable(
                "The answer is larger than this program takes.", "Ask for less: --limit, or narrower keys."
            )
        return response.status, answer

    def _open(self) -> http.client.HTTPConnection:
        """The connection, a new one where the server has closed the former meanwhile."""
        if self._connection is not None and self._connection.sock is not None and not _is_closed(self._connection.sock):
            return self._connection
        self.close()
        server, context = self.server, self.server.tls_context()
        self._connection = (
            http.client.HTTPConnection(server.host, server.port, timeout=_CONNECT_SECONDS)
            if context is None
            else http.client.HTTPSConnection(server.host, server.port, timeout=_CONNECT_SECONDS, context=context)
        )
        self._connection.connect()
        return self._connection


def encode_request(method: str, params: Mapping[str, Any] | list[Any]) -> bytes:
    """One call, as it goes over the wire."""
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def result_of(server: Server, method: str, status: int, body: bytes) -> Any:
    """What the answer says. Raises: Refused: an error; Unreachable: it is no answer of a pfdcm."""
    answer = _object(body)
    error = answer.get("error")
    if isinstance(error, Mapping):
        raise refused(error, method, status)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise refused({"message": answer.get("msg", "Access is refused.")}, method, status)
    if answer.get("jsonrpc") != "2.0" or "result" not in answer:
        raise Unreachable(
            f"What answers at {server.url} does not speak JSON-RPC as pfdcm does (HTTP status {status}).",
            "Check --server: is it the port of pfdcm (4055 unless set with --portSelf), and a version with POST /rpc?",
        )
    return answer["result"]


def headers_of(server: Server) -> dict[str, str]:
    """What every request carries; its id is in the server's log, too."""
    fixed = {"User-Agent": "pfdcmctl", "Content-Type": "application/json", "X-Request-Id": secrets.token_hex(8)}
    return fixed | ({"Authorization": f"Bearer {server.token}"} if server.token else {})


def refused(error: Mapping[str, Any], method: str, status: int = HTTPStatus.OK) -> Refused:
    """The server's error as a problem: its own advice, or ours where it has none."""
    data = error.get("data")
    data = data if isinstance(data, Mapping) else {}
    code = error.get("code")
    code = code if isinstance(code, int) else 0
    message = str(error.get("message") or "The server said no.")
    reason = data.get("reason")
    if isinstance(reason, str) and reason:
        message = reason
    reference = data.get("reference")
    if isinstance(reference, str) and reference not in message:
        message = f"{message.rstrip('.')}, reference {reference}."
    do = data.get("do")
    if status == HTTPStatus.UNAUTHORIZED:
        do = "Give the token that the operator of pfdcm has made for you: --token-file FILE, or PFDCMCTL_TOKEN."
    elif status == HTTPStatus.FORBIDDEN and not do:
        do = f"Your token has not the right to {method}: ask the operator of pfdcm for one that has."
    return Refused(message, do if isinstance(do, str) else "", code=code, data=data)


def unreachable(server: Server, error: Exception, seconds: float) -> Unreachable:
    """Why nobody answers, and what to look at."""
    url = server.url
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(
            f"The certificate of {url} is not trusted: {error.verify_message}.",
            "Name the certificate authority of your site with --ca FILE.",
        )
    if isinstance(error, ssl.SSLError):
        return Unreachable(
            f"{url} does not agree on TLS: {error.reason or error}.",
            "Check --server (http:// or https://?), and whether pfdcm asks for a client certificate: --cert, --key.",
        )
    if isinstance(error, socket.gaierror):
        return Unreachable(f"There is no machine {server.host!r}: {error.strerror}.", "Check the name in --server.")
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"{url} did not answer within {seconds:g} s.", "Give it longer with --timeout, or see the log of pfdcm."
        )
    if isinstance(error, http.client.HTTPException | ConnectionResetError | BrokenPipeError):
        return Unreachable(
            f"What answers at {url} does not speak HTTP as pfdcm does.",
            "Check --server: the port is that of pfdcm (4055 unless set), https:// where it has a certificate.",
        )
    reason = getattr(error, "strerror", None) or str(error)
    return Unreachable(
        f"pfdcm cannot be reached at {url}: {reason}.",
        "Start it (pfdcm --forever --httpResponse), or say where it is: --server URL, or PFDCMCTL_SERVER.",
    )


def is_unknown_method(problem: Refused) -> bool:
    """Whether the server knows no such method."""
    return problem.code == _METHOD_NOT_FOUND


def is_wrong_parameter(problem: Refused) -> bool:
    """Whether it was a parameter that the server refused."""
    return problem.code == _INVALID_PARAMS


def _is_closed(connection: socket.socket) -> bool:
    """Whether the server has ended the connection: nothing else is there to read between two calls."""
    return bool(select.select([connection], [], [], 0)[0])


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
