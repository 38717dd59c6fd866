"""Directories that cannot be opened at first."""

import errno
import logging
import os
from pathlib import Path

import pytest

from listener import spool as spool_module
from listener.config import Config
from listener.opening import open_archive, until_done
from listener.spool import spool_directory


def failing(*errors):
    """An attempt that fails with these, one after the other, and then succeeds."""
    pending = list(errors)

    def attempt():
        if pending:
            code, file = pending.pop(0)
            raise OSError(code, os.strerror(code), file)
        return "made"

    return attempt


def test_a_disk_that_is_away_for_a_while_does_not_end_the_worker(caplog):
    caplog.set_level(logging.INFO, "listener.opening")
    away = [(errno.EROFS, "/data")] * 5 + [(errno.ESTALE, "/data")]
    pauses = []
    assert until_done(failing(*away), pauses.append) == "made"
    assert pauses == [1, 2, 4, 8, 10, 10]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR", "INFO"]


def test_a_reason_with_a_temporary_name_is_said_once(caplog):
    until_done(failing((errno.ENOSPC, ".incoming-1"), (errno.ENOSPC, ".incoming-2")), lambda seconds: None)
    assert len(caplog.records) == 1


def test_an_archive_that_cannot_be_opened_leaves_no_descriptors_behind(tmp_path):
    (tmp_path / "log").write_text("in the way")
    config = Config(data_dir=f"{tmp_path}/data", log_dir=f"{tmp_path}/log", tmp_dir=f"{tmp_path}/tmp")
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(NotADirectoryError):
        open_archive(config)
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_a_spool_that_is_away_for_a_moment_is_not_exchanged_for_another(tmp_path, monkeypatch):
    def refuse(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    data, tmp = str(tmp_path / "data"), str(tmp_path / "tmp")
    real = spool_module.open_root
    monkeypatch.setattr(spool_module, "open_root", lambda path: refuse(path) if path == tmp else real(path))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        spool_directory(tmp, data)
