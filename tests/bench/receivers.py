"""Who takes the images: pfdcm's listener and its peers, each started afresh for one run on a free port."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.bench.workloads import Workload

HOST = "127.0.0.1"
WORKERS = 2
START_SECONDS = 60


@dataclass
class Receiver:
    """A running receiver. `count(workload)` says how many images are filed for good, the series' end included."""

    port: int
    output: Path
    process: subprocess.Popen[bytes]
    count: Callable[[Workload], int]
    keeps: bool = True
    peak_rss_bytes: int = field(default=0)

    def sample_rss(self) -> None:
        """Note the resident memory of all its processes, when it is the most so far."""
        total = 0
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(self.process.pid)
            for process in [root, *root.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
        self.peak_rss_bytes = max(self.peak_rss_bytes, total)


Start = Callable[[Path, Mapping[str, str]], AbstractContextManager[Receiver]]


@contextlib.contextmanager
def pfdcm(directory: Path, environ: Mapping[str, str], *, ack: str = "durable") -> Iterator[Receiver]:
    """The listener as supervisord runs it: workers that share a listening socket as descriptor 0, and give account."""
    output = directory / "data"
    with socket.create_server((HOST, 0), backlog=1024) as server:
        port = server.getsockname()[1]
        command = [sys.executable, "-m", "listener.cli", "-d", str(output), "-l", str(directory / "log")]
        command += ["-t", str(directory / "tmp"), "--ack", ack, "--worker", "{worker}"]
        command += ["--receipts-dir", str(directory / "receipts"), "--counts-file", str(directory / "counts")]
        command += ["--report-file", str(directory / "report-{worker}")]
        parent = [sys.executable, "-m", "tests.bench.workers", str(WORKERS), *command]
        with _running(parent, directory, environ, stdin=server.fileno()) as process:
            _wait_until_open(port, process)
            yield Receiver(port, output, process, lambda _: _count_filed(output))


@contextlib.contextmanager
def sink(directory: Path, environ: Mapping[str, str]) -> Iterator[Receiver]:
    """Our engine without filing: it answers and keeps nothing, so that the sender's own time is left."""
    with socket.create_server((HOST, 0), backlog=1024) as server:
        port = server.getsockname()[1]
        parent = [sys.executable, "-m", "tests.bench.workers", str(WORKERS), sys.executable, "-m", "tests.bench.sink"]
        with _running(parent, directory, environ, stdin=server.fileno()) as process:
            _wait_until_open(port, process)
            yield Receiver(port, directory, process, lambda _: 0, keeps=False)


@contextlib.contextmanager
def storescp(
    directory: Path, environ: Mapping[str, str], *, fork: bool = False, keeps: bool = True
) -> Iterator[Receiver]:
    """DCMTK's: it writes what it gets into one directory and files nothing, or keeps nothing at all (--ignore)."""
    output = directory / "out"
    output.mkdir(parents=True)
    port = _free_port()
    options = [*(["--fork"] if fork else []), *([] if keeps else ["--ignore"])]
    with _running(["storescp", "-od", str(output), *options, str(port)], directory, environ) as process:
        _wait_until_open(port, process)
        yield Receiver(port, output, process, lambda _: _count_files(output), keeps=keeps)


@contextlib.contextmanager
def pynetdicom(directory: Path, environ: Mapping[str, str]) -> Iterator[Receiver]:
    """pynetdicom's own storescp application."""
    output = directory / "out"
    output.mkdir(parents=True)
    port = _free_port()
    command = [sys.executable, "-m", "pynetdicom", "storescp", "-q", "-od", str(output), "-ba", HOST, str(port)]
    with _running(command, directory, environ) as process:
        _wait_until_open(port, process)
        yield Receiver(port, output, process, lambda _: _count_files(output))


@contextlib.contextmanager
def orthanc(directory: Path, environ: Mapping[str, str], *, destination: int | None = None) -> Iterator[Receiver]:
    """A whole Orthanc with SQLite. `destination` is the port of the modality CHIPS on this machine."""
    output = directory / "db"
    output.mkdir(parents=True)
    port, http_port = _free_port(), _free_port()
    config = {
        "StorageDirectory": str(output),
        "IndexDirectory": str(output),
        "HttpPort": http_port,
        "DicomPort": port,
        "DicomAet": "ORTHANC",
        "AuthenticationEnabled": False,
        "DicomModalities": {"chips": ["CHIPS", HOST, destination]} if destination else {},
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowMove": True,
        "DicomAlwaysAllowStore": True,
    }
    (directory / "orthanc.json").write_text(json.dumps(config))
    executable = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    with _running([executable, str(directory / "orthanc.json")], directory, environ) as process:
        _wait_until_open(port, process)
        yield Receiver(port, output, process, lambda _: _count_orthanc(http_port))


@contextlib.contextmanager
def original(directory: Path, environ: Mapping[str, str]) -> Iterator[Receiver]:
    """The original's arrangement: xinetd starts storescp for each connection; what it left is filed after it ended."""
    output = directory / "data"
    output.mkdir(parents=True)
    port = _free_port()
    server = directory / "listen"
    server.write_text(
        f"#!/bin/sh\ncd {Path.cwd()}\nexec {sys.executable} -m tests.bench.original {directory}/tmp {output}\n"
    )
    server.chmod(0o755)
    config = directory / "xinetd.conf"
    config.write_text(
        f"""service dicomlistener
{{
    type = UNLISTED
    disable = no
    socket_type = stream
    protocol = tcp
    wait = no
    user = root
    server = {server}
    port = {port}
    bind = {HOST}
    instances = UNLIMITED
    cps = 10000 1
}}
"""
    )
    command = ["xinetd", "-dontfork", "-f", str(config), "-pidfile", str(directory / "xinetd.pid")]
    with _running(command, directory, environ) as process:
        _wait_until_open(port, process)
        yield Receiver(port, output, process, lambda _: _count_filed(output))


@contextlib.contextmanager
def _running(
    command: list[str], directory: Path, environ: Mapping[str, str], *, stdin: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "output.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=stdin, stdout=log, stderr=log, env={**os.environ, **environ}, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args} did not open port {port}")


def _count_filed(output: Path) -> int:
    """Images under their final names, when no series is being received any more."""
    count = 0
    for _, _, names in os.walk(output):
        images = sum(name.endswith(".dcm") for name in names)
        if images and "series.info" not in names:
            return 0
        count += images
    return count


def _count_files(output: Path) -> int:
    return sum(1 for entry in os.scandir(output) if entry.is_file())


def _count_orthanc(http_port: int) -> int:
    connection = http.client.HTTPConnection(HOST, http_port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/statistics")
        count: int = json.loads(connection.getresponse().read())["CountInstances"]
        return count


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port
