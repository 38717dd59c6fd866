"""A real Orthanc in a temporary directory, on free ports of 127.0.0.1."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom.data

HOST = "127.0.0.1"
PROGRAM = "/usr/sbin/Orthanc"
AE_TITLE = "ORTHANC"
LISTENER_AE_TITLE = "CHIPS"

_START_SECONDS = 60
_STOP_SECONDS = 20


@dataclass(frozen=True)
class Orthanc:
    """Where it answers, and the process."""

    dicom_port: int
    http_port: int
    process: subprocess.Popen[bytes]

    @property
    def entry(self) -> dict[str, str]:
        """What to set below /PACS."""
        return {
            "serverIP": HOST,
            "aet": LISTENER_AE_TITLE,
            "aet_listener": LISTENER_AE_TITLE,
            "aec": AE_TITLE,
            "serverPort": str(self.dicom_port),
        }

    def load(self, files: Iterable[Path]) -> int:
        """Upload DICOM files. Returns: how many it took."""
        taken = 0
        connection = http.client.HTTPConnection(HOST, self.http_port, timeout=60)
        try:
            for file in files:
                connection.request("POST", "/instances", body=file.read_bytes())
                response = connection.getresponse()
                response.read()
                taken += response.status == 200
        finally:
            connection.close()
        return taken

    def get(self, path: str) -> Any:
        """What the REST API answers."""
        with contextlib.closing(http.client.HTTPConnection(HOST, self.http_port, timeout=60)) as connection:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())


@contextlib.contextmanager
def running_orthanc(
    directory: Path, listener_port: int, *, options: tuple[str, ...] = (), **settings: Any
) -> Iterator[Orthanc]:
    """Start Orthanc; its modality CHIPS is a listener at listener_port. `settings` go into its configuration.

    options: of its command line; what it logs is in orthanc.log in the directory.
    """
    directory.mkdir(parents=True, exist_ok=True)
    dicom_port, http_port = free_ports(2)
    configuration = {
        "Name": "pfdcm-test",
        "StorageDirectory": str(directory / "db"),
        "IndexDirectory": str(directory / "db"),
        "HttpPort": http_port,
        "DicomPort": dicom_port,
        "DicomAet": AE_TITLE,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomModalities": {"chips": [LISTENER_AE_TITLE, HOST, listener_port]},
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowMove": True,
        "DicomAlwaysAllowStore": True,
        "DicomCheckModalityHost": False,
        "Plugins": [],
        **settings,
    }
    file = directory / "orthanc.json"
    file.write_text(json.dumps(configuration))
    with (directory / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, *options, str(file)], stdout=log, stderr=subprocess.STDOUT, cwd=directory)
        try:
            orthanc = Orthanc(dicom_port, http_port, process)
            _wait_until_up(orthanc, directory / "orthanc.log")
            yield orthanc
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def dicomdir_files() -> list[Path]:
    """The 81 images that the recorded transcripts were made with: 14 series, 7 studies, 3 patients."""
    root = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"
    return sorted(file for file in root.rglob("*") if file.is_file() and "DICOMDIR" not in file.name)


def charset_files() -> list[Path]:
    """pydicom's patients with names in every script."""
    root = Path(pydicom.data.__file__).parent / "charset_files"
    return sorted(root.glob("*.dcm"))


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def wait_for_port(port: int, seconds: float) -> bool:
    """Whether somebody listens on the port before the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), contextlib.closing(socket.create_connection((HOST, port), timeout=1)):
            return True
        time.sleep(0.05)
    return False


def _wait_until_up(orthanc: Orthanc, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and orthanc.process.poll() is None:
        with contextlib.suppress(OSError):
            orthanc.get("/system")
            if wait_for_port(orthanc.dicom_port, 5):
                return
        time.sleep(0.05)
    raise RuntimeError(f"Orthanc did not come up:\n{log.read_text(errors='replace')}")
