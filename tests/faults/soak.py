"""`make soak`: SOAK_MINUTES (30) of everything at once; memory, descriptors, threads and files on their way stay flat.

Two senders store, a caller queries Orthanc, others read and change the tree and ask how far retrieves have got. In the
middle pfdcm is killed and started again: the senders do not notice. Not a test of `make test`: no short run shows it.
"""

import itertools
import os
import threading
import time

import pytest
from acceptance.orthanc import dicomdir_files, running_orthanc
from acceptance.services import running_site, wait_until
from pfdcmprocess import Pfdcm

from .gauges import Gauges
from .images import broken, faults, image
from .sender import Sender

pytestmark = pytest.mark.acceptance

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
SAMPLES = 120
IMAGES_A_SECOND = 10
CALLS_A_SECOND = 10
# Threads and connections of the moment, as many as there are callers and senders.
SLACK = 12
GROWTH = 1.25
GROWTH_MB = 10


class Callers:
    """Calls of pfdcm, one kind after the other, in a thread; `restart` takes another pfdcm."""

    def __init__(self, site, calls):
        self.made = self.failed = 0
        self._site, self._calls = site, calls
        self._stopping = threading.Event()
        self._pause = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def restart(self):
        """Kill pfdcm and start it again while nobody calls."""
        with self._pause:
            self._site.pfdcm.process.kill()
            self._site.pfdcm.wait()
            self._site.pfdcm.process.stderr.close()
            self._site.pfdcm = start(self._site)

    def stop(self):
        self._stopping.set()
        self._thread.join(120)

    def _run(self):
        for action, meta in itertools.cycle(self._calls):
            if self._stopping.wait(1 / CALLS_A_SECOND):
                return
            with self._pause:
                self.made += 1
                reply = self._site.pfdcm.ask(action, meta)
                self.failed += reply["status"] is not True


def start(site):
    pfdcm = Pfdcm(site.directory, "--forever", "--httpResponse", "--servicesDir", str(site.files))
    pfdcm.wait_until_it_listens()
    return pfdcm


def unhurried(series):
    """Images of ever new series, so many a second."""
    for number in itertools.count(series * 1_000_000):
        time.sleep(1 / IMAGES_A_SECOND)
        yield image(number, series=number // 50)


def calls(orthanc):
    entry = {"var": "/PACS/orthanc", "set": orthanc.entry}
    return [
        ("internalctl", entry),
        ("PACSinteract", {"do": "query", "on": {"PatientID": "98890234"}, "PACS": "orthanc"}),
        ("internalctl", {"var": "/", "get": "value"}),
        ("internalctl", {"var": "/soak/value", "set": "x" * 100}),
        ("hello", {"askAbout": "timestamp"}),
        ("internalctl", {"var": "/listeners/a", "get": "value"}),
    ]


def pids_of(site):
    named = {f"worker {number}": pid for number, pid in enumerate(sorted(site.show("a")["pids"]))}
    supervisord = int((site.directory / "state" / "supervisord.pid").read_text())
    return {"pfdcm": site.pfdcm.process.pid, "supervisord": supervisord, **named}


def test_everything_stays_flat_and_a_restart_goes_unnoticed(tmp_path):
    directory = tmp_path / "site"
    directory.mkdir()
    with running_orthanc(tmp_path / "orthanc", 104) as orthanc, running_site(directory) as site:
        assert orthanc.load(dicomdir_files()) > 0
        port = site.declare("a", workers=2)
        wait_until(lambda: len(site.show("a")["pids"]) == 2)
        assert site.pfdcm.ask(*calls(orthanc)[0])["status"] is True
        senders = [Sender(port, unhurried(number)) for number in (1, 2)]
        callers = Callers(site, calls(orthanc))
        gauges = Gauges(directory / "dicom" / "a" / "tmp")
        try:
            for sender in senders:
                sender.start()
            for half in range(2):
                for _ in range(SAMPLES // 2):
                    time.sleep(MINUTES * 60 / SAMPLES)
                    gauges.sample(pids_of(site))
                if not half:
                    callers.restart()
            for sender in senders:
                sender.stop()
                sender.join(60)
            callers.stop()
            print(f"\n{MINUTES:g} minutes: {callers.made} calls, {sum(len(s.acknowledged) for s in senders)} images")
            print(gauges.table())
            check(senders, callers, gauges, directory / "dicom" / "a")
        finally:
            site.pfdcm.end()


def check(senders, callers, gauges, place):
    assert sum(sender.cut_off for sender in senders) == 0
    assert not any(sender.refused for sender in senders)
    assert callers.failed == 0
    for sender in senders:
        assert faults(sender.sent, sender.acknowledged, place / "data") == []
    assert broken(senders[0].sent | senders[1].sent, place / "data") == []
    assert not [each.name for each in (place / "tmp").iterdir() if each.name.startswith(".incoming")]
    for (name, quantity), series in gauges.series.items():
        settled = [value for _, value in series.settled()]
        if quantity == "memory MB":
            assert settled[-1] <= settled[0] * GROWTH + GROWTH_MB, name
        else:
            assert settled[-1] <= max(settled[: len(settled) // 2 + 1]) + SLACK, f"{name} {quantity}"
