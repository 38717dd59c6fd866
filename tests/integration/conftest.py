"""What holds for tests of more than one file here."""

import itertools
import threading
import time

import pytest
from listenerprocess import running_workers

_studies = itertools.count(1)


@pytest.fixture
def no_thread_is_left():
    """Every thread that the test has brought about ends with it."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 10
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    """A worker that files for a retrieve, with receipts where its ledger looks for them."""
    root = tmp_path_factory.mktemp("listener")
    with running_workers(root, 1, receipts_dir=str(root / "state" / "receipts"), service="main") as workers:
        yield workers


@pytest.fixture
def study():
    """A number that no other study of this process has."""
    return next(_studies)
