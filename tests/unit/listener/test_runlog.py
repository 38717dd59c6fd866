"""listen.run.log."""

import os
from datetime import UTC, datetime

from scripted import run_all

from listener.runlog import append_line, format_line, printable

LINE = {
    "now": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "service": "dicomlistener",
    "peer": "192.0.2.1",
    "images": 3,
    "size_bytes": 4096,
    "refused": 1,
    "outcome": "released",
}


def test_a_line():
    assert format_line(**LINE, calling_ae="SENDER", called_ae="ANY") == (
        "2026-01-02T03:04:05+00:00 service=dicomlistener peer=192.0.2.1"
        ' calling="SENDER" called="ANY" images=3 bytes=4096 refused=1 outcome="released"\n'
    )


def test_what_a_peer_sends_cannot_forge_a_line():
    line = format_line(**LINE, calling_ae='A"\n2026 forged', called_ae="\x1b[31m\ufffd" + "x" * 500)
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert line.count('"') == 6
    assert len(line) < 400
    assert printable("a\nb\tc") == "a?b?c"


def test_the_log_is_bounded(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    line = "x" * 99 + "\n"
    run_all(*[lambda: [append_line(fd, line, 5000) for _ in range(100)]] * 4)
    os.close(fd)
    current, previous = tmp_path / "listen.run.log", tmp_path / "listen.run.log.1"
    assert 100 <= current.stat().st_size <= 5000
    assert previous.stat().st_size == 5000
    assert set(current.read_text().splitlines()) == {"x" * 99}
