"""A disk that is full, out of inodes, read-only, closed to the worker, or gone: images are refused, and taken later."""

import shutil
import tempfile
from pathlib import Path

import pytest
from bench.lean import encode, store_each
from integration.listenerprocess import running_workers, wait_for

from .images import broken, find, fingerprint, image, large
from .volume import Volume

SUCCESS = 0
OUT_OF_RESOURCES = 0xA700
PROCESSING_FAILURE = 0x0110
MIB = 2**20
# numbers of images that are copies of the same one: of one patient, one study, one series
ONE_PATIENT = range(0, 21, 3)
NO_FLOOR = {"min_free_bytes": 0, "min_free_inodes": 0}
FLOORS = pytest.mark.parametrize("floor", [NO_FLOOR, {}], ids=["no floor", "the default floor"])


@pytest.fixture
def place(tmp_path):
    (tmp_path / "volume").mkdir()
    return tmp_path / "volume"


def on(volume, place, tmp_path, **config):
    """A worker whose data and spool are on the volume."""
    directories = {"data_dir": str(place / "data"), "tmp_dir": str(place / "tmp"), "log_dir": str(tmp_path / "log")}
    return running_workers(tmp_path / "site", 1, before=volume.enter, **directories, **config)


def store(port, *images):
    """The statuses that one association gets, in order; it is not ended by a refusal."""
    return list(store_each("127.0.0.1", port, encode(images), 30))


def fingerprints(images):
    return {each.sop_instance: fingerprint(each) for each in images}


def stores_until_refused(workers, data, images):
    """Successes, then A700 only; what was acknowledged is there, and nothing else. Returns: how many were filed."""
    statuses = store(workers.port, *images)
    filed = statuses.index(OUT_OF_RESOURCES)
    assert statuses == [SUCCESS] * filed + [OUT_OF_RESOURCES] * (len(images) - filed)
    sent = fingerprints(images)
    assert find(data).keys() == {each.sop_instance for each in images[:filed]}
    assert broken(sent, data) == []
    assert [path.name for path in data.rglob("*") if path.name.startswith(".incoming")] == []
    return filed


@FLOORS
def test_the_image_that_does_not_fit_is_refused_and_later_ones_fit_again(tmp_path, place, floor):
    images = [large(number, MIB) for number in range(72)]
    with Volume(place, "size=64m") as volume, on(volume, place, tmp_path, **floor) as workers:
        data = volume.seen / "data"
        filed = stores_until_refused(workers, data, images)
        assert filed >= 40
        for file in sorted(data.rglob("*.dcm"))[:3]:
            file.unlink()
        wait_for(lambda: store(workers.port, images[filed]) == [SUCCESS], "there is room again")
        assert images[filed].sop_instance in find(data)
        assert broken(fingerprints(images), data) == []
        assert not list((volume.seen / "tmp").glob(".incoming*"))
        assert workers.processes[0].poll() is None


@FLOORS
def test_without_inodes_images_are_refused_and_later_taken_again(tmp_path, place, floor):
    images = [image(number) for number in range(260)]
    with Volume(place, "size=64m,nr_inodes=220") as volume, on(volume, place, tmp_path, **floor) as workers:
        data = volume.seen / "data"
        filed = stores_until_refused(workers, data, images)
        assert filed >= 100
        # the floor is looked at some times a second: more than it may be gone by then
        for file in sorted(data.rglob("*.dcm"))[:100]:
            file.unlink()
        wait_for(lambda: store(workers.port, images[filed]) == [SUCCESS], "there are inodes again")
        assert broken(fingerprints(images), data) == []


def test_on_a_disk_that_became_read_only_images_are_refused_until_it_can_be_written(tmp_path, place):
    images = [image(number) for number in range(3)]
    with Volume(place, "size=64m") as volume, on(volume, place, tmp_path) as workers:
        data = volume.seen / "data"
        assert store(workers.port, images[0]) == [SUCCESS]
        wait_for(lambda: list(data.rglob("series.info")), "the series is closed")
        volume.remount("ro")
        assert store(workers.port, *images[1:]) == [PROCESSING_FAILURE] * 2
        assert find(data).keys() == {images[0].sop_instance}
        volume.remount("rw")
        assert store(workers.port, *images) == [SUCCESS] * 3
        assert find(data).keys() == fingerprints(images).keys()
        assert broken(fingerprints(images), data) == []


@pytest.fixture
def open_directory():
    """A directory that other users can get to, which pytest's are not."""
    directory = Path(tempfile.mkdtemp(prefix="pfdcm-faults-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def test_without_permission_images_are_refused_until_there_is(open_directory):
    images = [image(number) for number in ONE_PATIENT[:3]]
    user = {"user": "nobody"} if Path("/").owner() == Path("/proc/self").owner() else {}
    with running_workers(open_directory / "site", 1, **user) as workers:
        assert store(workers.port, images[0]) == [SUCCESS]
        wait_for(lambda: workers.named("series.info"), "the series is closed")
        (series,) = {file.parent for file in workers.images()}
        series.chmod(0o500)
        assert store(workers.port, *images[1:]) == [PROCESSING_FAILURE] * 2
        assert len(workers.images()) == 1
        series.chmod(0o700)
        assert store(workers.port, *images) == [SUCCESS] * 3
        assert broken(fingerprints(images), open_directory / "site" / "data") == []


def test_where_a_directory_vanishes_it_is_made_again(tmp_path):
    images = [image(number) for number in ONE_PATIENT]
    with running_workers(tmp_path / "site", 1) as workers:
        root = tmp_path / "site"
        storing = store_each("127.0.0.1", workers.port, encode(images), 30)
        for number, gone in enumerate(["", "data/*/*/*", "data/*/*", "data/*", "log/*", "tmp", "data"]):
            for path in [each for each in root.glob(gone) if each.is_dir()] if gone else ():
                shutil.rmtree(path)
            assert next(storing) == SUCCESS
            assert images[number].sop_instance in find(root / "data"), gone
        assert list(storing) == []
        wait_for(lambda: workers.named("series.info"), "the series is closed")
        assert broken(fingerprints(images), root / "data") == []
