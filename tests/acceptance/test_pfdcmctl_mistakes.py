"""What people get wrong at first is answered with what to do: pfdcmctl against a real pfdcm."""

import contextlib
import json
import socket
import threading

import pytest
from pfdcmprocess import free_port, run_to_end, running

from pfdcmd.ctl.cli import main
from pfdcmd.ctl.problems import EXIT_OK, EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE

pytestmark = pytest.mark.acceptance
PACS = ["--host", "127.0.0.1", "--port", "1", "--aec", "ORTHANC", "--aet", "CHIPS"]


@pytest.fixture(scope="module")
def pfdcm(tmp_path_factory):
    with running(tmp_path_factory.mktemp("pfdcm"), "--forever", "--httpResponse") as pfdcm:
        yield pfdcm


@pytest.fixture
def ctl(pfdcm, monkeypatch, tmp_path, capsys):
    """Run pfdcmctl. Returns: the exit status, what it printed, what it said beside that."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SERVER", "TOKEN", "TOKEN_FILE", "PACS", "CONFIG", "TIMEOUT"):
        monkeypatch.delenv(f"PFDCMCTL_{name}", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    def run(*arguments, server=f"http://127.0.0.1:{pfdcm.port}"):
        status = main(["--server", server, *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    assert run("pacs", "add", "orthanc", *PACS)[0] == EXIT_OK
    return run


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        pytest.param(["find", "--pacs", "orthank"], EXIT_REFUSED, "Did you mean orthanc?", id="an unknown PACS"),
        pytest.param(["doctor", "orthank"], EXIT_REFUSED, "pfdcmctl pacs add orthank", id="an unknown PACS to examine"),
        pytest.param(["find", "--level", "serie"], EXIT_USAGE, "'series'", id="a level that does not exist"),
        pytest.param(["find", "--study", "1.2.x"], EXIT_USAGE, "digits and dots", id="what is no UID"),
        pytest.param(["retrieve", "--study", "1.2.*"], EXIT_USAGE, "digits and dots", id="a UID with a wildcard"),
        pytest.param(["find", "-k", "PatientNme=DOE"], EXIT_REFUSED, "PatientName", id="a key that does not exist"),
        pytest.param(["find", "-k", "=DOE"], EXIT_USAGE, "-k PatientName=DOE*", id="a value without a key"),
        pytest.param(["find", "--date", "31.12.2024"], EXIT_USAGE, "2024-01-31", id="a date of another country"),
        pytest.param(
            ["call", "tree.get", "{path: /}"], EXIT_USAGE, '{"path": "/PACS"}', id="parameters that are no JSON"
        ),
        pytest.param(["call", "tree.gte"], EXIT_REFUSED, "Did you mean tree.get?", id="a method that does not exist"),
        pytest.param(["call", "tree.get"], EXIT_REFUSED, "path", id="a parameter that is missing"),
        pytest.param(["tre", "get"], EXIT_USAGE, "Did you mean tree?", id="a command that does not exist"),
        pytest.param(["tree", "gte"], EXIT_USAGE, "Did you mean get?", id="a subcommand that does not exist"),
        pytest.param(["find", "--patientid", "1"], EXIT_USAGE, "--patient-id", id="an option that does not exist"),
        pytest.param(
            ["find", "--csv", "-o", "/nowhere/x.csv"], EXIT_USAGE, "--output FILE", id="a file that cannot be"
        ),
        pytest.param(["find", "-o", "x.csv"], EXIT_USAGE, "--csv --output x.csv", id="a file for a table"),
        pytest.param(["retrieve"], EXIT_USAGE, "--study UID", id="nothing to retrieve"),
        pytest.param(["status"], EXIT_USAGE, "pfdcmctl jobs", id="no job"),
        pytest.param(["status", "nojob"], EXIT_REFUSED, "pfdcmctl jobs", id="a job that does not exist"),
        pytest.param(
            ["tree", "get", "/PACS/orthanx"], EXIT_REFUSED, "pfdcmctl tree list", id="a path that does not exist"
        ),
        pytest.param(["pacs", "add", "x", "--port", "70000"], EXIT_USAGE, "65535", id="a port that does not exist"),
        pytest.param(["pacs", "echo", "orthanc"], EXIT_REFUSED, "serverPort", id="a PACS that is not there"),
        pytest.param(
            ["listener", "restart", "nosuch"], EXIT_REFUSED, "pfdcmctl listener list", id="an unknown service"
        ),
        pytest.param(["--token-file", "/nowhere/token", "health"], EXIT_USAGE, "/nowhere/token", id="no token file"),
        pytest.param(["--timeout", "soon", "health"], EXIT_USAGE, "--timeout", id="a time that is none"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(ctl, arguments, status, said):
    exit_status, printed, beside = ctl(*arguments)
    assert said in beside.replace("\n", " ")
    assert exit_status == status
    assert printed == ""
    assert "Traceback" not in beside


def test_without_a_listener_one_can_be_started(ctl):
    nothing = ctl("listener", "list")
    assert (nothing[0], nothing[1]) == (EXIT_OK, "")
    assert "pfdcmctl listener start" in nothing[2]
    assert ctl("tree", "set", "/xinetd/servicePort", str(free_port()))[0] == EXIT_OK
    assert ctl("listener", "start")[0] == EXIT_OK
    assert "dicomlistener" in ctl("listener", "list")[1]
    assert ctl("listener", "start", "dicomlistener")[0] == EXIT_OK


def test_nobody_at_the_port(ctl):
    status, _, beside = ctl("health", server=f"http://127.0.0.1:{free_port()}")
    assert status == EXIT_UNREACHABLE
    assert "Connection refused" in beside
    assert "--server URL, or PFDCMCTL_SERVER" in beside


def test_a_machine_that_does_not_exist(ctl):
    status, _, beside = ctl("health", server="http://no-such-host.invalid")
    assert status == EXIT_UNREACHABLE
    assert "There is no machine 'no-such-host.invalid'" in beside


def test_a_server_that_does_not_speak_tls(ctl, pfdcm):
    status, _, beside = ctl("health", server=f"https://127.0.0.1:{pfdcm.port}")
    assert status == EXIT_UNREACHABLE
    assert "http:// or https://?" in beside


@contextlib.contextmanager
def answering(text):
    """A port whose one caller is answered with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(text)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.0 404 Not Found\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
