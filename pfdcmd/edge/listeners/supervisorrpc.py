"""The supervisor's XML-RPC calls that pfdcm makes, over its unix socket, each with a time-out. Blocking.

Source: Supervisor's manual, "XML-RPC API Documentation".
"""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from pathlib import Path
from typing import Any

from pfdcmd.errors import SupervisorFault
from pfdcmd.service.state import Worker, parse_workers

_BAD_NAME = 10
_ALREADY_STARTED = 60
_NOT_RUNNING = 70
_STILL_RUNNING = 91
_RUNNING = 1


class SupervisorAbsent(SupervisorFault):
    """No supervisord answers on the state directory's socket."""


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout_seconds: float) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(str(self._path))
        except OSError:
            self.close()
            raise


class _SocketTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path, timeout_seconds: float) -> None:
        super().__init__()
        self._path = path
        self._timeout_seconds = timeout_seconds
        self._opened: list[_SocketConnection] = []

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ARG002 - there is only one
        self._opened.append(_SocketConnection(self._path, self._timeout_seconds))
        return self._opened[-1]

    def close(self) -> None:
        for connection in self._opened:
            connection.close()


class SupervisorRpc:
    """One call, one connection: nothing is held between calls, so a supervisord that was replaced is not noticed.

    Every method raises SupervisorAbsent when nobody answers, SupervisorFault when the answer is a failure.
    """

    def __init__(self, socket_path: Path, timeout_seconds: float = 10.0) -> None:
        self._path = socket_path
        self._timeout_seconds = timeout_seconds

    def is_running(self) -> bool:
        """Whether a supervisord answers and is not about to end."""
        try:
            return bool(self._call("supervisor.getState")["statecode"] == _RUNNING)
        except SupervisorAbsent:
            return False

    def pid(self) -> int:
        """supervisord's process id."""
        return int(self._call("supervisor.getPID"))

    def workers(self) -> list[Worker]:
        """Every process of every group."""
        return parse_workers(self._call("supervisor.getAllProcessInfo"))

    def reload(self) -> None:
        """Read the configuration again; running groups are not touched."""
        self._call("supervisor.reloadConfig")

    def open(self, group: str, address: tuple[str, int], backlog: int) -> str:
        """Open a configured group's address, or share it with the group that has it open.

        Returns: the name of the error (EADDRINUSE, say) why that cannot be; empty when it is open.
        """
        return str(self._call("sockets.open", group, *address, backlog))

    def add(self, group: str) -> None:
        """Start the processes of a configured group whose address is open."""
        self._call("supervisor.addProcessGroup", group)

    def release(self, group: str) -> None:
        """The group needs its address no longer, which is closed unless another group has it."""
        self._call("sockets.release", group)

    def stop(self, group: str) -> None:
        """Ask a group's processes to end, and release its address; returns at once. No such group: nothing to do."""
        # in this order: a worker whose socket is closed ends, and supervisord would start it again
        self._call("supervisor.stopProcessGroup", group, False, tolerate=_BAD_NAME)
        self.release(group)

    def remove(self, group: str) -> bool:
        """Forget a group whose processes have ended; False while one has not."""
        try:
            self._call("supervisor.removeProcessGroup", group, tolerate=_BAD_NAME)
        except _Refused as refusal:
            if refusal.code == _STILL_RUNNING:
                return False
            raise
        return True

    def start(self, worker: Worker) -> None:
        """Start one process again; returns at once."""
        self._call("supervisor.startProcess", worker.full_name, False, tolerate=_ALREADY_STARTED)

    def kill(self, worker: Worker) -> None:
        """SIGKILL to one process; unless it was ending anyway, the supervisor then starts it anew."""
        self._call("supervisor.signalProcess", worker.full_name, "KILL", tolerate=_NOT_RUNNING)

    def shutdown(self) -> None:
        """Ask supervisord to end its processes and then itself; returns at once."""
        self._call("supervisor.shutdown")

    def _call(self, method: str, *arguments: object, tolerate: int | None = None) -> Any:
        transport = _SocketTransport(self._path, self._timeout_seconds)
        proxy = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport)
        try:
            return getattr(proxy, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == tolerate:
                return None
            raise _Refused(method, fault.faultCode, fault.faultString) from fault
        except (FileNotFoundError, ConnectionError) as error:
            raise SupervisorAbsent(cause=f"{method}: {error}") from error
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise SupervisorFault(f"The listener's supervisor failed at {method}.", cause=str(error)) from error
        finally:
            transport.close()


class _Refused(SupervisorFault):
    """The supervisor answered with a fault of its own."""

    def __init__(self, method: str, code: int, text: str) -> None:
        super().__init__(f"The listener's supervisor refused {method}: {text}.")
        self.code = code
