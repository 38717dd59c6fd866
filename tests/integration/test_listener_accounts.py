"""What workers tell of images that were not filed, and how these are filed after all."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from bench.lean import encode, send
from listenerprocess import running_workers, wait_for
from smallimages import small_image


def receipts(workers):
    files = (workers.root / "receipts").glob("*.jsonl")
    lines = [line for file in files for line in file.read_text().splitlines()]
    return sorted((json.loads(line) for line in lines), key=lambda receipt: receipt["t"])


@pytest.fixture
def config(tmp_path):
    return {"report_file": str(tmp_path / "site" / "report"), "receipts_dir": str(tmp_path / "site" / "receipts")}


def test_a_killed_workers_image_is_told_of_by_the_next(tmp_path, config):
    with running_workers(tmp_path / "site", 1, **config) as workers:
        encoded = encode([small_image(1), small_image(2, size=3_000_000)])
        with socket.create_connection(("127.0.0.1", workers.port), timeout=30) as sock:
            sock.sendall(encoded.associate)
            assert sock.recv(1) == b"\x02"
            sock.sendall(encoded.messages[0] + encoded.messages[1][:1_000_000])
            wait_for(lambda: len(receipts(workers)) == 1, "the first is filed")
            wait_for(lambda: workers.incoming() == 1, "the second is on its way")
            workers.kill(workers.processes[0])
        workers.start_another()
        wait_for(lambda: 'cut_off="1.2.3.2" outcome="worker killed"' in workers.run_log(), "its line")
        wait_for(lambda: len(receipts(workers)) == 2, "its receipt, which is written after the line")
        assert [(each["event"], each["instance"]) for each in receipts(workers)] == [
            ("filed", "1.2.3.1"),
            ("cut off", "1.2.3.2"),
        ]
        assert len(workers.images()) == 1


def test_an_association_that_breaks_off_is_told_of_with_its_bytes(tmp_path, config):
    with running_workers(tmp_path / "site", 1, **config) as workers:
        encoded = encode([small_image(2, size=3_000_000)])
        with socket.create_connection(("127.0.0.1", workers.port), timeout=30) as sock:
            sock.sendall(encoded.associate)
            assert sock.recv(1) == b"\x02"
            sock.sendall(encoded.messages[0][:1_000_000])
            wait_for(lambda: workers.incoming() == 1, "it is on its way")
        wait_for(lambda: 'cut_off="1.2.3.2" cut_off_bytes=' in workers.run_log(), "its line")
        wait_for(lambda: receipts(workers), "its receipt")
        (told,) = receipts(workers)
        assert (told["event"], told["instance"]) == ("cut off", "1.2.3.2")
        assert 0 < told["bytes"] <= 1_000_000


def test_what_is_in_quarantine_is_replayed_while_the_service_receives(tmp_path, config):
    with running_workers(tmp_path / "site", 1, **config) as workers:
        obstacle = workers.root / "data"
        wait_for(obstacle.is_dir, "the data directory")
        (obstacle / "P1-no.value.provided").write_text("in the way")
        with pytest.raises(RuntimeError):
            send("127.0.0.1", workers.port, encode([small_image(1)]))
        wait_for(lambda: [each["event"] for each in receipts(workers)] == ["quarantined"], "it is in quarantine")
        assert len(list((workers.root / "quarantine").glob("*.dcm"))) == 1
        (obstacle / "P1-no.value.provided").unlink()
        with socket.create_connection(("127.0.0.1", workers.port), timeout=30) as sock:
            encoded = encode([small_image(2)])
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
