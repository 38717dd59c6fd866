"""PACSinteract against a PACS of values: the replies' shapes, the order of checks, and keys as data."""

import asyncio
from types import SimpleNamespace

import pytest

from pfdcmd.actions.pacsinteract import pacsinteract
from pfdcmd.errors import ParameterFault, PeerConfigurationFault, PeerUnreachable
from pfdcmd.pacs.outcome import MoveOutcome
from pfdcmd.pacs.result import StudyMatch
from pfdcmd.retrieve.job import Job, JobState, SeriesProgress
from pfdcmd.retrieve.standing import Standing
from pfdcmd.tree.store import Tree

COMPLETE, FAILED = JobState.COMPLETE, JobState.FAILED
ENTRY = {"serverIP": "10.0.0.1", "serverPort": "104", "aec": "PACS", "aet": "US", "aet_listener": "LISTENER"}
STUDY = StudyMatch(
    index=1,
    attributes={"StudyInstanceUID": "1.2", "PatientID": "42"},
    series=({"SeriesInstanceUID": "1.2.1"}, {"SeriesInstanceUID": "1.2.2"}),
)


class FakePacs:
    def __init__(self, studies=(), outcomes=None):
        self.studies, self.outcomes = list(studies), outcomes or {}
        self.queries, self.moves = [], []

    async def find(self, peer, query):
        self.queries.append((peer, query))
        return self.studies


class FakeJobs:
    """Jobs that end at once: as the PACS's outcomes say; and what is known of series."""

    def __init__(self, pacs=None, **series):
        self.pacs, self.known, self.asked = pacs, series, []

    async def retrieve(self, request):
        self.pacs.moves += [(request.pacs, request.study, series) for series in request.series]
        outcomes = [self.pacs.outcomes.get(series, MoveOutcome()) for series in request.series]
        ended = tuple(
            SeriesProgress(series, COMPLETE if outcome.is_success else FAILED, 1, 1, (), (), 10)
            for series, outcome in zip(request.series, outcomes, strict=True)
        )
        job = Job("1", request, COMPLETE, 0.0, 1.0, 1, ended, "")
        return job, outcomes[-1].of_study(request.study or "9.9")

    async def standing(self, map_dir, uid):
        self.asked.append((map_dir, uid))
        return self.known.get(uid)


def call(meta, pacs=None, jobs=None, pacs_entries=None):
    tree = Tree(
        {
            "PACS": {"orthanc": ENTRY, "help": {"server_ip": "127.0.0.1"}, **(pacs_entries or {})},
            "bin": {"findscu": "/usr/bin/findscu", "movescu": "/usr/bin/movescu"},
            "xinetd": {"series_mapDir": "/dicom/log/series_map"},
        }
    )
    pacs = pacs or FakePacs()
    context = SimpleNamespace(tree=tree, pacs=pacs, jobs=jobs or FakeJobs(pacs))
    return asyncio.run(pacsinteract(meta, context))


def query(on, pacs=None):
    return call({"do": "query", "on": on, "PACS": "orthanc"}, pacs)


def retrieve(on, pacs=None):
    return call({"do": "retrieve", "on": on, "PACS": "orthanc"}, pacs)


def status(on, jobs=None, pacs_name="orthanc"):
    return call({"do": "retrieveStatus", "on": on, "PACS": pacs_name}, jobs=jobs)


def test_recorded_replies_of_calls_that_ask_nothing():
    assert call({"do": "query", "on": {"PatientID": "1"}}) == {"status": True, "query": {}}
    assert call({"do": "dance", "on": {}, "PACS": "help"}) == {"status": True, "dance": {}}


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"on": {}, "PACS": "help"}, 'No "do" directive specified.'),
        ({"do": None, "PACS": "help"}, 'No "do" directive specified.'),
        ({"do": [], "PACS": "help"}, 'No "do" directive specified.'),
        ({"do": "query", "on": {}, "PACS": "nope"}, "Invalid PACS specified."),
        ({"do": "retrieveStatus", "on": {}, "PACS": "nope"}, "Invalid PACS specified."),
        ({"do": "query", "on": {}, "PACS": 7}, "Invalid PACS specified."),
        ({"do": "query", "on": {}, "PACS": None}, "Invalid PACS specified."),
        ({"do": "query", "on": {}, "PACS": "orthanc/aec"}, "Invalid PACS specified."),
        ({"do": "query", "on": {}, "PACS": "../bin"}, "Invalid PACS specified."),
        ({"do": "query", "on": {}, "PACS": "/orthanc"}, "Invalid PACS specified."),
        ({"do": "query", "on": {}, "PACS": ""}, "Invalid PACS specified."),
        ({"do": "query", "PACS": "orthanc"}, '"on" must be a dictionary with the keys to match.'),
        ({"do": "retrieve", "on": [], "PACS": "orthanc"}, '"on" must be a dictionary with the keys to match.'),
        ({"do": "retrieveStatus", "PACS": "help"}, '"on" must be a dictionary with the keys to match.'),
    ],
)
def test_what_is_missing_or_wrong_is_said(meta, message):
    with pytest.raises(ParameterFault) as fault:
        call(meta)
    assert fault.value.message == message


