"""Who ends the listener: a signal does; quit and kill do not, and the next pfdcm finds it."""

import signal
import socket
import time

import pytest
from pfdcmprocess import free_port, running

pytestmark = pytest.mark.acceptance

EVERYTHING = {"object": "service", "do": "everything"}
DEADLINE_SECONDS = 30


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def start_with_listener(tmp_path, port, *arguments):
    saved = tmp_path / "tree.json"
    saved.write_text(f'{{"xinetd": {{"servicePort": "{port}"}}}}')
    return running(tmp_path, "--forever", "--configFileLoad", str(saved), *arguments)


def test_startlistener_brings_it_up_and_a_signal_ends_it(tmp_path):
    port = free_port()
    with start_with_listener(tmp_path, port, "--startlistener") as pfdcm:
        assert (
            pfdcm.ask("internalctl", {"var": "/this/args/b_xinetd", "get": 1})["d_ret"]["/this/args/b_xinetd"] is True
        )
        wait_until(lambda: f"the listener serves port {port}" in pfdcm.log)
        assert is_open(port)
        pfdcm.send_signal(signal.SIGTERM)
        assert pfdcm.wait() == 0
        assert not is_open(port)


@pytest.mark.parametrize("is_killed", [False, True], ids=["quit", "kill -9"])
def test_the_listener_outlives_quit_and_kill(tmp_path, is_killed):
    port = free_port()
    with start_with_listener(tmp_path, port) as pfdcm:
        assert pfdcm.ask("xinetd", EVERYTHING)["status"] is True
        if is_killed:
            pfdcm.process.kill()
        else:
            pfdcm.ask("serverctl", {"ctl": {"serverCmd": "quit"}})
        pfdcm.wait()
        assert is_open(port)
        with start_with_listener(tmp_path, port) as second:
            assert second.ask("xinetd", EVERYTHING)["status"] is True
            second.send_signal()
            assert second.wait() == 0
        assert not is_open(port)


def test_pfdcm_goes_on_when_the_listener_does_not_start(tmp_path):
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = other.getsockname()[1]
        with start_with_listener(tmp_path, port, "--startlistener", "--listenerStartSeconds", "3") as pfdcm:
            wait_until(lambda: "the listener did not start" in pfdcm.log)
            assert pfdcm.ask("hello", {"askAbout": "timestamp"})["status"] is True
