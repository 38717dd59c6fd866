"""pfdcm-ready against a real pfdcm, with and without its listener, and after its death."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from pfdcmprocess import environment, free_port, running

PROGRAM = str(Path(sys.executable).with_name("pfdcm-ready"))
SECONDS = 30


def ready(directory, *, by_environment=False):
    state = str(directory / "state")
    return subprocess.run(
        [PROGRAM] if by_environment else [PROGRAM, "--stateDir", state],
        env=environment(**({"PFDCM_STATE_DIR": state} if by_environment else {})),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def ask(directory, expected):
    """Ask until the exit status is the expected one."""
    deadline = time.monotonic() + SECONDS
    while (answer := ready(directory)).returncode != expected:
        assert time.monotonic() < deadline, answer
    return answer


def test_nothing_is_not_ready(tmp_path):
    answer = ready(tmp_path)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("not ready: No pfdcm has announced itself")


@pytest.mark.parametrize("framing", [[], ["--httpResponse"]])
@pytest.mark.parametrize("by_environment", [False, True])
def test_it_is_ready_in_either_framing_until_it_ends(tmp_path, framing, by_environment):
    with running(tmp_path, "--forever", *framing) as pfdcm:
        answer = ask(tmp_path, 0)
        assert answer.stdout == f"pfdcm answers on port {pfdcm.port}\n"
        assert ready(tmp_path, by_environment=by_environment).returncode == 0
    assert ready(tmp_path, by_environment=by_environment).returncode == 1


def test_asking_does_not_use_up_the_one_request(tmp_path):
    with running(tmp_path, "--httpResponse") as pfdcm:
        ask(tmp_path, 0)
        assert ready(tmp_path).returncode == 0
        assert pfdcm.ask("hello", {"askAbout": "timestamp"})["status"] is True
        assert pfdcm.wait() == 0


def test_a_killed_pfdcm_is_not_ready(tmp_path):
    with running(tmp_path, "--forever") as pfdcm:
        ask(tmp_path, 0)
        pfdcm.send_signal(signal.SIGKILL)
        pfdcm.wait()
        assert "does not answer" in ready(tmp_path).stderr


def test_a_listener_that_was_started_must_answer(tmp_path):
    port = str(free_port())
    with running(tmp_path, "--forever", "--httpResponse") as pfdcm:
        pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": port})
        assert pfdcm.ask("xinetd", {"object": "service", "do": "everything"})["status"] is True
        assert ask(tmp_path, 0).stdout.endswith(f", dicomlistener on port {port}\n")
        supervisord = psutil.Process(int((tmp_path / "state" / "supervisord.pid").read_text()))
        for process in [supervisord, *supervisord.children(recursive=True)]:
            os.kill(process.pid, signal.SIGKILL)
        assert f"dicomlistener does not serve port {port}" in ask(tmp_path, 1).stderr
        assert ask(tmp_path, 0).stdout.endswith(f", dicomlistener on port {port}\n")


def test_a_listener_of_an_earlier_life_is_not_waited_for(tmp_path):
    """The state directory outlives a container, its processes do not."""
    port = str(free_port())
    with running(tmp_path, "--forever") as pfdcm:
        pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": port})
        assert pfdcm.ask("xinetd", {"object": "service", "do": "everything"})["status"] is True
    with running(tmp_path, "--forever"):
        assert "dicomlistener" not in ask(tmp_path, 0).stdout


def test_a_listener_that_was_asked_for_and_failed_is_not_ready(tmp_path):
    (tmp_path / "dicom").write_text("in the way")
    with running(tmp_path, "--forever", "--startlistener"):
        assert "The listener has not been started" in ask(tmp_path, 1).stderr


@pytest.mark.parametrize(("address", "is_told"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_a_port_on_every_interface_is_told_with_how_to_narrow_it(tmp_path, address, is_told):
    with running(tmp_path, "--forever", env={"PFDCM_IP_SELF": address}) as pfdcm:
        assert ask(tmp_path, 0)
    assert ("open on every interface" in pfdcm.log and "--ipSelf" in pfdcm.log) is is_told