def test_an_unusable_entry_is_a_fault_of_its_own():
    with pytest.raises(PeerConfigurationFault):
        call({"do": "query", "on": {}, "PACS": "help"})


def test_a_query_gives_data_and_a_report_parallel_to_it():
    pacs = FakePacs([STUDY])
    reply = query({"PatientID": "42"}, pacs)
    assert reply["status"] is True
    assert reply["query"]["status"] == "success"
    (study,) = reply["query"]["data"]
    assert study["uid"]["value"] == 1
    assert '-k "StudyInstanceUID=1.2" ' in study["series"][0]["command"]["value"]
    assert [len(part) for part in reply["query"]["report"].values()] == [1, 1, 1]
    assert pacs.queries[0][1].matching == {"PatientID": "42"}
    assert pacs.moves == []


def test_a_query_that_finds_nothing_succeeds_with_status_false():
    reply = query({"PatientID": "42"})
    assert reply["status"] is False
    assert reply["query"]["data"] == []
    assert reply["query"]["report"] == {"tabular": [], "rawText": [], "json": []}


def test_the_reports_elements_are_asked_back_too():
    pacs = FakePacs([STUDY])
    reply = query({"reportTags": {"body": {"series": ["BodyPartExamined"]}}}, pacs)
    assert "BodyPartExamined" in pacs.queries[0][1].keywords
    assert reply["query"]["report"]["json"][0]["body"] == [{"BodyPartExamined": "no value provided"}] * 2


def test_bad_report_tags_stop_the_query_before_it_is_sent():
    pacs = FakePacs()
    with pytest.raises(ParameterFault, match="reportTags"):
        query({"reportTags": "{"}, pacs)
    assert pacs.queries == []


@pytest.mark.parametrize("wish", [True, "true", "True"])
def test_a_query_can_retrieve_every_series_found(wish):
    pacs = FakePacs([STUDY], {"1.2.2": MoveOutcome("W: ...\n", 69)})
    reply = query({"PatientID": "42", "retrieve": wish}, pacs)
    assert [(study, series) for _, study, series in pacs.moves] == [("1.2", "1.2.1"), ("1.2", "1.2.2")]
    body = reply["query"]["report"]["json"][0]["body"]
    assert [series["PACS_Retrieve"] for series in body] == [" [ OK ] ", " [ FAILED ] "]


def test_a_series_without_a_valid_uid_is_not_moved():
    pacs = FakePacs([StudyMatch(0, {"StudyInstanceUID": "1.2"}, ({"SeriesInstanceUID": "*"},))])
    reply = query({"retrieve": True}, pacs)
    assert pacs.moves == []
    assert reply["query"]["report"]["json"][0]["body"][0]["PACS_Retrieve"] == " [ FAILED ] "


@pytest.mark.parametrize("wish", [False, "false", "", 1, None])
def test_nothing_else_retrieves(wish):
    pacs = FakePacs([STUDY])
    query({"retrieve": wish}, pacs)
    assert pacs.moves == []


def test_a_retrieve_that_went_well():
    assert retrieve({"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.1"}) == {
        "status": True,
        "retrieve": {
            "status": "success",
            "data": [],
            "command": (
                "/usr/bin/movescu -S --move LISTENER --timeout 5 -k QueryRetrieveLevel=SERIES -k StudyInstanceUID=1.2"
                " -k SeriesInstanceUID=1.2.1  -aec PACS -aet US 10.0.0.1 104"
            ),
            "returncode": 0,
        },
    }


