import hashlib
import hmac
import json
import logging
import stat
from datetime import UTC, datetime

import pytest

from pfdcmd.actions.audited import DONE
from pfdcmd.actions.caller import Caller, Right
from pfdcmd.edge.audit import KEPT_FILES, Audit, load_key
from pfdcmd.errors import AccessRefused, AuditFault, ParameterFault

CALLER = Caller("ward-3", Right.READ, "10.0.0.7", "r-1")


def noon():
    return datetime(2026, 11, 22, 12, 0, 0, 5000, UTC)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_who_asked_for_what_and_what_came_of_it(tmp_path):
    path = tmp_path / "audit.jsonl"
    audit = Audit(path, now=noon)
    with audit.recording(CALLER, "query") as entry:
        entry.details |= {"pacs": "main", "uids": ["1.2"]}
        entry.outcome = DONE
    with pytest.raises(AccessRefused), audit.recording(CALLER, "hello"):
        raise AccessRefused
    with pytest.raises(KeyError), audit.recording(CALLER, "copy"):
        raise KeyError
    with audit.recording(CALLER, "hello"):
        pass
    done, refused, failed = lines(path)
    assert done.pop("milliseconds") >= 0
    assert done == {
        "time": "2026-11-22T12:00:00.005Z",
        "request": "r-1",
        "caller": "ward-3",
        "address": "10.0.0.7",
        "what": "query",
        "outcome": "done",
        "pacs": "main",
        "uids": ["1.2"],
    }
    assert (refused["what"], refused["outcome"], failed["outcome"]) == ("hello", "refused", "failed")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_with_a_key_uids_are_hashed_and_nothing_else(tmp_path):
    path, key = tmp_path / "audit.jsonl", b"0123456789abcdef"
    Audit(path, key=key).record(CALLER, "copy", DONE, {"uids": ["1.2.3"], "path": "/out"})
    (line,) = lines(path)
    assert line["uids"] == [hmac.new(key, b"1.2.3", hashlib.sha256).hexdigest()]
    assert line["path"] == "/out"


def test_what_is_written_forges_no_line(tmp_path):
    path = tmp_path / "audit.jsonl"
    Audit(path).record(CALLER, "copy", DONE, {"path": '/x\n{"what": "forged"}\x1b[2J\u2028\ud800'})
    assert len(lines(path)) == 1
    assert b"\x1b" not in path.read_bytes()


def test_a_full_file_is_put_aside_and_the_oldest_goes(tmp_path):
    path = tmp_path / "audit.jsonl"
    audit = Audit(path, max_file_bytes=1)
    for number in range(KEPT_FILES + 3):
        audit.record(CALLER, str(number), DONE, {})
    names = sorted(file.name for file in tmp_path.iterdir())
    assert len(names) == KEPT_FILES
    assert lines(tmp_path / "audit.jsonl.1")[0]["what"] == str(KEPT_FILES + 2)


def test_what_cannot_be_written_is_logged_once_and_stops_nothing_unless_required(tmp_path, caplog):
    directory = tmp_path / "not there"
    audit = Audit(directory / "audit.jsonl")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            audit.record(CALLER, "query", DONE, {})
    assert len(caplog.records) == 1
    required, done = Audit(directory / "audit.jsonl", is_required=True), []
    with pytest.raises(AuditFault), required.recording(CALLER, "query"):
        done.append("without an audit")
    directory.mkdir()
    with required.recording(CALLER, "query"):
        done.append("with one")
    assert done == ["with one"]
    assert [line["what"] for line in lines(directory / "audit.jsonl")] == ["audit", "query"]


def test_a_link_in_its_place_is_not_followed(tmp_path):
    target = tmp_path / "target"
    (tmp_path / "audit.jsonl").symlink_to(target)
    Audit(tmp_path / "audit.jsonl").record(CALLER, "query", DONE, {})
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [(b"short", 0o600, "16 to 4096"), (b"x" * 5000, 0o600, "16 to 4096"), (b"x" * 32, 0o644, "chmod 0600")],
)
def test_a_key_that_is_none_is_refused(tmp_path, content, mode, words):
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(ParameterFault, match=words):
        load_key(path)
    with pytest.raises(ParameterFault, match="cannot be read"):
        load_key(tmp_path / "none")


def test_a_key_ends_before_its_line_feed(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"0123456789abcdef\n")
    path.chmod(0o600)
    assert load_key(path) == b"0123456789abcdef"
