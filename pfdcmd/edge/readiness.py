"""Whether a running pfdcm is ready: asked from outside, over HTTP (pfdcm-ready), or by itself (edge.http.health).

The judgement of the listeners is one and the same: what their workers report, where a listener must serve.
"""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path

from pfdcmd.edge.listeners.reports import serves
from pfdcmd.edge.listeners.supervisorrpc import SupervisorAbsent, SupervisorRpc
from pfdcmd.edge.runfile import Run, read_run
from pfdcmd.errors import StorageFault, SupervisorFault
from pfdcmd.service.config import ServiceConfig
from pfdcmd.service.state import Worker
from pfdcmd.wire.supervisorconf import SupervisorPaths

_HELLO = json.dumps({"action": "hello", "meta": {"askAbout": "timestamp"}})
_OPEN_PAGE = "/healthz"
_TAKEN_FOR_AN_ANSWER = b"{}"
_REPLY_MAX_BYTES = 65_536
_RECORD_SUFFIX = ".applied"


def check_ready(state_dir: Path, timeout_seconds: float) -> str:
    """Ask pfdcm, wait up to timeout_seconds for its answer, and look at what listeners that must serve report.

    Blocking. A listener must serve when this run of pfdcm brought it up, or found it running.

    Returns: one line that says what answered.
    Raises:  StorageFault: no pfdcm answers. SupervisorFault: a listener does not.
    """
    run = read_run(state_dir)
    if run is None:
        raise StorageFault(f"No pfdcm has announced itself in {state_dir}.")
    _check_http(run, timeout_seconds)
    services = check_listeners(state_dir, run, timeout_seconds)
    said = [f"pfdcm answers on port {run.port}", *(f"{each.name} on port {each.port}" for each in services)]
    return ", ".join(said)


def check_listeners(state_dir: Path, run: Run, timeout_seconds: float) -> list[ServiceConfig]:
    """Look at what listeners that must serve report; supervisord has up to timeout_seconds to answer. Blocking.

    Returns: their services. Raises: SupervisorFault: one does not serve, or supervisord does not answer.
    """
    paths = SupervisorPaths(state_dir)
    workers = _workers(paths, timeout_seconds)
    services = _services_that_must_serve(paths, run, workers)
    if run.starts_listener and not services:
        raise SupervisorFault("The listener has not been started.")
    for group, service in services.items():
        _check_listener(paths, group, service, workers)
    return list(services.values())


def _check_http(run: Run, timeout_seconds: float) -> None:
    """Post a hello; where the first POST would end pfdcm, or nobody is heard without a token, a GET of a page that
    needs none: it is answered too, whatever it says."""
    is_hello = run.is_forever and not run.needs_token
    method, path, body = ("POST", "/", _HELLO) if is_hello else ("GET", _OPEN_PAGE, "")
    host = _reachable(run.host)
    request = (
        f"{method} {path} HTTP/1.1\r\nHost: pfdcm\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode("ascii")
    try:
        answer = _ask(run, host, request, timeout_seconds)
        # the JSON is last, whichever the framing: behind two headers, one or none
        reply = json.loads(answer.rpartition(b"\r\n\r\n")[2])
    except (OSError, ValueError) as error:
        raise StorageFault(f"pfdcm does not answer on {host}, port {run.port}.", cause=str(error)) from error
    if not isinstance(reply, dict) or (is_hello and reply.get("status") is not True):
        raise StorageFault(f"What answers on {host}, port {run.port} is not pfdcm.")


def _ask(run: Run, host: str, request: bytes, timeout_seconds: float) -> bytes:
    """The answer of the port, whole. Raises: OSError.

    A port that wants a certificate of its callers hears nobody here; in TLS 1.3 its own part of the handshake has come
    by the time it finds that out, and is answer enough (RFC 8446 section 2).
    """
    with (
        socket.create_connection((host, run.port), timeout=timeout_seconds) as plain,
        _encrypted(plain) if run.is_tls else plain as connection,
    ):
        if run.needs_certificate:
            return _TAKEN_FOR_AN_ANSWER
        connection.sendall(request)
        answer = b""
        while len(answer) < _REPLY_MAX_BYTES and (part := connection.recv(_REPLY_MAX_BYTES)):
            answer += part
        return answer


def _encrypted(plain: socket.socket) -> ssl.SSLSocket:
    """Encrypted, with whoever is there: nothing secret is said, and the certificate is made out to another name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain)


def _reachable(host: str) -> str:
    """Where a program on this machine reaches what is bound to host."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1" if host == "0.0.0.0" else "::1"
    return host


def _workers(paths: SupervisorPaths, timeout_seconds: float) -> list[Worker]:
    try:
        return SupervisorRpc(paths.socket, timeout_seconds).workers()
    except SupervisorAbsent:
        return []


def _services_that_must_serve(paths: SupervisorPaths, run: Run, workers: list[Worker]) -> dict[str, ServiceConfig]:
    """Group -> the service that it is to serve."""
    running = {worker.group for worker in workers}
    services = {}
    for record in sorted(paths.services_dir.glob(f"*{_RECORD_SUFFIX}")):
        if record.stem in running or _is_newer(record, run):
            services[record.stem] = _load_service(record)
    return services


def _is_newer(record: Path, run: Run) -> bool:
    """A record from before this run, of what no longer runs, tells of an earlier life of the state directory."""
    try:
        return record.stat().st_mtime >= run.began
    except FileNotFoundError:
        return False


def _load_service(record: Path) -> ServiceConfig:
    try:
        return ServiceConfig(**json.loads(record.read_text(encoding="utf-8"))["service"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SupervisorFault(f"The record {record.name} cannot be read.", cause=str(error)) from error


def _check_listener(paths: SupervisorPaths, group: str, service: ServiceConfig, workers: list[Worker]) -> None:
    """By what its workers report: a C-ECHO of ours may be refused by the service's own rules."""
    if not serves(paths, [worker for worker in workers if worker.group == group]):
        raise SupervisorFault(f"{service.name} does not serve port {service.port}.")
