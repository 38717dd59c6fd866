"""A power cut at any moment: what had been acknowledged by then is on the disk, whole, by the model of powercut.py.

Two real workers run under recorder.c while four senders store, two of them the same images. Then the disk is rebuilt as
of each acknowledgement, FAULTS_CUTS (200; `make faults`: 2,000) times with a random part of what was not yet durable,
and a worker is started on one that a cut left.
"""

import io
import json
import os
import random
import shutil

import pytest
from integration.listenerprocess import running_workers, wait_for
from pydicom.filereader import read_dataset

from listener.part10 import MAX_HEADER_BYTES, decode_header
from listener.pdu import Fragment, PduReader

from .images import image
from .native import build
from .powercut import SENT, Disk, read_record
from .sender import Sender

CUTS = int(os.environ.get("FAULTS_CUTS", "200"))
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
IMAGES = max(20, CUTS // 10)


def stores(number):
    """What each of the four stores: the first two the same."""
    return [image(max(number, 1) * 1000 + each, series=number * 10 + each // 8) for each in range(IMAGES)]


def sent_by_all():
    return {each.sop_instance: each for number in (1, 2, 3) for each in stores(number)}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The site's directory, its inode and the records of durable workers."""
    directory = tmp_path_factory.mktemp("durable")
    return directory / "site", *record(directory)


def record(directory, **config):
    """Store, and have the workers' calls recorded. Returns: the root's inode, and the records."""
    root = directory / "site"
    root.mkdir()
    preload = {"LD_PRELOAD": str(build("recorder", directory)), "FAULTS_RECORD": str(directory / "record")}
    with running_workers(root, 2, environment=preload, **config) as workers:
        senders = [Sender(workers.port, stores(number)) for number in (1, 1, 2, 3)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(120)
            assert len(sender.acknowledged) == IMAGES
        wait_for(lambda: not workers.named("receiving.series"), "the series are closed")
    return root.stat().st_ino, read_record(directory / "record")


def acknowledged_in(record):
    """The SOPInstanceUIDs that bytes about to be sent say success of."""
    for item in PduReader(2**32 - 1).feed(memoryview(record.content)):
        if isinstance(item, Fragment) and item.is_command:
            command = read_dataset(io.BytesIO(bytes(item.data)), is_implicit_VR=True, is_little_endian=True)
            if "AffectedSOPInstanceUID" in command and command.Status == 0:
                yield str(command.AffectedSOPInstanceUID)


def filed_in(files):
    """SOPInstanceUID -> what is in the file named after it."""
    return {
        path.rpartition("-")[2].removesuffix(".dcm"): content
        for path, content in files.items()
        if path.startswith("data/") and path.endswith(".dcm")
    }


def is_whole(content, sent):
    header = decode_header(content[:MAX_HEADER_BYTES])
    return header is not None and content[header.data_set_offset :] == sent.data_set


def missing(filed, acknowledged, sent):
    return [uid for uid in sorted(acknowledged) if uid not in filed or not is_whole(filed[uid], sent[uid])]


def lost(root_inode, records):
    """What was not durable when the acknowledgement of it was about to be sent, and how many acknowledgements."""
    disk, sent = Disk(root_inode), sent_by_all()
    found, count = [], 0
    for each in records:
        disk.take(each)
        if each.kind == SENT:
            said = list(acknowledged_in(each))
            count += len(said)
            found += missing(filed_in(disk.files()), said, sent) if said else []
    return found, count


def test_what_is_acknowledged_is_durable_before(recorded):
    found, count = lost(*recorded[1:])
    assert found == []
    assert count == 4 * IMAGES
    print(f"{count} acknowledgements, each image on the disk before")


def test_the_model_sees_what_is_not_durable(tmp_path):
    found, count = lost(*record(tmp_path, ack="written"))
    assert len(found) > count // 2


def test_whatever_else_the_disk_got_to_nothing_acknowledged_is_lost_and_nothing_is_half(recorded):
    print(f"FAULTS_SEED={SEED}")
    choices, sent = random.Random(SEED), sent_by_all()
    _, root_inode, records = recorded
    cuts = set(choices.sample(range(len(records)), min(CUTS, len(records))))
    disk, acknowledged = Disk(root_inode), set()
    for number, each in enumerate(records):
        disk.take(each)
        if each.kind == SENT:
            acknowledged.update(acknowledged_in(each))
        if number not in cuts:
            continue
        files = disk.files(choices)
        filed = filed_in(files)
        assert missing(filed, acknowledged, sent) == []
        assert missing(filed, filed.keys(), sent) == []
        for path, content in files.items():
            if path.endswith(".json") and path.startswith("log/"):
                assert len(json.loads(content)) == 1
    print(f"{len(cuts)} cuts with a random rest")


@pytest.mark.parametrize("is_least", [True, False], ids=["what is durable", "and some of the rest"])
def test_a_worker_goes_on_where_the_power_was_cut(recorded, is_least):
    print(f"FAULTS_SEED={SEED}")
    choices = random.Random(SEED)
    root, root_inode, records = recorded
    disk = Disk(root_inode)
    for each in records[: choices.randrange(len(records) // 4, len(records))]:
        disk.take(each)
    for name in ("data", "log", "tmp"):
        shutil.rmtree(root / name)
    disk.write(root, None if is_least else choices)
    with running_workers(root, 1) as workers:
        wait_for(lambda: not workers.named("receiving.series"), "what the cut left receiving is closed")
        assert {path.parent for path in workers.images()} <= {path.parent for path in workers.named("series.info")}
        sender = Sender(workers.port, sent_by_all().values())
        sender.start()
        sender.join(120)
        assert len(sender.acknowledged) == len(sent_by_all())
        wait_for(lambda: not workers.named("receiving.series"), "the series are closed")
        assert len(workers.images()) == len(sent_by_all())
        assert not workers.named("*differs*")
