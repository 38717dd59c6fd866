"""`make demo`: the main job from start to end, in a temporary directory, with nothing else installed.

A PACS (pynetdicom's own `qrscp`, with SQLite) is loaded with images that pydicom ships; pfdcm queries it, retrieves a
series from it through its supervised listener, and files what arrives. Each message goes over HTTP as a caller would
send it. At the end everything is stopped and removed; with KEEP=1 it stays up until Ctrl-C.
"""

from __future__ import annotations

import configparser
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom.data
from pydicom.misc import is_dicom
from pynetdicom import AE, build_context
from pynetdicom.sop_class import Verification

HOST = "127.0.0.1"
PATIENT_ID = "77654033"
START_SECONDS = 60
STOP_SECONDS = 30


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = Path(tempfile.mkdtemp(prefix="pfdcm-demo-"))
    try:
        with contextlib.ExitStack() as stack:
            ports = dict(zip(("pacs", "pfdcm", "listener"), free_ports(3), strict=True))
            say(f"Everything below happens in {directory}, on {HOST}.")
            stack.enter_context(pacs(directory / "pacs", ports))
            stack.enter_context(pfdcm(directory, ports["pfdcm"]))
            run_sequence(ports, directory)
            if os.environ.get("KEEP"):
                stay(ports["pfdcm"], directory)
    except DemoError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    say("All stopped, all removed. Next: `make test`, or `KEEP=1 make demo` to try messages of your own.")
    return 0


class DemoError(Exception):
    """A step did not do what it shows."""


def run_sequence(ports: dict[str, int], directory: Path) -> None:
    """The document's own sequence, and what it left on disk."""
    port = ports["pfdcm"]
    entry = {
        "serverIP": HOST,
        "serverPort": str(ports["pacs"]),
        "aec": "QRSCP",
        "aet": "CHIPS",
        "aet_listener": "CHIPS",
    }
    heading("Set the PACS")
    show(post(port, "internalctl", {"var": "/PACS", "set": {"demo": entry}}), "d_ret", "status")

    heading("Start the listener")
    post(port, "internalctl", {"var": "/xinetd/servicePort", "set": str(ports["listener"])})
    show(post(port, "xinetd", {"object": "service", "do": "everything"}), "status")

    heading("Look at the tree")
    tree = post(port, "internalctl", {"var": "/", "get": "value"})
    print(f"   <- directories: {', '.join(tree['d_ret'])}")
    print(indent(json.dumps({"xinetd": tree["d_ret"]["xinetd"]}, indent=2)))

    heading(f"Query by PatientID {PATIENT_ID}")
    found = post(port, "PACSinteract", {"do": "query", "on": {"PatientID": PATIENT_ID}, "PACS": "demo"})
    for text in found["query"]["report"]["rawText"]:
        print(indent((text["header"] + text["body"]).replace("\x1b[0m", "")))
    study = next(s for s in found["query"]["data"] if s["series"][0]["Modality"]["value"] == "CT")
    series = study["series"][0]
    uids = {key: series[key]["value"] for key in ("StudyInstanceUID", "SeriesInstanceUID")}

    heading("Retrieve its CT series")
    show(post(port, "PACSinteract", {"do": "retrieve", "on": uids, "PACS": "demo"}), "status", "retrieve")

    heading("How far is it?")
    message = {"do": "retrieveStatus", "on": {"series_uid": uids["SeriesInstanceUID"]}, "PACS": "demo"}
    status = wait_until_received(port, message)
    show(status, "status", "retrieveStatus")

    heading("What was filed")
    files = sorted((directory / "dicom" / "data").rglob("*"))
    for file in files:
        depth = len(file.relative_to(directory / "dicom" / "data").parts)
        print("   " * depth + file.name + ("/" if file.is_dir() else f"  ({file.stat().st_size} bytes)"))
    if not any(file.suffix == ".dcm" for file in files):
        raise DemoError("no image was filed")


def wait_until_received(port: int, message: dict[str, Any]) -> dict[str, Any]:
    """Ask as a caller does, until the series is there."""
    deadline = time.monotonic() + STOP_SECONDS
    while True:
        reply = post(port, "PACSinteract", message, quiet=True)
        if reply["status"]:
            print("   ->", json.dumps({"action": "PACSinteract", "meta": message}))
            return reply
        if time.monotonic() > deadline:
            raise DemoError(f"the series did not arrive: {reply}")
        time.sleep(0.1)


