import os
import stat
from pathlib import Path

import pytest

from pfdcmd.edge import places
from pfdcmd.errors import StorageFault


def test_the_chosen_state_directory_is_made_private(tmp_path):
    directory = places.make_state_directory(str(tmp_path / "a" / "state"), {})
    assert directory == tmp_path / "a" / "state"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({"XDG_STATE_HOME": "xdg", "HOME": "home"}, "xdg/pfdcm"), ({"HOME": "home"}, "home/.local/state/pfdcm")],
)
def test_a_user_without_rights_has_a_state_directory_of_their_own(tmp_path, monkeypatch, environ, expected):
    monkeypatch.setattr(places, "is_writable", lambda path: False)
    below = {name: str(tmp_path / value) for name, value in environ.items()}
    assert places.make_state_directory("", below) == tmp_path / expected


def test_the_systems_state_directory_is_first(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "SYSTEM_STATE_DIR", tmp_path / "system")
    assert places.make_state_directory("", {}) == tmp_path / "system"


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFault, match="file/state"):
        places.make_state_directory(str(tmp_path / "file" / "state"), {})


def test_the_service_file_is_xinetds_where_that_can_be_written(tmp_path, monkeypatch):
    assert places.service_file_path("/x/y", tmp_path) == Path("/x/y")
    monkeypatch.setattr(places, "XINETD_SERVICE_FILE", tmp_path / "xinetd.d" / "dicomlistener")
    assert places.service_file_path("", tmp_path) == tmp_path / "xinetd.d" / "dicomlistener"
    monkeypatch.setattr(places, "is_writable", lambda path: False)
    assert places.service_file_path("", tmp_path) == tmp_path / "services.d" / "dicomlistener"


def test_writable_is_asked_of_the_nearest_ancestor_that_exists(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append(Path(path)) or True)
    assert places.is_writable(tmp_path / "no" / "such" / "file")
    assert asked == [tmp_path]
