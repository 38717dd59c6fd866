"""What a killed worker had on its way, and what was cut off: told in the run log and in receipts."""

import json
import shlex
from datetime import UTC, datetime

import pytest
from dicomwire import CT, EXPLICIT_LITTLE, RELEASE_RQ, VERIFICATION, associate_rq, context_item, data_set, store
from hypothesis import given
from hypothesis import strategies as st
from scripted import Site

from listener.doorkeeper import Doorkeeper
from listener.report import Report
from listener.runlog import CutOff, format_abandoned, format_line, format_refusal
from listener.server import Server
from listener.underway import Transfer, Underway

REQUEST = associate_rq(context_item(1, VERIFICATION, EXPLICIT_LITTLE), context_item(3, CT, EXPLICIT_LITTLE))
TRANSFER = Transfer("192.0.2.1", "PACS", "HEART", CT, "1.2.3", "PFDCM", "7")
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def image(number):
    uid = f"1.2.3.{number}"
    return store(3, CT, uid, data_set(uid, number=str(number)), number)


def test_what_was_on_its_way_is_found_by_the_next_worker(tmp_path):
    file = str(tmp_path / "report")
    first = Underway(file)
    report = Report(file)
    places = [first.take_place() for _ in range(3)]
    for place in places:
        first.begin(place, TRANSFER)
    first.end(places[1])
    assert first.abandoned == ()
    report.close()
    # killed: nothing is taken back
    assert Underway(file).abandoned == (TRANSFER, TRANSFER)
    Report(file).close()
    assert Underway(file).abandoned == ()


def test_places_are_used_again(tmp_path):
    underway = Underway(str(tmp_path / "report"))
    first = underway.take_place()
    assert underway.take_place() != first
    underway.give_back(first)
    assert underway.take_place() == first
    underway.close()


@pytest.mark.parametrize("rubbish", [b"{", b"[1]", b'{"peer": 1}', b"\xff" * 700, b"[" * 512, b"a\nb"])
def test_half_a_note_is_none(tmp_path, rubbish):
    (tmp_path / "report").write_bytes(bytes(4096) + rubbish)
    assert Underway(str(tmp_path / "report")).abandoned == ()


def test_an_image_is_noted_while_it_comes_and_no_longer(tmp_path):
    site = Site(tmp_path, report_file=str(tmp_path / "report"))
    whole = image(1)
    seen = []

    def look(_number):
        seen.append([each.sop_instance for each in Underway(site.config.report_file).abandoned])

    site.connect(REQUEST, whole[:300], whole[300:], image(2)[:300], before_each=look)
    assert seen[2:] == [["1.2.3.1"], [], ["1.2.3.2"]]
    assert Underway(site.config.report_file).abandoned == ()
    site.close()


def test_the_next_worker_says_what_was_cut_off(tmp_path):
    file = str(tmp_path / "report")
    former = Underway(file)
    former.begin(former.take_place(), TRANSFER)
    former.close()
    site = Site(tmp_path, report_file=file, receipts_dir=str(tmp_path / "receipts"))
    server = Server(Silent(), Doorkeeper(site.config), Report(""), site.storage)
    server.stop()
    server.serve()
    assert 'peer=192.0.2.1 calling="PACS" called="HEART" cut_off="1.2.3" outcome="worker killed"' in run_log(site)
    (receipt,) = [json.loads(line) for data in site.files("receipts").values() for line in data.splitlines()]
    assert (receipt["event"], receipt["instance"], receipt["move_id"]) == ("cut off", "1.2.3", 7)


class Silent:
    """A listening socket that nobody connects to."""

    def setblocking(self, flag):
        pass

    def fileno(self):
        return 0

    def close(self):
        pass


def run_log(site):
    return (site.root / "log" / "listen.run.log").read_text()


def test_an_association_that_ends_within_an_image_has_it_in_its_tally(tmp_path):
    site = Site(tmp_path)
    _, connection = site.connect(REQUEST, image(1)[:-10])
    assert connection.tally.cut_off == CutOff("1.2.3.1", len(data_set("1.2.3.1", number="1")) - 10)
    _, connection = site.connect(REQUEST, image(1), RELEASE_RQ)
    assert connection.tally.cut_off is None
    site.close()


def parsed(line):
    """A line's words, as a reader of logs would take them apart."""
    assert line.endswith("\n") and line.count("\n") == 1 and line.isascii()
    when, *words = shlex.split(line)
    assert datetime.fromisoformat(when) == WHEN
    pairs = [word.split("=", 1) for word in words]
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(pairs)


@given(st.text(), st.text(), st.text(), st.text())
def test_each_line_of_the_run_log_can_be_parsed_whatever_a_peer_sends(calling, called, instance, outcome):
    cut_off = CutOff(instance, 5)
    common = {"now": WHEN, "service": "heart", "peer": "fe80::1%eth0", "calling_ae": calling, "called_ae": called}
    line = parsed(format_line(**common, images=1, size_bytes=2, refused=3, outcome=outcome, cut_off=cut_off))
    names = [
        "service",
        "peer",
        "calling",
        "called",
        "images",
        "bytes",
        "refused",
        "cut_off",
        "cut_off_bytes",
        "outcome",
    ]
    assert list(line) == names
    assert (line["images"], line["refused"], line["cut_off_bytes"]) == ("1", "3", "5")
    assert list(parsed(format_abandoned(**common, cut_off=CutOff(instance, None))))[-1] == "outcome"
    refused = parsed(format_refusal(now=WHEN, service="heart", peer="fe80::1%eth0", why=outcome, said=("HOST",)))
    assert refused["service"] == "heart"
