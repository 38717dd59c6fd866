"""admission.jsonl: lines that are JSON whatever a peer sends."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from listener.admissionlog import format_admission

NOW = datetime(2026, 11, 22, 12, 0, 0, 5000, tzinfo=UTC)


def test_a_line_tells_who_came_and_what_became_of_it():
    line = format_admission(
        now=NOW,
        service="ward",
        address="10.0.0.5",
        is_admitted=True,
        reason="released",
        calling_ae="CT1",
        called_ae="CHIPS",
        images=3,
        size_bytes=300,
        images_refused=1,
        seconds=1.23456,
    )
    assert json.loads(line) == {
        "time": "2026-11-22T12:00:00.005+00:00",
        "what": "admission",
        "outcome": "admitted",
        "service": "ward",
        "address": "10.0.0.5",
        "calling": "CT1",
        "called": "CHIPS",
        "reason": "released",
        "images": 3,
        "bytes": 300,
        "images_refused": 1,
        "seconds": 1.235,
    }


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_whatever_a_peer_calls_itself_a_line_is_one_object(calling, called, reason):
    line = format_admission(
        now=NOW,
        service="s",
        address="::1",
        is_admitted=False,
        reason=reason,
        calling_ae=calling,
        called_ae=called,
    )
    assert line.count("\n") == 1
    assert line.isascii()
    assert json.loads(line)["outcome"] == "refused"
