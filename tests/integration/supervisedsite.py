"""A state directory with a real supervisord, and what its tests look at."""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import psutil
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from pfdcmd.edge.listeners.echo import answers_echo
from pfdcmd.edge.listeners.supervisord import Supervisord
from pfdcmd.errors import SupervisorFault
from pfdcmd.service.config import ServiceConfig


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_until(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition has not come true"
        time.sleep(0.05)


def is_refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except ConnectionRefusedError:
        return True
    return False


@contextmanager
def open_association(port):
    entity = AE()
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", port)
    try:
        assert association.is_established
        yield association
    finally:
        if association.is_established:
            association.release()


class Arrivals:
    """Connections that arrive without a pause; what was refused is counted."""

    def __init__(self, port):
        self.made = self.refused = 0
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._connect)

    def _connect(self):
        while not self._stop.is_set():
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=5).close()
                self.made += 1
            except ConnectionRefusedError:
                self.refused += 1
            # some hundreds a second: the stand-in starts a thread for each
            self._stop.wait(0.003)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


class Site:
    """A state directory, a service to declare, and what runs of it."""

    def __init__(self, directory):
        for name in ("data", "log", "tmp", "other"):
            (directory / name).mkdir()
        self.directory = directory
        self.state = directory / "state"
        places = [str(directory / name) for name in ("data", "log", "tmp")]
        self.service = ServiceConfig("dicomlistener", "127.0.0.1", free_port(), *places, workers=2)

    @contextmanager
    def supervisord(self, start_seconds=15.0):
        port = Supervisord(self.state, start_seconds)
        try:
            yield port
        finally:
            port.close()

    def apply(self, *services, retained=()):
        with self.supervisord() as port:
            steps, failed = asyncio.run(port.apply(services, retained))
        for fault in failed.values():
            raise SupervisorFault(fault)
        return steps

    def shutdown(self):
        with self.supervisord() as port:
            asyncio.run(port.shutdown())

    def processes(self):
        return [
            p for p in psutil.process_iter(["cmdline"]) if any(str(self.state) in w for w in p.info["cmdline"] or [])
        ]

    def workers(self):
        return {p.pid for p in self.processes() if "listener.cli" in p.info["cmdline"]}

    def supervisors(self):
        return {p.pid for p in self.processes() if "supervisor.supervisord" in p.info["cmdline"]}

    def answers(self, port=None):
        return answers_echo(("127.0.0.1", port or self.service.port), 3.0)