def test_a_port_that_is_not_pfdcms(ctl, text):
    with answering(text) as server:
        status, _, beside = ctl("health", server=server)
    assert status == EXIT_UNREACHABLE
    assert "Check --server" in beside


def test_a_pfdcm_that_wants_a_token(ctl, tmp_path):
    made = dict(line.split(":", 1) for line in run_to_end("--makeToken", "reader", "read").stdout.splitlines())
    (tmp_path / "tokens").write_text(made["line"].strip() + "\n")
    (tmp_path / "mine").write_text(made["token"].strip() + "\n")
    for name in ("tokens", "mine"):
        (tmp_path / name).chmod(0o600)
    options = ("--enableTokenAuth", "--tokenPath", str(tmp_path / "tokens"))
    with running(tmp_path / "site", "--forever", "--httpResponse", *options) as guarded:
        server = f"http://127.0.0.1:{guarded.port}"
        without = ctl("pacs", "list", server=server)
        assert ctl("--token-file", str(tmp_path / "mine"), "pacs", "list", server=server)[0] == EXIT_OK
        too_little = ctl("--token-file", str(tmp_path / "mine"), "tree", "set", "/x", "1", server=server)
    assert without[0] == too_little[0] == EXIT_REFUSED
    assert "--token-file FILE, or PFDCMCTL_TOKEN" in without[2]
    assert "right" in too_little[2]


def test_every_command_prints_one_document_with_json(ctl):
    for arguments in (
        ["tree", "get", "/"],
        ["tree", "list"],
        ["pacs", "list"],
        ["jobs"],
        ["listener", "list"],
        ["health"],
    ):
        _, printed, _ = ctl(*arguments, "--json")
        json.loads(printed)
