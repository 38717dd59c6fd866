"""`make soak`: SOAK_MINUTES (30) of everything at once; memory, descriptors, threads and files on their way stay flat.

Two senders store, a caller queries Orthanc, others read and change the tree and ask how far retrieves have got. In the
middle pfdcm is killed and started again: the senders do not notice. Not a test of `make test`: no short run shows it.
"""

import itertools
import os
import threading
import time
from collections import Counter

import pytest
from acceptance.orthanc import dicomdir_files, running_orthanc
from acceptance.services import running_site, wait_until
from pfdcmprocess import Pfdcm

from .gauges import Gauges
from .images import broken, faults, image
from .sender import Sender

pytestmark = pytest.mark.acceptance

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
WORKERS = 2
SAMPLES = 120
SETTING = 1
IMAGES_A_SECOND = 10
CALLS_A_SECOND = 10
# Threads and connections of the moment, as many as there are callers and senders.
SLACK = 12
GROWTH = 1.25
GROWTH_MB = 10


class Callers:
    """Calls of pfdcm, one kind after the other, in a thread; `restart` takes another pfdcm."""

    def __init__(self, site, calls):
        self.made = 0
        self.failed = Counter()
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
            wait_until(lambda: self._site.show("a") and len(self._site.show("a")["pids"]) == WORKERS)
            # what callers have set is in pfdcm's memory alone
            for action, meta in self._calls[:SETTING]:
                self._site.pfdcm.ask(action, meta)

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
                # of a series that is being received the status is false, and rightly so
                if reply["status"] is not True and "numDCMfiles" not in reply.get("retrieveStatus", {}):
                    self.failed[f"{action} {meta}: {reply}"[:400]] += 1


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
    """What callers ask for in turn; the first SETTING of them set what others need."""
    return [
        ("internalctl", {"var": "/PACS/orthanc", "set": orthanc.entry}),
        ("PACSinteract", {"do": "query", "on": {"PatientID": "98890234"}, "PACS": "orthanc"}),
        ("PACSinteract", {"do": "retrieveStatus", "on": {"series_uid": "2.25.5100020000"}, "PACS": "orthanc"}),
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
        # the map files are where retrieveStatus looks
        port = site.declare("a", workers=WORKERS, log_dir=directory / "dicom" / "log")
        wait_until(lambda: len(site.show("a")["pids"]) == WORKERS)
        asked = calls(orthanc)
        senders = [Sender(port, unhurried(number)) for number in (1, 2)]
        for sender in senders:
            sender.start()
        wait_until(lambda: all(sender.acknowledged for sender in senders))
        callers = Callers(site, asked)
        gauges = Gauges(directory / "dicom" / "a" / "tmp")
        try:
            for half in range(2):
                for _ in range(SAMPLES // 2):
                    time.sleep(MINUTES * 60 / SAMPLES)
                    gauges.sample(pids_of(site))
                if not half:
                    callers.restart()
            end(senders, callers)
            print(f"\n{MINUTES:g} minutes: {callers.made} calls, {sum(len(s.acknowledged) for s in senders)} images")
            print(gauges.table(), *callers.failed, sep="\n")
            check(senders, callers, gauges, directory / "dicom" / "a")
        finally:
            end(senders, callers)
            site.pfdcm.end()


def end(senders, callers):
    """Stop them all, and wait until they have; again, it does nothing."""
    for sender in senders:
        sender.stop()
        sender.join(60)
    callers.stop()


def check(senders, callers, gauges, place):
    assert sum(sender.cut_off for sender in senders) == 0
    assert not any(sender.refused for sender in senders)
    assert not callers.failed
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
