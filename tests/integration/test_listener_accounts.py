"""What workers tell of images that were not filed, and how these are filed after all."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys

import pytest
from bench.lean import Image, encode, send
from listenerprocess import running_workers, wait_for

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


def element(tag, vr, value):
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def image(number, size=20_000):
    uid = f"1.2.3.{number}"
    return Image(
        CT,
        uid,
        EXPLICIT_LITTLE,
        element(0x00080016, b"UI", CT.encode())
        + element(0x00080018, b"UI", uid.encode())
        + element(0x00100020, b"LO", b"P1")
        + element(0x0020000D, b"UI", b"1.2")
        + element(0x0020000E, b"UI", b"1.2.3")
        + element(0x00200013, b"IS", str(number).encode())
        + struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OW", size)
        + bytes([number % 251]) * size,
    )


def receipts(workers):
    files = (workers.root / "receipts").glob("*.jsonl")
    lines = [line for file in files for line in file.read_text().splitlines()]
    return sorted((json.loads(line) for line in lines), key=lambda receipt: receipt["t"])


@pytest.fixture
def config(tmp_path):
    return {"report_file": str(tmp_path / "site" / "report"), "receipts_dir": str(tmp_path / "site" / "receipts")}


def test_a_killed_workers_image_is_told_of_by_the_next(tmp_path, config):
    with running_workers(tmp_path / "site", 1, **config) as workers:
        encoded = encode([image(1), image(2, size=3_000_000)])
        with socket.create_connection(("127.0.0.1", workers.port), timeout=30) as sock:
            sock.sendall(encoded.associate)
            assert sock.recv(1) == b"\x02"
            sock.sendall(encoded.messages[0] + encoded.messages[1][:1_000_000])
            wait_for(lambda: len(receipts(workers)) == 1, "the first is filed")
            wait_for(lambda: workers.incoming() == 1, "the second is on its way")
            workers.kill(workers.processes[0])
        workers.start_another()
        wait_for(lambda: 'cut_off="1.2.3.2" outcome="worker killed"' in workers.run_log(), "its line")
        assert [(each["event"], each["instance"]) for each in receipts(workers)] == [
            ("filed", "1.2.3.1"),
            ("cut off", "1.2.3.2"),
        ]
        assert len(workers.images()) == 1


def test_an_association_that_breaks_off_is_told_of_with_its_bytes(tmp_path, config):
    with running_workers(tmp_path / "site", 1, **config) as workers:
        encoded = encode([image(2, size=3_000_000)])
        with socket.create_connection(("127.0.0.1", workers.port), timeout=30) as sock:
            sock.sendall(encoded.associate)
            assert sock.recv(1) == b"\x02"
            sock.sendall(encoded.messages[0][:1_000_000])
            wait_for(lambda: workers.incoming() == 1, "it is on its way")
        wait_for(lambda: 'cut_off="1.2.3.2" cut_off_bytes=' in workers.run_log(), "its line")
        (told,) = receipts(workers)
        assert (told["event"], told["instance"]) == ("cut off", "1.2.3.2")
        assert 0 < told["bytes"] <= 1_000_000


def test_what_is_in_quarantine_is_replayed_while_the_service_receives(tmp_path, config):
    with running_workers(tmp_path / "site", 1, **config) as workers:
        obstacle = workers.root / "data"
        wait_for(obstacle.is_dir, "the data directory")
        (obstacle / "P1-no.value.provided").write_text("in the way")
        with pytest.raises(RuntimeError):
            send("127.0.0.1", workers.port, encode([image(1)]))
        wait_for(lambda: [each["event"] for each in receipts(workers)] == ["quarantined"], "it is in quarantine")
        assert len(list((workers.root / "quarantine").glob("*.dcm"))) == 1
        (obstacle / "P1-no.value.provided").unlink()
        with socket.create_connection(("127.0.0.1", workers.port), timeout=30) as sock:
            encoded = encode([image(2)])
            sock.sendall(encoded.associate + encoded.messages[0])
            wait_for(lambda: len(workers.images()) == 1, "another image of the series is filed")
            replay = [sys.executable, "-m", "listener.cli", "replay", "--config", str(workers.root / "listener.json")]
            ended = subprocess.run([*replay, "--all"], capture_output=True, text=True, timeout=60, check=False)
            assert (ended.returncode, ended.stderr) == (0, "")
            assert ended.stdout.endswith("1 filed, 0 not\n")
            assert len(workers.images()) == 2
            # the other association has the series open still
            assert workers.named("receiving.series")
            assert not workers.named("series.info")
        wait_for(lambda: workers.named("series.info"), "the series is received")
        assert [each["event"] for each in receipts(workers)] == ["quarantined", "filed", "filed"]
        assert receipts(workers)[-1]["reason"] == "from quarantine"
        os.kill(workers.processes[0].pid, signal.SIGTERM)
        assert workers.processes[0].wait(20) == 0
