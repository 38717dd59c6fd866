"""Services of a real pfdcm: files in its directory, and DCMTK's programs as the peers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom.data
from pfdcmprocess import Pfdcm, free_port, running

DEADLINE_SECONDS = 30
IMAGE = Path(pydicom.data.get_testdata_file("DICOMDIR")).parent / "98892003" / "MR700" / "4467"


def wait_until(condition: Any, seconds: float = DEADLINE_SECONDS) -> Any:
    """Wait until the condition is true. Returns: its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition has not come true"
        time.sleep(0.05)
    return value


class Site:
    """A pfdcm and the directory of its service files; each service has a free port and directories of its own."""

    def __init__(self, pfdcm: Pfdcm, directory: Path) -> None:
        self.pfdcm = pfdcm
        self.directory = directory
        self.files = directory / "services.d"
        self.files.mkdir(exist_ok=True)
        self.ports: dict[str, int] = {}

    def text(self, name: str, **attributes: object) -> str:
        """A service's block."""
        self.ports.setdefault(name, free_port())
        rows = {"port": self.ports[name], "bind": "127.0.0.1", "workers": 1}
        rows |= {f"{kind}_dir": self.directory / "dicom" / name / kind for kind in ("data", "log", "tmp")} | attributes
        body = "".join(f"    {key} = {value}\n" for key, value in rows.items())
        return f"service {name}\n{{\n{body}}}\n"

    def declare(self, name: str, **attributes: object) -> int:
        """Write a service's file, and wait until it is in force. Returns: its port."""
        self.write(name, self.text(name, **attributes))
        wait_until(lambda: self.is_in_force(name, attributes))
        return self.ports[name]

    def write(self, name: str, text: str) -> None:
        """Put a file into the directory at once, as an editor does."""
        sibling = self.files / f".{name}.new"
        sibling.write_text(text)
        sibling.replace(self.files / name)

    def is_in_force(self, name: str, attributes: dict[str, object]) -> bool:
        shown = self.show(name)
        if not shown or shown["state"] not in ("STARTING", "RUNNING") or not shown["pids"]:
            return False
        configured = shown["configuration"]
        return all(configured.get(key) == " ".join(str(value).split()) for key, value in attributes.items())

    def show(self, name: str) -> Any:
        """/listeners/<name>, or false."""
        found = self.pfdcm.ask("internalctl", {"var": f"/listeners/{name}", "get": "value"})["d_ret"]
        return found.get("listeners", {}).get(name, False)

    def reload(self) -> None:
        self.pfdcm.send_signal(signal.SIGHUP)

    def images(self, name: str) -> list[Path]:
        return list((self.directory / "dicom" / name / "data").rglob("*.dcm"))

    def admissions(self, name: str) -> list[dict[str, Any]]:
        """What the audit of the service's door says."""
        path = self.directory / "dicom" / name / "log" / "admission.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def run_log(self, name: str) -> str:
        path = self.directory / "dicom" / name / "log" / "listen.run.log"
        return path.read_text() if path.exists() else ""


@contextlib.contextmanager
def running_site(directory: Path, *arguments: str, env: dict[str, str] | None = None) -> Iterator[Site]:
    """A pfdcm with a directory of service files."""
    files = str(directory / "services.d")
    with running(directory, "--forever", "--httpResponse", "--servicesDir", files, *arguments, env=env) as pfdcm:
        yield Site(pfdcm, directory)


def echo(port: int, *, called: str = "ANY-SCP", calling: str = "ECHOSCU") -> str:
    """C-ECHO by echoscu. Returns: nothing when it succeeds, else what it says."""
    command = ["echoscu", "-to", "10", "-ta", "10", "-aec", called, "-aet", calling, "127.0.0.1", str(port)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ended.stderr if ended.returncode else ""


def store(port: int, *files: Path, called: str = "ANY-SCP", options: tuple[str, ...] = ()) -> str:
    """C-STORE by storescu. Returns: nothing when it succeeds, else what it says."""
    command = ["storescu", "-aec", called, *options, "127.0.0.1", str(port), *map(str, files or (IMAGE,))]
    environment = {**os.environ, "TCP_NODELAY": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    return ended.stderr + ended.stdout if ended.returncode else ""


class From:
    """A port whose connections go on to another port from a chosen address of this machine."""

    def __init__(self, source: str, port: int) -> None:
        self._source, self._target = source, port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> From:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                inner, _ = self._listening.accept()
                outer = socket.create_connection(("127.0.0.1", self._target), source_address=(self._source, 0))
                for one, other in ((inner, outer), (outer, inner)):
                    threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    for each in (one, other):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
