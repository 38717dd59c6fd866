"""Inputs that fuzzing found interesting, replayed: none crashes, hangs, or takes memory beyond a bound."""

import resource
import signal

import pytest

from . import corpora
from .targets import TARGETS

# Of processor time, for one input: fuzzing's slowest takes less than a hundredth of that.
INPUT_SECONDS = 10
RSS_GROWTH_KIB = 256 * 1024


@pytest.fixture(autouse=True)
def limited():
    """A target that hangs is interrupted."""

    def interrupt(_number, _frame):
        raise TimeoutError("the input takes too long")

    previous = signal.signal(signal.SIGVTALRM, interrupt)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, previous)


@pytest.mark.parametrize("name", TARGETS)
def test_every_kept_input_is_survived(name):
    kept = corpora.load(name)
    assert kept, "nothing is kept of this target"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for each in kept:
        signal.setitimer(signal.ITIMER_VIRTUAL, INPUT_SECONDS)
        try:
            TARGETS[name](each)
        except Exception as error:
            raise AssertionError(f"{name} does not survive {each!r}") from error
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < RSS_GROWTH_KIB


@pytest.mark.parametrize("name", TARGETS)
def test_every_beginning_of_a_kept_input_is_survived(name):
    for each in corpora.load(name):
        for size in range(0, min(len(each), 300), 37):
            signal.setitimer(signal.ITIMER_VIRTUAL, INPUT_SECONDS)
            TARGETS[name](each[:size])