@contextlib.contextmanager
def pacs(directory: Path, ports: dict[str, int]) -> Iterator[None]:
    """Run qrscp on its port, loaded with the images of pydicom's `dicomdirtests`."""
    instances = directory / "instances"
    instances.mkdir(parents=True)
    config = configparser.ConfigParser()
    config["DEFAULT"] = {
        "ae_title": "QRSCP",
        "port": str(ports["pacs"]),
        "max_pdu": "0",
        "acse_timeout": "30",
        "dimse_timeout": "30",
        "network_timeout": "30",
        "bind_address": HOST,
        "instance_location": str(instances),
        "database_location": str(directory / "instances.sqlite"),
        "log_identifier": "False",
    }
    config["CHIPS"] = {"address": HOST, "port": str(ports["listener"])}
    with (directory / "qrscp.ini").open("w") as stream:
        config.write(stream)
    command = [sys.executable, "-m", "pynetdicom", "qrscp", "-c", str(directory / "qrscp.ini")]
    command += ["-ba", HOST, "--port", str(ports["pacs"])]
    with process(command, directory / "qrscp.log"):
        wait_for("the PACS", lambda: echoes(ports["pacs"]), directory / "qrscp.log")
        count = load_images(ports["pacs"])
        say(f"A PACS with {count} images runs (pynetdicom's qrscp).")
        yield


def load_images(port: int) -> int:
    """Send the images of `dicomdirtests` to the PACS. Returns how many."""
    root = Path(pydicom.data.get_testdata_file("dicomdirtests/DICOMDIR", download=False)).parent
    files = [file for file in sorted(root.glob("*/**/*")) if file.is_file() and is_dicom(file)]
    images = [image for image in map(pydicom.dcmread, files) if "SOPInstanceUID" in image]
    kinds = {(image.SOPClassUID, image.file_meta.TransferSyntaxUID) for image in images}
    ae = AE()
    association = ae.associate(HOST, port, [build_context(*kind) for kind in kinds], ae_title="QRSCP")
    if not association.is_established:
        raise DemoError("the PACS does not take images")
    try:
        for image in images:
            if association.send_c_store(image).Status != 0:
                raise DemoError("the PACS refused an image")
    finally:
        association.release()
    return len(images)


@contextlib.contextmanager
def pfdcm(directory: Path, port: int) -> Iterator[None]:
    """Run pfdcm with all its directories below `directory`."""
    command = [str(Path(sys.executable).with_name("pfdcm")), "--forever", "--httpResponse"]
    command += ["--ipSelf", HOST, "--portSelf", str(port), "--dicomDir", str(directory / "dicom")]
    command += ["--stateDir", str(directory / "state"), "--listenerBind", HOST]
    command += ["--serviceFile", str(directory / "state" / "services.d" / "dicomlistener")]
    with process(command, directory / "pfdcm.log"):
        wait_for("pfdcm", lambda: accepts(port), directory / "pfdcm.log")
        say("pfdcm runs: " + " ".join(["pfdcm", *command[1:]]))
        yield


@contextlib.contextmanager
def process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with its output in `log`; end it, and wait until it has ended, on the way out."""
    with log.open("wb") as stream:
        child = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def post(port: int, action: str, meta: dict[str, Any], *, quiet: bool = False) -> dict[str, Any]:
    """Send one message and return its reply: the JSON after the inner header, as pfurl takes it."""
    message = json.dumps({"action": action, "meta": meta})
    if not quiet:
        print("   ->", message)
    connection = http.client.HTTPConnection(HOST, port, timeout=STOP_SECONDS)
    with contextlib.closing(connection):
        connection.request("POST", "/api/v1/cmd", json.dumps({"payload": json.loads(message)}))
        body = connection.getresponse().read().decode("ascii")
    reply: dict[str, Any] = json.loads(body.split("\r\n\r\n")[1])
    if not reply["status"] and not quiet:
        raise DemoError(f"{action} was answered {reply}")
    return reply


def show(reply: dict[str, Any], *keys: str) -> None:
    print(indent(json.dumps({key: reply[key] for key in keys}, indent=2), first="   <- "))


def heading(text: str) -> None:
    print(f"\n{bold(text)}", flush=True)


def say(text: str) -> None:
    print(text, flush=True)


def bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else text


def indent(text: str, first: str = "      ") -> str:
    return first + text.rstrip().replace("\n", "\n      ")


def stay(port: int, directory: Path) -> None:
    message = '{"action": "PACSinteract", "meta": {"do": "query", "on": {"PatientName": "Doe*"}, "PACS": "demo"}}'
    say("\nIt stays up until Ctrl-C (or SIGTERM). Try, from another terminal:\n")
    say(f"  curl -s -d '{message}' http://{HOST}:{port}/api/v1/cmd")
    say(f"  {Path(sys.executable).parent}/pfdcmctl --server http://{HOST}:{port} doctor demo")
    say(f"  find {directory}/dicom")
    say(f"  {sys.executable} -m supervisor.supervisorctl -c {directory}/state/supervisord.conf status")
    signal.pause()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [s.getsockname()[1] for s in sockets]


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def echoes(port: int) -> bool:
    if not accepts(port):
        return False
    ae = AE()
    ae.add_requested_context(Verification)
    association = ae.associate(HOST, port)
    if not association.is_established:
        return False
    association.send_c_echo()
    association.release()
    return True


def wait_for(name: str, is_up: Any, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_up():
        if time.monotonic() > deadline:
            raise DemoError(f"{name} did not start; its output ends:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
