"""The equivalent DCMTK command lines: as recorded for plain values, one argument for any other."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfdcmd.pacs.command import find_command, move_command
from pfdcmd.pacs.peer import parse_peer
from pfdcmd.pacs.query import parse_query

PEER = parse_peer(
    {"serverIP": "127.0.0.1", "serverPort": "4242", "aec": "ORTHANC", "aet": "MYAET", "aet_listener": "CHIPS"}
)


def test_the_find_command_has_the_recorded_blanks_and_quotes():
    keys = {"Modality": "", "PatientID": "98890234", "QueryRetrieveLevel": "STUDY"}
    assert find_command("/usr/bin/findscu", keys, PEER) == (
        '/usr/bin/findscu -xi -S  -k Modality -k "PatientID=98890234" -k "QueryRetrieveLevel=STUDY"'
        "  -aec ORTHANC -aet MYAET 127.0.0.1 4242"
    )


def test_the_move_command_has_a_bare_series_key_that_callers_cut_out():
    command = move_command("/usr/bin/movescu", "1.2", "1.2.3", PEER)
    assert command == (
        "/usr/bin/movescu -S --move CHIPS --timeout 5 -k QueryRetrieveLevel=SERIES -k StudyInstanceUID=1.2"
        " -k SeriesInstanceUID=1.2.3  -aec ORTHANC -aet MYAET 127.0.0.1 4242"
    )
    assert " -k StudyInstanceUID" not in move_command("/usr/bin/movescu", None, "1.2.3", PEER)


@pytest.mark.parametrize(
    "value", ['"; touch /tmp/x; "', "$(id)", "`id`", "a'b", "a\\b", "!!", "$HOME", "*", "a b", "#", "~", "é"]
)
def test_a_value_is_one_argument_whatever_it_holds(value):
    command = find_command("/usr/bin/findscu", parse_query({"PatientID": value}).study_keys(), PEER)
    assert f"PatientID={value}" in shlex.split(command)


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")))
def test_any_text_is_one_argument(value):
    command = find_command("/usr/bin/findscu", {"PatientID": value}, PEER)
    assert shlex.split(command)[4] == (f"PatientID={value}" if value else "PatientID")


def test_addresses_and_programs_are_quoted_where_they_need_it():
    peer = parse_peer({"serverIP": "host;id", "serverPort": 104, "aec": "A'B C", "aet": "$(id)"})
    words = shlex.split(find_command("/opt/my tools/findscu", {"Modality": ""}, peer))
    assert words[0] == "/opt/my tools/findscu"
    assert words[-6:] == ["-aec", "A'B C", "-aet", "$(id)", "host;id", "104"]
