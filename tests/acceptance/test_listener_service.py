"""The listener as a service: the real daemon, supervisord and listener, with DCMTK's programs as the peers."""

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pydicom
import pytest
from pfdcmprocess import free_port, running
from pydicom.data import get_testdata_file

pytestmark = pytest.mark.acceptance

EVERYTHING = {"object": "service", "do": "everything"}
DEADLINE_SECONDS = 30
IMAGE = Path(get_testdata_file("DICOMDIR")).parent / "98892003" / "MR700" / "4467"


@pytest.fixture
def pfdcm(tmp_path):
    with running(tmp_path, "--forever", "--httpResponse") as daemon:
        set_leaf(daemon, "servicePort", str(free_port()))
        yield daemon


def set_leaf(pfdcm, leaf, value):
    assert pfdcm.ask("internalctl", {"var": f"/xinetd/{leaf}", "set": value})["status"] is True


def leaf(pfdcm, name):
    return pfdcm.ask("internalctl", {"var": f"/xinetd/{name}", "get": "value"})["d_ret"][f"/xinetd/{name}"]


def bring_up(pfdcm):
    """Returns: the port that the listener is now said to answer on."""
    reply = pfdcm.ask("xinetd", EVERYTHING)
    assert reply["status"] is True, reply
    return int(leaf(pfdcm, "servicePort"))


def answers(port):
    echo = subprocess.run(["echoscu", "-to", "5", "127.0.0.1", str(port)], capture_output=True, check=False)
    return echo.returncode == 0


def store(port, image=IMAGE):
    subprocess.run(["storescu", "127.0.0.1", str(port), str(image)], check=True, capture_output=True, timeout=60)


def is_refused(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def wait_until(condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition has not come true"
        time.sleep(0.05)


def workers(pfdcm):
    state = str(pfdcm.directory / "state")
    return {p.pid for p in psutil.process_iter(["cmdline"]) if is_worker(p.info["cmdline"] or [], state)}


def is_worker(words, state):
    return "listener.cli" in words and any(word.startswith(state) for word in words)


def processes(pfdcm):
    state = str(pfdcm.directory / "state")
    return [p for p in psutil.process_iter(["cmdline"]) if any(state in w for w in p.info["cmdline"] or [])]


def images(directory):
    return list(Path(directory).rglob("*.dcm"))


class Arrivals:
    """Connections that arrive all the time, from several threads; what was refused is counted."""

    def __init__(self, port):
        self.made = []
        self.refused = []
        self._port = port
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._connect) for _ in range(2)]

    def _connect(self):
        while not self._stop.wait(0.01):
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=30):
                    self.made.append(time.monotonic())
            except ConnectionRefusedError:
                self.refused.append(time.monotonic())

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_it_answers_files_and_shows_what_it_filed(pfdcm, tmp_path):
    port = bring_up(pfdcm)
    assert answers(port)
    store(port)
    uid = pydicom.dcmread(IMAGE).SeriesInstanceUID
    on = {"series_uid": str(uid)}
    tags = pfdcm.ask("internalDB", {"do": "DICOMtagsGet", "on": on})
    assert tags["DICOMtagsGet"]["d_dicom"]["SeriesInstanceUID"] == uid
    copied = pfdcm.ask("internalDB", {"do": "copy", "on": on, "to": {"path": str(tmp_path / "copy")}})
    assert copied["status"] is True
    assert len(images(tmp_path / "copy" / uid)) == 1
    again = pfdcm.ask("internalDB", {"do": "copy", "on": on, "to": {"path": str(tmp_path / "copy")}})
    assert again["status"] is False


def test_everything_again_changes_nothing(pfdcm):
    port = bring_up(pfdcm)
    before = workers(pfdcm)
    assert bring_up(pfdcm) == port
    assert workers(pfdcm) == before
    assert len(before) == 2


def test_another_port_moves_it_and_closes_the_old_one(pfdcm):
    old = bring_up(pfdcm)
    set_leaf(pfdcm, "servicePort", str(free_port()))
    new = bring_up(pfdcm)
    assert answers(new)
    assert is_refused(old)


def test_another_directory_takes_the_next_image_and_nobody_is_refused(pfdcm, tmp_path):
    port = bring_up(pfdcm)
    store(port)
    set_leaf(pfdcm, "dataDir", str(tmp_path / "elsewhere"))
    with Arrivals(port) as arrivals:
        bring_up(pfdcm)
    assert arrivals.refused == []
    assert len(arrivals.made) > 50
    store(port)
    assert (len(images(tmp_path / "dicom")), len(images(tmp_path / "elsewhere"))) == (1, 1)


def test_killed_workers_come_back_and_nobody_is_refused(pfdcm):
    port = bring_up(pfdcm)
    with Arrivals(port) as arrivals:
        for _ in range(3):
            before = workers(pfdcm)
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda before=before: len(workers(pfdcm) - before) == 2)
    assert arrivals.refused == []
    assert len(arrivals.made) > 50
    wait_until(lambda: answers(port))


def test_it_outlives_a_killed_pfdcm_and_the_next_one_does_not_disturb_it(pfdcm, tmp_path):
    port = bring_up(pfdcm)
    before = workers(pfdcm)
    pfdcm.process.kill()
    pfdcm.wait()
    assert answers(port)
    with running(tmp_path, "--forever", "--httpResponse") as second:
        set_leaf(second, "servicePort", str(port))
        assert bring_up(second) == port
        assert workers(second) == before


def test_a_signal_leaves_nothing_behind(pfdcm):
    port = bring_up(pfdcm)
    pfdcm.send_signal(signal.SIGTERM)
    assert pfdcm.wait() == 0
    assert is_refused(port)
    assert processes(pfdcm) == []


def test_a_killed_supervisord_is_replaced(pfdcm):
    port = bring_up(pfdcm)
    os.kill(int((pfdcm.directory / "state" / "supervisord.pid").read_text()), signal.SIGKILL)
    assert bring_up(pfdcm) == port
    assert answers(port)
    wait_until(lambda: len(workers(pfdcm)) == 2)


def test_a_taken_port_and_a_directory_that_cannot_be_are_said_to_be(pfdcm, tmp_path):
    with socket.create_server(("0.0.0.0", 0)) as other:
        set_leaf(pfdcm, "servicePort", str(other.getsockname()[1]))
        assert "taken" in pfdcm.ask("xinetd", EVERYTHING)["msg"]
    (tmp_path / "file").touch()
    set_leaf(pfdcm, "dataDir", str(tmp_path / "file" / "data"))
    assert "--dicomDir" in pfdcm.ask("xinetd", EVERYTHING)["msg"]


def test_values_that_would_add_to_the_service_file_are_refused(pfdcm, tmp_path):
    for value in ("/x -d /etc", "/x\n  server = /bin/sh", "/x }", "../../x"):
        set_leaf(pfdcm, "dataDir", value)
        reply = pfdcm.ask("xinetd", EVERYTHING)
        assert reply["status"] is False
        assert "/xinetd/dataDir" in reply["msg"]
    assert not (tmp_path / "dicomlistener").exists()
