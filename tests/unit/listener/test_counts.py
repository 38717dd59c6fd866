"""What workers count together; other workers are processes of this test."""

import ipaddress
import os
from multiprocessing import get_context

import pytest

from listener.admission import INSTANCES, PER_SOURCE, RATE
from listener.counts import SharedCounts

ONE, TWO, SIX = (ipaddress.ip_address(text) for text in ("192.0.2.1", "192.0.2.2", "2001:db8::1"))


def make(file, instances=0, per_source=0, connections=0, wait_seconds=10):
    return SharedCounts(
        str(file), instances=instances, per_source=per_source, connections=connections, wait_seconds=wait_seconds
    )


def hold(file, entries, pipe):
    counts = make(file, instances=10)
    pipe.send([counts.enter(ONE, 0.0) for _ in range(entries)])
    pipe.recv()
    os._exit(9)


@pytest.fixture
def other(tmp_path):
    """Another worker, which holds 3 entries until it is told to die."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold, args=(str(tmp_path / "counts"), 3, theirs))
    process.start()
    assert ours.recv() == [0, 1, 2]
    yield lambda: (ours.send("die"), process.join(20))
    process.kill()
    process.join(20)


@pytest.mark.parametrize("is_shared", [True, False])
def test_instances(tmp_path, is_shared):
    counts = make(tmp_path / "counts" if is_shared else "", instances=2)
    first, _ = counts.enter(ONE, 0.0), counts.enter(TWO, 0.0)
    assert counts.enter(SIX, 0.0) is INSTANCES
    counts.leave(first)
    assert counts.enter(SIX, 0.0) == first
    counts.close()
    counts.leave(first)


def test_per_source(tmp_path):
    counts = make(tmp_path / "counts", per_source=1)
    entry = counts.enter(ONE, 0.0)
    assert counts.enter(ONE, 0.0) is PER_SOURCE
    assert isinstance(counts.enter(TWO, 0.0), int)
    assert isinstance(counts.enter(SIX, 0.0), int)
    assert counts.enter(SIX, 0.0) is PER_SOURCE
    counts.leave(entry)
    assert isinstance(counts.enter(ONE, 0.0), int)
    counts.close()


def test_the_rate(tmp_path):
    counts = make(tmp_path / "counts", connections=2, wait_seconds=5)
    seen = [counts.enter(ONE, now) is RATE for now in (10.0, 10.1, 10.2, 15.0, 15.3)]
    assert seen == [False, False, True, True, False]
    counts.close()


def test_what_another_worker_holds_counts_until_it_is_killed(tmp_path, other):
    counts = make(tmp_path / "counts", instances=4)
    ours = counts.enter(TWO, 0.0)
    assert isinstance(ours, int)
    assert counts.enter(TWO, 0.0) is INSTANCES
    other()
    assert all(isinstance(counts.enter(TWO, 0.0), int) for _ in range(3))
    assert counts.enter(TWO, 0.0) is INSTANCES
    counts.close()


def test_the_first_worker_begins_with_nothing(tmp_path, other):
    other()
    counts = make(tmp_path / "counts", instances=1)
    assert counts.enter(ONE, 0.0) == 0
    counts.close()
