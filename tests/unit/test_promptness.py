"""The interpreter's settings that the loop's promptness rests on."""

import gc
import sys

import pytest

from pfdcmd.promptness import favour_the_loop


@pytest.fixture
def as_before():
    seconds = sys.getswitchinterval()
    yield
    gc.unfreeze()
    sys.setswitchinterval(seconds)


@pytest.mark.usefixtures("as_before")
def test_threads_give_way_sooner_and_what_is_loaded_is_not_looked_through():
    loaded = len(gc.get_objects())
    before = sys.getswitchinterval()
    favour_the_loop()
    assert sys.getswitchinterval() < before
    assert gc.get_freeze_count() > loaded / 2
    assert len(gc.get_objects()) < loaded / 2
