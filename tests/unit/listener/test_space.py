"""A floor of free space: below it images are refused unread, above it they are taken again."""

import os
import types

import pytest
from dicomwire import CT, EXPLICIT_LITTLE, RELEASE_RQ, VERIFICATION, associate_rq, context_item, data_set, store
from scripted import Site, answers

from listener import space as space_module
from listener.errors import SPACE
from listener.space import Space

REQUEST = associate_rq(context_item(1, VERIFICATION, EXPLICIT_LITTLE), context_item(3, CT, EXPLICIT_LITTLE))


class Disk:
    """What fstatvfs says, and the clock; `looks` counts the questions."""

    def __init__(self, monkeypatch):
        self.free_bytes, self.files, self.free_inodes = 1000, 100, 50
        self.now = 100.0
        self.looks = 0
        self.is_silent = False
        monkeypatch.setattr(space_module.os, "fstatvfs", self._look)
        monkeypatch.setattr(space_module.time, "monotonic", lambda: self.now)

    def _look(self, _fd):
        self.looks += 1
        if self.is_silent:
            raise OSError(5, os.strerror(5))
        return types.SimpleNamespace(
            f_bavail=self.free_bytes, f_frsize=1, f_files=self.files, f_favail=self.free_inodes
        )


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


def test_below_the_floor_there_is_a_fault_and_above_it_none_again(disk, caplog):
    space = Space(0, 500, 0)
    assert space.fault() is None
    disk.free_bytes, disk.now = 499, 101.0
    fault = space.fault()
    assert (fault.status, fault.word) == (0xA700, SPACE)
    assert str(fault) == "less than 500 bytes are free below data_dir"
    disk.now = 102.0
    assert space.fault() is not None
    disk.free_bytes, disk.now = 500, 103.0
    assert space.fault() is None
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_inodes_have_a_floor_where_there_are_any(disk):
    space = Space(0, 0, 51)
    assert str(space.fault()) == "less than 51 inodes are free below data_dir"
    disk.files, disk.now = 0, 101.0
    assert space.fault() is None


def test_without_a_floor_nobody_looks(disk):
    assert Space(0, 0, 0).fault() is None
    assert disk.looks == 0


def test_looks_are_few_but_for_what_is_written_meanwhile(disk):
    space = Space(0, 500, 0)
    for _ in range(100):
        assert space.fault() is None
    assert disk.looks == 1
    space.spend(499)
    assert space.fault() is None
    assert disk.looks == 1
    space.spend(1)
    disk.free_bytes = 400
    assert space.fault() is not None
    assert disk.looks == 2
    for _ in range(100):
        assert space.fault() is not None
    assert disk.looks == 2


def test_a_disk_that_does_not_say_is_written_to(disk):
    disk.is_silent = True
    assert Space(0, 500, 10).fault() is None


def test_images_below_the_floor_are_refused_unwritten_and_the_association_goes_on(tmp_path, monkeypatch):
    site = Site(tmp_path, min_free_bytes=500, min_free_inodes=0, receipts_dir=str(tmp_path / "receipts"))
    disk = Disk(monkeypatch)
    opened = []
    real = site.spool.open_temp
    monkeypatch.setattr(site.spool, "open_temp", lambda: (opened.append(disk.free_bytes), real())[1])

    def change(number):
        disk.now += 10
        disk.free_bytes = {2: 100, 3: 5000}.get(number, disk.free_bytes)

    images = [store(3, CT, f"1.2.3.{n}", data_set(f"1.2.3.{n}", number=str(n)), n) for n in (1, 2, 3)]
    sock, connection = site.connect(REQUEST, *images, RELEASE_RQ, before_each=change)
    assert answers(sock) == [0, 0xA700, 0]
    assert len(site.images()) == 2
    assert connection.tally.refused_by == {"space": 1}
    assert 100 not in opened
    assert not (tmp_path / "quarantine").exists()
    site.close()
