"""SIGKILL to any process of ours, at any moment, while four senders store: what was acknowledged is there, whole.

FAULTS_KILLS times (6; `make faults`: 200) one of pfdcm, supervisord and the two workers is killed while images arrive;
a killed pfdcm is started again, as a container's restart policy would, the others are replaced by ours. FAULTS_SEED
repeats a run's choices. What a kill cannot show is what the kernel still had in memory: see test_powercut.
"""

import itertools
import os
import random
import signal
from collections import Counter

import psutil
import pytest
from acceptance.services import running_site, wait_until
from pfdcmprocess import Pfdcm

from .images import broken, faults, find, image
from .sender import Sender

pytestmark = pytest.mark.acceptance

KILLS = int(os.environ.get("FAULTS_KILLS", "6"))
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
SENDERS = 4
WORKERS = 2
WHOLE_SECONDS = 90


class Killer:
    """Kills one process of the site at a time, and waits until all is whole again."""

    def __init__(self, site, choices):
        self.site = site
        self.killed = Counter()
        self._choices = choices

    def kill_one(self):
        kind = self._choices.choice(["pfdcm", "supervisord", "worker", "worker"])
        if kind == "pfdcm":
            pid = self.site.pfdcm.process.pid
        elif kind == "supervisord":
            pid = self._supervisord()
        else:
            pid = self._choices.choice(self.site.show("a")["pids"])
        os.kill(pid, signal.SIGKILL)
        self.killed[kind] += 1
        if kind == "pfdcm":
            self.site.pfdcm.wait()
            self.site.pfdcm.process.stderr.close()
        return kind, pid

    def mend(self, killed):
        kind, pid = killed
        if kind == "pfdcm":
            self.site.pfdcm = start(self.site)
        wait_until(lambda: self._is_whole(pid), WHOLE_SECONDS)

    def _is_whole(self, killed):
        shown = self.site.show("a")
        if not shown or shown["state"] != "RUNNING" or len(shown["pids"]) != WORKERS:
            return False
        return all(pid not in (0, killed) and psutil.pid_exists(pid) for pid in (self._supervisord(), *shown["pids"]))

    def _supervisord(self):
        """Its process id; 0 while there is none."""
        file = self.site.directory / "state" / "supervisord.pid"
        return int(file.read_text() or "0") if file.exists() else 0


def start(site):
    pfdcm = Pfdcm(site.directory, "--forever", "--httpResponse", "--servicesDir", str(site.files))
    pfdcm.wait_until_it_listens()
    return pfdcm


class Storing:
    """The four senders, and what they were told."""

    def __init__(self, port, data):
        self._data = data
        self._checked = set()
        numbers = [itertools.count(each * 1_000_000) for each in range(SENDERS)]
        self.senders = [Sender(port, (image(number, series=number // 50) for number in each)) for each in numbers]
        for sender in self.senders:
            sender.start()

    @property
    def acknowledged(self):
        return {uid for sender in self.senders for uid in list(sender.acknowledged)}

    @property
    def sent(self):
        return {uid: each for sender in self.senders for uid, each in list(sender.sent.items())}

    def check(self):
        """All that was acknowledged is there; what was since the last time, byte by byte."""
        said = self.acknowledged
        assert not said - find(self._data).keys(), "acknowledged, and not there"
        assert not faults(self.sent, said - self._checked, self._data)
        self._checked |= said

    def end(self):
        for sender in self.senders:
            sender.stop()
        for sender in self.senders:
            sender.join(60)
            assert not sender.is_alive()


def test_nothing_acknowledged_is_lost_whoever_is_killed(tmp_path):
    print(f"FAULTS_SEED={SEED}")
    choices = random.Random(SEED)
    with running_site(tmp_path) as site:
        port = site.declare("a", workers=WORKERS)
        data = tmp_path / "dicom" / "a" / "data"
        storing = Storing(port, data)
        killer = Killer(site, choices)
        try:
            for _ in range(KILLS):
                before = len(storing.acknowledged)
                wait_until(lambda before=before: len(storing.acknowledged) > before + SENDERS, WHOLE_SECONDS)
                storing.senders[0].join(choices.uniform(0, 1))
                killed = killer.kill_one()
                storing.check()
                killer.mend(killed)
            storing.end()
            assert not faults(storing.sent, storing.acknowledged, data)
            assert not broken(storing.sent, data)
            assert not list(data.rglob("*differs*"))
            assert not any(sender.refused for sender in storing.senders)
            cut_off = sum(sender.cut_off for sender in storing.senders)
            count = len(storing.acknowledged)
            print(f"{dict(killer.killed)} killed, {cut_off} associations cut off, {count} acknowledged, 0 lost")
            wait_until(lambda: not list(data.rglob("receiving.series")), WHOLE_SECONDS)
        finally:
            storing.end()
            site.pfdcm.end()
