"""Whom pfdcm runs as. What only root can try is tried by root; what others may not do is tried by others."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from pfdcmprocess import run_to_end

from pfdcmd.edge.privileges import become, find_account
from pfdcmd.errors import ParameterFault
from pfdcmd.settings import Settings

IS_ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")
OTHER = "nobody" if not IS_ROOT and os.geteuid() != NOBODY.pw_uid else "root"

BECOME = """
import json, os, sys
from pathlib import Path
from pfdcmd.edge.privileges import become, find_account
from pfdcmd.errors import ParameterFault
from pfdcmd.settings import Settings
settings = Settings(user=sys.argv[1], state_dir=sys.argv[2], dicom_dir=sys.argv[3])
account = find_account(settings)
said = ""
if account is not None:
    try:
        become(account, settings, os.environ)
    except ParameterFault as fault:
        said = fault.message
print(json.dumps({
    "ids": [*os.getresuid(), *os.getresgid()], "groups": os.getgroups(), "home": os.environ["HOME"], "said": said,
    "writable": [os.access(name, os.W_OK) for name in sys.argv[2:]],
    "can_return": os.geteuid() == 0 or os.access("/root/.bashrc", os.W_OK),
}))
"""


@pytest.fixture
def place():
    """A directory that every account can get to."""
    directory = Path(tempfile.mkdtemp(dir="/tmp", prefix="pfdcm-user-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def become_in_a_process(user, place):
    arguments = [sys.executable, "-c", BECOME, user, str(place / "var" / "state"), str(place / "dicom")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def test_root_becomes_the_account_for_good_and_its_directories_are_made_for_it(place):
    told = become_in_a_process("nobody", place) if IS_ROOT else None
    if told is None:
        with pytest.raises(ParameterFault, match="Only root"):
            find_account(Settings(user=OTHER))
        return
    assert told["ids"] == [NOBODY.pw_uid] * 3 + [NOBODY.pw_gid] * 3
    assert 0 not in told["groups"]
    assert told["home"] == NOBODY.pw_dir
    assert told["writable"] == [True, True]
    assert not told["can_return"]
    assert told["said"] == ""
    assert (place / "var").stat().st_uid == 0
    assert (place / "var" / "state").stat().st_uid == NOBODY.pw_uid


def test_directories_that_are_roots_are_not_taken_over_but_named(place):
    (place / "dicom").mkdir(mode=0o755)
    if not IS_ROOT:
        with pytest.raises(ParameterFault):
            become(NOBODY, Settings(state_dir=str(place / "s"), dicom_dir="/proc/none"), {})
        return
    told = become_in_a_process("nobody", place)
    assert f"chown -R nobody: {place / 'dicom'}" in told["said"]
    assert "--user root" in told["said"]
    assert (place / "dicom").stat().st_uid == 0


@pytest.mark.parametrize("user", ["", "root"])
def test_without_the_account_or_with_root_nothing_changes(monkeypatch, user):
    known = pwd.getpwnam
    monkeypatch.setattr(pwd, "getpwnam", lambda name: known("no such account" if name == "pfdcm" else name))
    assert find_account(Settings(user=user)) is None


def test_the_account_pfdcm_is_taken_where_there_is_one(monkeypatch):
    monkeypatch.setattr(pwd, "getpwnam", lambda name: NOBODY if name == "pfdcm" else None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert find_account(Settings()) == NOBODY
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert find_account(Settings()) is None


def test_an_account_that_is_not_there_is_told():
    done = run_to_end("--user", "no-such-account", "--msg", "{}")
    assert done.returncode == 2
    assert "There is no account no-such-account" in done.stderr
