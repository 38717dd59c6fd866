"""The order of the steps, and what is not tried when something before it has failed."""

import asyncio
from types import SimpleNamespace

import pytest

from pfdcmd.doctor.examination import Examination
from pfdcmd.doctor.imageback import ARRIVAL_SECONDS
from pfdcmd.doctor.step import Outcome, report_json
from pfdcmd.errors import PeerAborted, PeerFailed, PeerUnreachable
from pfdcmd.pacs.negotiation import Acceptance, Model, Reached
from pfdcmd.pacs.outcome import MoveCounts, outcome_of_status
from pfdcmd.pacs.peer import parse_peer

ENTRY = {"serverIP": "pacs", "serverPort": 104, "aec": "PACS", "aet": "US"}
MATCHES = {
    "PATIENT": [{"PatientName": "Doe"}],
    "STUDY": [{"StudyInstanceUID": "*"}, {"StudyInstanceUID": "1.2"}],
    "SERIES": [
        {"SeriesInstanceUID": "1.2.9", "NumberOfSeriesRelatedInstances": "400"},
        {"SeriesInstanceUID": "1.2.3", "NumberOfSeriesRelatedInstances": "2"},
    ],
    "IMAGE": [{"SOPInstanceUID": "1.2.3.4"}, {"SOPInstanceUID": "1.2.3.5"}],
}
SENT = outcome_of_status(0, MoveCounts(1, 0, 0))


class Site:
    """A PACS and our listener, both made up; `arrives`: images that the listener counts for each one sent."""

    def __init__(self, matches=MATCHES, outcomes=(SENT,), arrives=1, state="RUNNING"):
        self.matches = matches
        self.outcomes = list(outcomes)
        self.arrives = arrives
        self.images = 7
        self.state = state
        self.refused = {}
        self.asked = []

    async def addresses(self, host):
        return ["10.0.0.9"]

    async def connect(self, addresses, port):
        return Reached(addresses[0], "10.0.0.7")

    async def associate(self, peer, address, abstract_syntaxes):
        return Acceptance(tuple(Model), "X")

    async def speaks_tls(self, address, port):
        return False

    async def echo(self, peer):
        pass

    async def find_level(self, peer, query):
        self.asked.append((query.level, dict(query.keys)))
        matches = self.matches[query.level]
        if isinstance(matches, Exception):
            raise matches
        for match in matches[: query.max_matches]:
            yield match

    async def retrieve(self, peer, selection, *, deliver_to=None):
        self.asked.append((selection.level, selection.instances))
        outcome = self.outcomes.pop(0)
        if outcome.is_success:
            self.images += self.arrives
        return outcome

    def listing(self):
        service = {"state": self.state, "port": "10402", "address": "0.0.0.0", "images": self.images}
        return {"ct": {**service, "refused": dict(self.refused)}, ".reload": {"when": "now"}}

    def examine(self, *, is_image_wanted=True):
        async def examined():
            context = SimpleNamespace(probe=self, pacs=self, listeners=self)
            return await Examination("main", parse_peer(ENTRY), context, is_image_wanted=is_image_wanted).report()

        report = asyncio.run(examined())
        return report, {step.name: step.finding for step in report.steps}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr("pfdcmd.doctor.imageback.ARRIVAL_SECONDS", 0.0)
    monkeypatch.setattr("pfdcmd.doctor.imageback._REFUSAL_SECONDS", 0.0)
    assert ARRIVAL_SECONDS > 5


def test_one_image_of_the_smallest_series_is_asked_for_and_arrives():
    site = Site()
    report, _ = site.examine()
    assert report.is_well, report_json(report)
    assert site.asked[-1] == ("IMAGE", ("1.2.3.4",))
    assert site.asked[2][1]["StudyInstanceUID"] == "1.2"
    assert "what it sends arrives" in report.conclusion


def test_without_an_image_none_is_asked_for():
    report, findings = Site().examine(is_image_wanted=False)
    assert report.is_well
    assert "C-MOVE of one image" not in findings


def test_nothing_is_tried_of_a_pacs_that_is_not_reached(monkeypatch):
    async def refuse(self, addresses, port):
        raise PeerUnreachable("no", cause="Connection refused")

    monkeypatch.setattr(Site, "connect", refuse)
    site = Site()
    report, findings = site.examine()
    assert not report.is_well
    assert list(findings) == ["Address", "TCP connection", "Our listener", "C-MOVE of one image"]
    assert findings["C-MOVE of one image"].outcome is Outcome.SKIPPED
    assert site.asked == []


@pytest.mark.parametrize("level", ["STUDY", "SERIES"])
def test_levels_below_one_that_failed_are_not_asked(level):
    _, findings = Site({**MATCHES, level: PeerAborted()}).examine()
    assert findings[f"C-FIND {level}"].outcome is Outcome.FAILED
    assert findings["C-FIND IMAGE"].outcome is Outcome.SKIPPED
    assert findings["C-MOVE of one image"].outcome is Outcome.SKIPPED


def test_a_pacs_without_the_image_level_is_asked_for_a_series():
    site = Site({**MATCHES, "IMAGE": PeerFailed()})
    report, findings = site.examine()
    assert report.is_well
    assert findings["C-FIND IMAGE"].outcome is Outcome.WARNING
    assert site.asked[-1] == ("SERIES", ())


def test_a_pacs_that_refuses_single_images_is_asked_for_their_series():
    site = Site(outcomes=[outcome_of_status(0xA900, MoveCounts()), SENT])
    _, findings = site.examine()
    assert findings["C-MOVE of one image"].outcome is Outcome.WARNING
    assert [asked for asked in site.asked if asked[0] in ("IMAGE", "SERIES")][-1] == ("SERIES", ())


def test_counts_that_disagree_are_said():
    _, findings = Site({**MATCHES, "IMAGE": MATCHES["IMAGE"][:1]}).examine()
    assert findings["C-FIND IMAGE"].outcome is Outcome.WARNING
    assert "counts 2" in findings["C-FIND IMAGE"].found


def test_text_that_cannot_be_read_is_said_without_being_quoted():
    _, findings = Site({**MATCHES, "PATIENT": [{"PatientName": "M\ufffdller"}]}).examine()
    assert findings["Character set"].outcome is Outcome.WARNING
    assert "ller" not in findings["Character set"].found


def test_an_image_that_does_not_arrive():
    report, findings = Site(arrives=0).examine()
    assert not report.is_well
    assert findings["C-MOVE of one image"].fault == "not-arrived"


@pytest.mark.parametrize("state", ["STOPPED", "FATAL", "DISABLED", "BACKOFF"])
def test_nothing_is_sent_to_a_listener_that_is_down(state):
    site = Site(state=state)
    _, findings = site.examine()
    assert findings["Our listener"].fault == "listener-down"
    assert findings["C-MOVE of one image"].outcome is Outcome.SKIPPED
    assert site.asked[-1][0] == "IMAGE"
    assert isinstance(site.asked[-1][1], dict), "that was a query"
