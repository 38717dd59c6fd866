"""PID 1: it reaps, passes signals on, and lets what was begun be finished; what was acknowledged is in the volume."""

import threading
import time

import pydicom
import pytest
from engine import HOST, engine, images, run_once, running, wait_until
from pynetdicom import AE, build_context

SUCCESS = 0
ZOMBIES = """
import pathlib
for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
    fields = stat.read_text().rpartition(")")[2].split()
    if fields[0] == "Z":
        print(stat)
"""
ORPHAN = "(sh -c 'exit 7' &) ; (sh -c 'exit 8' &)"


def send(port, files, pause=0.0, stop=None):
    """Send files on one association. Returns: SOP instances acknowledged with success, and the association."""
    data_sets = [pydicom.dcmread(file) for file in files]
    contexts = {(each.SOPClassUID, each.file_meta.TransferSyntaxUID) for each in data_sets}
    entity = AE(ae_title="ORTHANC")
    association = entity.associate(HOST, port, [build_context(*each) for each in sorted(contexts)])
    assert association.is_established
    acknowledged = set()
    for data_set in data_sets:
        if stop is not None and stop.wait(pause):
            break
        status = association.send_c_store(data_set) if association.is_established else {}
        if getattr(status, "Status", None) == SUCCESS:
            acknowledged.add(data_set.SOPInstanceUID)
    return acknowledged, association


def filed(directory):
    return {pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID for file in directory.rglob("*.dcm")}


@pytest.fixture
def dicom(tmp_path):
    """A directory for /dicom that the image's user may write to."""
    directory = tmp_path / "dicom"
    directory.mkdir()
    directory.chmod(0o777)
    return directory


def test_stopping_in_mid_transfer_keeps_what_was_acknowledged(dicom):
    with running("--startlistener", options=("-v", f"{dicom}:/dicom")) as pfdcm:
        pfdcm.wait_for_listener()
        results = []
        sender = threading.Thread(
            target=lambda: results.append(send(pfdcm.dicom_port, images(), 0.02, threading.Event()))
        )
        sender.start()
        wait_until(lambda: len(list(dicom.rglob("*.dcm"))) >= 5, "no image arrives")
        seconds = pfdcm.stop()
        sender.join()
        acknowledged, _ = results[0]
        assert len(acknowledged) >= 5
        assert acknowledged <= filed(dicom)
        assert pfdcm.exit_code == 0, pfdcm.log
        assert seconds < 10
        assert not list(dicom.rglob("receiving.series"))


def test_an_association_that_stays_open_is_ended_within_the_grace_period(dicom):
    with running("--startlistener", options=("-v", f"{dicom}:/dicom")) as pfdcm:
        pfdcm.wait_for_listener()
        acknowledged, _ = send(pfdcm.dicom_port, images()[:3])
        seconds = pfdcm.stop()
        assert pfdcm.exit_code == 0, pfdcm.log
        assert seconds < 10
        assert filed(dicom) == acknowledged


@pytest.mark.parametrize("signal", ["TERM", "INT"])
def test_a_signal_reaches_pfdcm(signal):
    with running() as pfdcm:
        engine("kill", "-s", signal, pfdcm.identity)
        wait_until(lambda: not pfdcm.is_running, lambda: pfdcm.log, 10)
        assert pfdcm.exit_code == 0
        assert f"SIG{signal}: ending" in pfdcm.log


def test_orphans_are_reaped(dicom):
    with running("--startlistener", options=("-v", f"{dicom}:/dicom")) as pfdcm:
        pfdcm.wait_for_listener()
        pfdcm.execute("sh", "-c", ORPHAN)
        pfdcm.python("import os, signal; os.kill(int(open('/var/lib/pfdcm/supervisord.pid').read()), signal.SIGKILL)")
        wait_until(lambda: pfdcm.python(ZOMBIES) == [], "processes that nobody reaps", 10)


def test_quit_ends_the_container():
    with running() as pfdcm:
        reply = pfdcm.ask("hello", {"ctl": {"serverCmd": "quit"}})
        assert reply == {"msg": "Server shut down", "status": True}
        wait_until(lambda: not pfdcm.is_running, lambda: pfdcm.log, 10)
        assert pfdcm.exit_code == 0


def test_a_message_on_the_command_line_ends_with_its_status():
    assert run_once("--msg", '{"action": "hello", "meta": {"askAbout": "timestamp"}}').returncode == 0
    assert run_once("--msg", '{"action": "nothing"}', check=False).returncode == 1


def test_a_container_that_is_started_again_serves_what_it_had(dicom):
    with running("--startlistener", options=("-v", f"{dicom}:/dicom")) as pfdcm:
        pfdcm.wait_for_listener()
        image = images()[0]
        _, association = send(pfdcm.dicom_port, [image])
        association.release()
        engine("kill", pfdcm.identity)
        engine("start", pfdcm.identity)
        wait_until(pfdcm.answers, lambda: pfdcm.log)
        pfdcm.wait_for_listener()
        series = str(pydicom.dcmread(image).SeriesInstanceUID)
        started = time.monotonic()
        while pfdcm.on_series("retrieveStatus", series)["retrieveStatus"]["numDCMfiles"] != 1:
            assert time.monotonic() < started + 10
