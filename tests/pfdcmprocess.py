"""A real pfdcm in a process of its own, with everything it writes below a temporary directory."""

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("pfdcm"))
START_SECONDS = 20
END_SECONDS = 30
# Below the range from which Linux takes ports for connections (ip_local_port_range: 32768 and up).
_FIRST_PORT = 12_000
_PORTS_OF_A_WORKER = 2_000
# Two services of one test must not get the same port.
_given_ports = set()
_LISTENS = re.compile(r"listens on https?://\S+:(\d+)")


def environment(**variables):
    """This process's environment without settings of pfdcm, and with these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PFDCM_", "HOST_IP"))}
    return {**kept, **variables}


class Pfdcm:
    """A started pfdcm; its port is known once it says that it listens."""

    def __init__(self, directory, *arguments, env=None, port=0):
        self.directory = Path(directory)
        self.lines = []
        self._listens = threading.Event()
        self.port = None
        self.process = subprocess.Popen(
            [PROGRAM, "--portSelf", str(port), *places(directory), *arguments],
            env=environment(**(env or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)
            found = _LISTENS.search(line)
            if found:
                self.port = int(found[1])
                self._listens.set()
        self._listens.set()

    @property
    def log(self):
        return "".join(self.lines)

    def wait_until_it_listens(self):
        assert self._listens.wait(START_SECONDS), self.log
        assert self.port, self.log

    def raw(self, body, *, method="POST", path="/api/v1/cmd", headers=None, seconds=60):
        """Send a request. Returns: every byte of the answer, up to the end of the connection."""
        content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        fields = {"Host": "pfdcm", "Connection": "close", "Content-Length": str(len(content)), **(headers or {})}
        head = "\r\n".join([f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items()), "", ""])
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(head.encode() + content)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
        return b"".join(parts)

    def ask(self, action, meta, **options):
        """One message. Returns: the reply, whichever the framing."""
        return json.loads(self.raw({"action": action, "meta": meta}, **options).split(b"\r\n\r\n")[-1])

    def send_signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self):
        """Wait for its end. Returns: the exit status."""
        status = self.process.wait(END_SECONDS)
        self._reader.join(END_SECONDS)
        return status

    def end(self):
        """End it and what it supervises, however it is."""
        if self.process.poll() is None:
            self.send_signal()
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
        finally:
            self.process.stderr.close()
            end_supervisord(self.directory / "state")


def places(directory):
    """The options that keep a pfdcm inside the directory."""
    directory = Path(directory)
    return (
        *("--dicomDir", str(directory / "dicom"), "--stateDir", str(directory / "state")),
        *("--serviceFile", str(directory / "dicomlistener"), "--listenerBind", "127.0.0.1"),
    )


@contextlib.contextmanager
def running(directory, *arguments, env=None, port=0):
    """A pfdcm that listens; ended, with its listeners, on leaving."""
    pfdcm = Pfdcm(directory, *arguments, env=env, port=port)
    try:
        pfdcm.wait_until_it_listens()
        yield pfdcm
    finally:
        pfdcm.end()


def run_to_end(*arguments, env=None, seconds=END_SECONDS):
    """The finished process of a pfdcm with these arguments."""
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def end_supervisord(state_directory):
    """End the supervisord that a pfdcm left running, by the process id that it noted."""
    for file in Path(state_directory).glob("*.pid"):
        number = int(file.read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
        deadline = time.monotonic() + END_SECONDS
        while file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)


def free_port():
    """A port that nobody listens on, that this function has not given before, and that the kernel gives to nobody.

    Tests that run side by side take theirs from ranges of their own.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST_PORT + worker * _PORTS_OF_A_WORKER
    while True:
        port = random.randrange(first, first + _PORTS_OF_A_WORKER)
        if port in _given_ports:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given_ports.add(port)
        return port
