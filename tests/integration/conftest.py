"""What holds for tests of more than one file here."""

import threading
import time

import pytest


@pytest.fixture
def no_thread_is_left():
    """Every thread that the test has brought about ends with it."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 10
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left
