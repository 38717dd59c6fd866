"""EIO from each call by which an image gets to its place (failing.c): refused, nothing half, and taken again after."""

import pytest
from bench.lean import encode, store_each
from integration.listenerprocess import running_workers, wait_for

from .images import broken, find, fingerprint, image
from .native import build

SUCCESS = 0
PROCESSING_FAILURE = 0x0110
CALLS = ("open", "writev", "pread", "fdatasync", "fsync", "link", "rename", "mkdir")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build("failing", tmp_path_factory.mktemp("failing"))


@pytest.mark.parametrize("call", CALLS)
def test_an_image_whose_call_fails_is_refused_and_can_be_sent_again(tmp_path, library, call):
    failing = tmp_path / "fails"
    environment = {"LD_PRELOAD": str(library), "FAULTS_FAIL": str(failing)}
    # each of a series of its own, which takes every one of the calls
    images = [image(number, series=number) for number in range(4)]
    sent = {each.sop_instance: fingerprint(each) for each in images}
    with running_workers(tmp_path / "site", 1, environment=environment) as workers:
        data = tmp_path / "site" / "data"
        # the second is refused twice, then taken in the same association
        storing = store_each("127.0.0.1", workers.port, encode([images[0], *[images[1]] * 3, images[2]]), 30)
        assert next(storing) == SUCCESS
        failing.write_text(f"{call}\n")
        assert [next(storing), next(storing)] == [PROCESSING_FAILURE] * 2
        assert broken(sent, data) == []
        failing.unlink()
        assert list(storing) == [SUCCESS, SUCCESS]
        assert list(store_each("127.0.0.1", workers.port, encode([images[3]]), 30)) == [SUCCESS]
        wait_for(lambda: not workers.named("receiving.series"), "the series are closed")
        assert find(data).keys() == sent.keys()
        assert broken(sent, data) == []
        assert not workers.named("*differs*")
        assert "Traceback" not in workers.errors()
