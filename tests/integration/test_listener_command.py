"""The command pfdcm-listener."""

import contextlib
import re
import signal
import socket
import subprocess
import sys

import pytest
from listenerprocess import wait_for

COMMAND = [sys.executable, "-m", "listener.cli"]


def run(*arguments):
    return subprocess.run(
        [*COMMAND, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
    )


def test_help_teaches_every_key():
    shown = run("--help").stdout
    for flag in ("--config", "-t", "-l", "-d", "--ack", "--max-image-bytes", "--idle-timeout-seconds", "storescu"):
        assert flag in shown


@pytest.mark.parametrize("arguments", [["--port", "x"], ["--ack", "maybe"], ["--config", "/nonexistent"]])
def test_what_cannot_be_used_is_said_in_one_line(arguments):
    ended = run(*arguments)
    assert ended.returncode == 2
    assert ended.stderr.startswith("pfdcm-listener: ")
    assert ended.stderr.count("\n") == 1


def test_a_port_in_use_is_said(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        directories = ["-d", str(tmp_path / "d"), "-l", str(tmp_path / "l"), "-t", str(tmp_path / "t")]
        ended = run("--port", str(taken.getsockname()[1]), *directories)
    assert ended.returncode == 1
    assert "in use" in ended.stderr


def test_px_listens_command_line_binds_a_port_itself(tmp_path):
    errors = (tmp_path / "err").open("w+")
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "-t", f"{tmp_path}/t", "-l", f"{tmp_path}/l", "-d", f"{tmp_path}/d", "-e", "x"],
        stdin=subprocess.DEVNULL,
        stderr=errors,
    )
    try:
        said = wait_for(
            lambda: re.search(r"'127\.0\.0\.1', (\d+)\), bound here", (tmp_path / "err").read_text()), "it listens"
        )
        with socket.create_connection(("127.0.0.1", int(said[1])), timeout=10):
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
        errors.close()


@contextlib.contextmanager
def a_worker_in_whose_way_is_a_file(tmp_path):
    """Yields the process, and what its log says as a function, once it has said that it cannot serve yet."""
    (tmp_path / "disk").write_text("in the way")
    with (tmp_path / "err").open("w") as errors:
        process = subprocess.Popen(
            [*COMMAND, "--port", "0", "-t", f"{tmp_path}/t", "-l", f"{tmp_path}/l", "-d", f"{tmp_path}/disk/d"],
            stdin=subprocess.DEVNULL,
            stderr=errors,
        )
    log = (tmp_path / "err").read_text
    try:
        wait_for(lambda: "cannot serve yet" in log(), "it says why")
        yield process, log
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)


def test_a_worker_whose_directory_cannot_be_made_waits_for_it_and_then_serves(tmp_path):
    with a_worker_in_whose_way_is_a_file(tmp_path) as (process, log):
        (tmp_path / "disk").unlink()
        wait_for(lambda: "bound here" in log(), "it serves")
        assert (tmp_path / "disk" / "d").is_dir()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_sigterm_ends_a_worker_that_waits_for_its_directories(tmp_path):
    with a_worker_in_whose_way_is_a_file(tmp_path) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == -signal.SIGTERM
