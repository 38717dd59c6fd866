"""FAULTS_STRANGERS (5,000; `make faults`: 1,000,000) connections of strangers to both ports: nobody dies, all serve."""

import itertools
import os
import random
from collections import Counter

import psutil
import pytest
from acceptance.services import running_site, wait_until

from .images import broken, faults, image
from .sender import Sender
from .strangers import Strangers

pytestmark = pytest.mark.acceptance

COUNT = int(os.environ.get("FAULTS_STRANGERS", "5000"))
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
AT_ONCE = 8
# A worker and a pfdcm that serve take 60 to 90 MB.
RSS_BYTES = 200 * 2**20


def rss_bytes(pids):
    return max(psutil.Process(pid).memory_info().rss for pid in pids)


def test_no_connection_kills_a_worker_and_a_good_sender_gets_through(tmp_path):
    print(f"FAULTS_SEED={SEED}")
    with running_site(tmp_path) as site:
        port = site.declare("a", workers=2)
        wait_until(lambda: len(site.show("a")["pids"]) == 2)
        pids = site.show("a")["pids"]
        sender = Sender(port, (image(number, series=number // 20) for number in itertools.count()))
        crowd = [
            Strangers(COUNT // AT_ONCE, [port, site.pfdcm.port], random.Random(SEED + number))
            for number in range(AT_ONCE)
        ]
        sender.start()
        for strangers in crowd:
            strangers.start()
        before = 0
        while any(strangers.is_alive() for strangers in crowd):
            crowd[0].join(1)
            # both are served meanwhile, and each image takes less than the sender's 30 s
            assert site.pfdcm.ask("hello", {"askAbout": "timestamp"})["status"] is True
            wait_until(lambda before=before: len(sender.acknowledged) > before)
            before = len(sender.acknowledged)
        sender.stop()
        sender.join(60)
        assert not sender.is_alive()
        assert (sender.cut_off, dict(sender.refused)) == (0, {})
        assert sum(strangers.refused + strangers.stuck for strangers in crowd) == 0
        shown = site.show("a")
        assert shown["pids"] == pids
        assert shown["state"] == "RUNNING"
        data = tmp_path / "dicom" / "a" / "data"
        assert faults(sender.sent, sender.acknowledged, data) == []
        assert broken(sender.sent, data) == []
        assert rss_bytes([*pids, site.pfdcm.process.pid]) < RSS_BYTES
        logs = [file.read_text(errors="replace") for file in (tmp_path / "state").rglob("*.log")]
        assert not [text for text in (*logs, site.pfdcm.log) if "Traceback" in text]
        made = sum((strangers.made for strangers in crowd), Counter())
        print(f"{made.total()} strangers {dict(made)}, {len(sender.acknowledged)} images meanwhile")
        print(f"largest of workers and pfdcm: {rss_bytes([*pids, site.pfdcm.process.pid]) >> 20} MB")
        wait_until(lambda: site.show("a")["associations_open"] == 0)
