"""The command lines in replies, pasted into a real shell: each value arrives as it is, and none of it is run."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfdcmd.pacs.command import find_command
from pfdcmd.pacs.peer import parse_peer

PEER = parse_peer({"serverIP": "127.0.0.1", "serverPort": "104", "aec": "PACS", "aet": "US"})
SHELLS = st.text(st.sampled_from("ab \"'`$(){}[]*?!#~&|;<>\\\n\t=-é山"), max_size=40)


def arguments_of(command, directory):
    """What the program would be called with: `printf` in its place prints each argument with a NUL after it."""
    line = command.replace("findscu", r"printf '%s\0'", 1)
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True, cwd=directory, timeout=20)
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


def check(value, directory):
    command = find_command("findscu", {"Modality": "", "PatientID": value}, PEER)
    expected = ["-xi", "-S", "-k", "Modality", "-k", f"PatientID={value}" if value else "PatientID"]
    assert arguments_of(command, directory)[:6] == expected
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(
    "value", ['"; touch x; "', "$(touch x)", "`touch x`", "'; touch x; '", "a\n touch x\n", "&touch x", ">x"]
)
def test_no_value_runs(value, tmp_path):
    check(value, tmp_path)


def test_any_value_is_one_argument(tmp_path):
    @settings(max_examples=150, deadline=None)
    @given(SHELLS)
    def any_value(value):
        check(value, tmp_path)

    any_value()
