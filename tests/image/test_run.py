"""The image is run as the original's was: its arguments, ports, volumes and networks, and under any user."""

import json

import pytest
from engine import health_check, run_once, running

PACS = {"orthanc": {"serverIP": "%HOST_IP", "serverPort": "4242", "aec": "ORTHANC", "aet": 'it\'s a "title"; $HOME'}}
GET_PACS = json.dumps({"action": "internalctl", "meta": {"var": "/PACS/orthanc", "get": "value"}})
RUN_FILE = "/var/lib/pfdcm/pfdcm.run"
READ_ONLY = ("--read-only", "--cap-drop", "all")


def test_the_version_is_found_by_grep():
    assert run_once("--version").stdout.startswith("Version: ")


def test_quotes_in_set_pacs_survive():
    reply = json.loads(run_once("--setPACS", json.dumps(PACS), "--msg", GET_PACS).stdout)
    assert reply["d_ret"]["PACS"]["orthanc"] == PACS["orthanc"]


def test_host_ip_is_filled_in():
    done = run_once("--setPACS", json.dumps(PACS), "--msg", GET_PACS, options=("-e", "HOST_IP=192.0.2.7"))
    assert json.loads(done.stdout)["d_ret"]["PACS"]["orthanc"]["serverIP"] == "192.0.2.7"


def test_an_argument_that_is_not_known_is_refused_with_status_2():
    done = run_once("--frobnicate", check=False)
    assert done.returncode == 2
    assert "--frobnicate" in done.stderr


def test_it_says_that_it_is_open_to_all_and_how_to_narrow_it():
    with running() as pfdcm:
        assert "open on every interface" in pfdcm.log
        assert "-p 127.0.0.1:4055:4055" in pfdcm.log


def test_debug_is_taken():
    with running("--debug") as pfdcm:
        assert pfdcm.ask("internalctl", {"var": "/this/verbosity", "get": "value"})["d_ret"] == {"/this/verbosity": 2}


@pytest.mark.parametrize(
    "options",
    [
        (*READ_ONLY, "-v", "/home:/Users"),
        (*READ_ONLY, "--security-opt", "no-new-privileges"),
        ("--user", "0"),
        ("--user", "12345"),
        (*READ_ONLY, "--user", "12345"),
        (*READ_ONLY, "--user", "12345:12345", "--tmpfs", "/tmp", "-e", "PFDCM_DICOM_DIR=/tmp/dicom"),
    ],
    ids=" ".join,
)
def test_it_is_ready_with_its_listener_under(options):
    with running("--startlistener", options=options) as pfdcm:
        pfdcm.wait_for_listener()
        said = pfdcm.execute("pfdcm-ready").stdout
        assert said == "pfdcm answers on port 4055, dicomlistener on port 10402\n"
        pfdcm.stop()
        assert pfdcm.exit_code == 0, pfdcm.log


def test_on_the_hosts_network():
    with running(publish=False) as pfdcm:
        pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": str(pfdcm.dicom_port)})
        pfdcm.start_listener()
        assert pfdcm.execute("pfdcm-ready").stdout.endswith(f"dicomlistener on port {pfdcm.dicom_port}\n")


def test_the_health_check_is_the_readiness():
    assert health_check()["Test"] == ["CMD", "pfdcm-ready"]
    with running() as pfdcm:
        assert pfdcm.execute("pfdcm-ready").returncode == 0
        pfdcm.python(f"import json, os, signal; os.kill(json.load(open('{RUN_FILE}'))['pid'], signal.SIGSTOP)")
        assert pfdcm.execute("pfdcm-ready", "--seconds", "1", check=False).returncode == 1
