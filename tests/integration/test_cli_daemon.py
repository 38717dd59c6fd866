"""The daemon as a process: how it starts, what it keeps, how it ends."""

import json
import signal
import socket
import threading

import pytest
from pfdcmprocess import Pfdcm, free_port, places, run_to_end, running

GET = {"var": "/xinetd/servicePort", "get": "value"}


def test_it_says_where_it_listens(tmp_path):
    port = free_port()
    with running(tmp_path, "--forever", port=port) as pfdcm:
        assert f"listens on http://127.0.0.1:{port}\n" in pfdcm.log


def test_without_forever_it_answers_one_request_and_ends(tmp_path):
    with running(tmp_path, "--httpResponse") as pfdcm:
        assert pfdcm.ask("internalctl", GET)["status"] is True
        assert pfdcm.wait() == 0


@pytest.mark.parametrize("framing", [["--httpResponse"], []])
def test_quit_answers_and_ends(tmp_path, framing):
    with running(tmp_path, "--forever", *framing) as pfdcm:
        for _ in range(3):
            assert pfdcm.ask("internalctl", GET)["status"] is True
        reply = pfdcm.ask("serverctl", {"ctl": {"serverCmd": "quit"}})
        assert reply == {"msg": "Server shut down", "status": True}
        assert pfdcm.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path, number):
    with running(tmp_path, "--forever") as pfdcm:
        pfdcm.send_signal(number)
        assert pfdcm.wait() == 0
        assert "Traceback" not in pfdcm.log
        assert "pfdcm ends" in pfdcm.log


def test_a_second_signal_ends_it_at_once(tmp_path):
    with running(tmp_path, "--forever", "--requestSeconds", "60") as pfdcm:
        peer = socket.create_server(("127.0.0.1", 0))
        entry = {"serverIP": "127.0.0.1", "serverPort": str(peer.getsockname()[1]), "aec": "A", "aet": "B"}
        pfdcm.ask("internalctl", {"var": "/PACS", "set": {"silent": entry}})
        query = {"do": "query", "on": {"PatientID": "1"}, "PACS": "silent"}
        caller = threading.Thread(target=lambda: pfdcm.raw({"action": "PACSinteract", "meta": query}), daemon=True)
        caller.start()
        connection, _ = peer.accept()
        pfdcm.send_signal()
        wait_for_line(pfdcm, "SIGTERM: ending")
        pfdcm.send_signal()
        assert pfdcm.process.wait(2.5) == -signal.SIGTERM
        caller.join(10)
        connection.close()
        peer.close()


def wait_for_line(pfdcm, words):
    deadline = threading.Event()
    for _ in range(400):
        if words in pfdcm.log:
            return
        deadline.wait(0.05)
    raise AssertionError(pfdcm.log)


def test_a_port_in_use_is_one_line_and_status_1(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        pfdcm = Pfdcm(tmp_path, "--forever", port=other.getsockname()[1])
        try:
            assert pfdcm.wait() == 1
            assert pfdcm.log.count("\n") == 1
            assert "is taken" in pfdcm.log
        finally:
            pfdcm.end()


def test_a_change_is_on_disk_when_its_caller_is_told(tmp_path):
    saved = tmp_path / "tree.json"
    with running(tmp_path, "--forever", "--configFileLoad", str(saved), "--configFileSave", str(saved)) as pfdcm:
        assert "starting from the defaults" in pfdcm.log
        for number in range(5):
            pfdcm.ask("internalctl", {"var": "/site/number", "set": number})
            assert json.loads(saved.read_text())["site"]["number"] == number
        pfdcm.process.kill()
        pfdcm.wait()
    with running(tmp_path, "--forever", "--configFileLoad", str(saved)) as pfdcm:
        assert pfdcm.ask("internalctl", {"var": "/site", "get": "value"})["d_ret"] == {"site": {"number": 4}}
        assert (
            pfdcm.ask("internalctl", {"var": "/this/configFileSave", "get": 1})["d_ret"]["/this/configFileSave"] == ""
        )


def test_a_change_that_cannot_be_saved_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with running(tmp_path, "--forever", "--configFileSave", str(tmp_path / "file" / "tree.json")) as pfdcm:
        reply = pfdcm.ask("internalctl", {"var": "/site/number", "set": 1})
        assert reply["status"] is False
        assert "could not be saved" in reply["msg"]
        assert pfdcm.ask("internalctl", {"var": "/site/number", "get": 1})["d_ret"] == {"/site/number": 1}


def test_many_sets_and_gets_at_once(tmp_path):
    saved = tmp_path / "tree.json"
    with running(tmp_path, "--forever", "--httpResponse", "--configFileSave", str(saved)) as pfdcm:
        failed = []

        def change(name):
            for number in range(10):
                entry = {"aec": str(number), "aet": str(number)}
                if not pfdcm.ask("internalctl", {"var": "/PACS", "set": {name: entry}})["status"]:
                    failed.append((name, number))
                got = pfdcm.ask("internalctl", {"var": "/PACS", "get": "value"})["d_ret"]["PACS"]
                failed.extend(
                    one for one in got.values() if "aet" in one and "server_ip" not in one and one["aet"] != one["aec"]
                )

        threads = [threading.Thread(target=change, args=(f"p{index}",)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        content = json.loads(saved.read_text())["PACS"]
        assert all(content[f"p{index}"] == {"aec": "9", "aet": "9"} for index in range(8))


def test_a_second_pfdcm_does_not_take_the_first_ones_state_directory(tmp_path):
    with running(tmp_path, "--forever", "--httpResponse") as first:
        second = run_to_end("--forever", "--portSelf", "0", *places(tmp_path))
        assert second.returncode == 1
        assert f"is in use by the pfdcm on port {first.port}, process {first.process.pid}" in second.stderr
        assert "--stateDir" in second.stderr
        assert first.ask("hello", {"askAbout": "timestamp"})["status"] is True