def test_a_retrieve_that_failed():
    pacs = FakePacs(outcomes={"1.2.1": MoveOutcome("W: ...\n", 69)})
    reply = retrieve({"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.1"}, pacs)
    assert reply["status"] is False
    told = reply["retrieve"]
    assert (told["status"], told["data"], told["returncode"]) == ("error", "W: ...\n", 69)


@pytest.mark.parametrize(
    "on",
    [{"SeriesInstanceUID": "1.2.1"}, {"series_uid": "1.2.1"}, {"series": {"uid": "1.2.1"}}, {"series.uid": "1.2.1"}],
)
def test_a_series_alone_is_enough(on):
    pacs = FakePacs()
    reply = retrieve(on, pacs)
    assert pacs.moves[0][1:] == (None, "1.2.1")
    assert "-k StudyInstanceUID=9.9 -k SeriesInstanceUID=1.2.1 " in reply["retrieve"]["command"]


@pytest.mark.parametrize(
    "uid", ["*", "1.2.*", "1.2\\1.3", '1.2"; touch x; "', "../..", "", None, 5, {}, "1" * 65, "1..2"]
)
def test_what_is_no_uid_is_refused_before_anything_is_sent(uid):
    pacs = FakePacs()
    bad_study = {} if uid in (None, "") else uid
    for on in ({"SeriesInstanceUID": uid}, {"StudyInstanceUID": bad_study, "SeriesInstanceUID": "1.2"}):
        with pytest.raises(ParameterFault, match="UID"):
            retrieve(on, pacs)
    assert pacs.moves == []


def test_a_pacs_that_is_down_is_a_fault_of_the_query():
    class Down(FakePacs):
        async def find(self, peer, query):
            raise PeerUnreachable("The PACS cannot be reached.")

    with pytest.raises(PeerUnreachable):
        query({"PatientID": "1"}, Down())


@pytest.mark.parametrize(
    ("is_complete", "message"), [(True, "Received all DICOM files."), (False, "Some DICOM files pending.")]
)
@pytest.mark.parametrize("pacs_name", ["orthanc", "help"])
def test_status_of_a_series_that_is_here(is_complete, message, pacs_name):
    jobs = FakeJobs(**{"1.2.3": Standing("/dicom/data/p/s/1.2.3", 7, is_complete)})
    assert status({"series_uid": "1.2.3"}, jobs, pacs_name) == {
        "status": is_complete,
        "retrieveStatus": {
            "msg": message,
            "numDCMfiles": 7,
            "terminatorFile": "/dicom/data/p/s/1.2.3/series.info",
            "DICOMdir": "/dicom/data/p/s/1.2.3",
            "seriesUID": "1.2.3",
            "status": is_complete,
        },
    }


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("1.2.3", "/dicom/log/series_map/1.2.3.json"),
        ("nonsense", "/dicom/log/series_map/nonsense.json"),
        ("../../etc/passwd", "of this series"),
        ("..", "of this series"),
        ("a\nb", "of this series"),
        (7, "of this series"),
        ({}, "of this series"),
    ],
)
def test_status_of_a_series_that_is_not_here(given, named):
    jobs = FakeJobs()
    told = {"msg": f"Series map file {named} not found", "status": False}
    assert status({"series_uid": given}, jobs) == {"status": False, "retrieveStatus": told}
    assert jobs.asked == ([("/dicom/log/series_map", "1.2.3")] if given == "1.2.3" else [])


def test_status_of_no_series():
    told = {"msg": "series_uid was not specified in call", "status": False}
    assert status({}) == {"status": False, "retrieveStatus": told}


def test_status_needs_no_pacs():
    jobs = FakeJobs(**{"1.2.3": Standing("/d", 1, True)})
    assert call({"do": "retrieveStatus", "on": {"series_uid": "1.2.3"}}, jobs=jobs)["status"] is True


def test_status_tells_what_is_expected_and_missing_once_it_is_known():
    standing = Standing("/d", 5, is_settled=True, expected=7, missing=2, job="a1", is_under_way=True)
    told = status({"series_uid": "1.2.3"}, FakeJobs(**{"1.2.3": standing}))["retrieveStatus"]
    assert (told["expected"], told["missing"], told["job"]) == (7, 2, "a1")
    assert (told["status"], told["msg"]) == (False, "Some DICOM files pending.")
