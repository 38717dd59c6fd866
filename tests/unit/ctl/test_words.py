"""Small decisions of the command line."""

import pytest

from pfdcmd.ctl.bars import label
from pfdcmd.ctl.commands.call import parse_params
from pfdcmd.ctl.commands.listener import new_lines
from pfdcmd.ctl.jobtext import check_complete, size
from pfdcmd.ctl.nearest import did_you_mean
from pfdcmd.ctl.problems import EXIT_INCOMPLETE, Incomplete, WrongUse
from pfdcmd.ctl.session import as_commands
from pfdcmd.ctl.transport import refused


@pytest.mark.parametrize(
    ("typed", "known", "said"),
    [
        ("orthank", ["orthanc", "dcm4chee"], "Did you mean orthanc?"),
        ("ORTHANC", ["orthanc"], "Did you mean orthanc?"),
        ("zzz", ["orthanc", "dcm4chee"], "There are: dcm4chee, orthanc."),
        ("zzz", [f"name{n:02}" for n in range(20)], "There are: name00, name01, name02, name03, name04, name05, "
         "name06, name07, ...."),
        ("zzz", [], ""),
    ],
)  # fmt: skip
def test_what_may_have_been_meant(typed, known, said):
    assert did_you_mean(typed, known) == said


@pytest.mark.parametrize(
    ("printed", "latest", "new"),
    [
        (["a", "b"], ["a", "b", "c"], ["c"]),
        (["b", "c"], ["a", "b", "c"], []),
        (["a", "b", "c"], ["c", "d"], ["d"]),
        (["a", "a"], ["a", "a", "a"], []),
        (["x"], ["a", "b"], ["a", "b"]),
        ([], ["a"], ["a"]),
        (["a"], [], []),
    ],
)
def test_only_what_is_new_of_a_log_is_printed(printed, latest, new):
    assert new_lines(printed, latest) == new


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Retrieve the series first with retrieve.start.", "Retrieve the series first with pfdcmctl retrieve."),
        ("See listener.list and listener.log.", "See pfdcmctl listener list and pfdcmctl listener log."),
        ("/srv/tree.list.json is no file of series.info", "/srv/tree.list.json is no file of series.info"),
    ],
)
def test_what_pfdcm_advises_is_told_in_commands(said, shown):
    assert as_commands(said) == shown


@pytest.mark.parametrize("text", ["{", "path=/", "7", '"x"', "[" * 100_000])
def test_parameters_that_are_no_object_are_answered_with_how_to_quote_them(text):
    with pytest.raises(WrongUse) as wrong:
        parse_params(text)
    assert '{"path": "/PACS"}' in wrong.value.do


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 1024**4, "5.0 TiB"), (None, "")]
)
def test_sizes(count, shown):
    assert size(count) == shown


def test_a_uid_is_told_by_its_end():
    assert label("1.2.3") == "1.2.3"
    assert label("9" * 40 + ".77").endswith(".77")
    assert len(label("9" * 64)) == 24


def test_an_incomplete_retrieve_says_how_to_fetch_the_rest_and_has_a_status_of_its_own():
    job = {"job": "j1", "pacs": "orthanc", "study": "1.2", "state": "partial", "verdict": "2 of 3 images are here."}
    with pytest.raises(Incomplete, match="2 of 3 images") as incomplete:
        check_complete(job)
    assert incomplete.value.exit_status == EXIT_INCOMPLETE
    assert "pfdcmctl retrieve --pacs orthanc --study 1.2 --wait" in incomplete.value.do
    check_complete({**job, "state": "complete"})


@pytest.mark.parametrize(
    ("status", "error", "do"),
    [
        (401, {"message": "no"}, "--token-file"),
        (403, {"message": "no"}, "right"),
        (200, {"message": "no", "data": {"do": "Try this."}}, "Try this."),
        (200, {"message": "no", "data": "odd", "code": "odd"}, ""),
    ],
)
def test_a_refusal_says_what_to_do(status, error, do):
    assert do in refused(error, "tree.set", status).do
