"""The command line, run as a program."""

import json
import stat

import pytest
from pfdcmprocess import places, run_to_end

from pfdcmd import __version__

GET_PORT = {"action": "internalctl", "meta": {"var": "/xinetd/servicePort", "get": "value"}}


def test_version_is_what_scripts_grep():
    done = run_to_end("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"Version: {__version__}\n", "")


@pytest.mark.parametrize("flag", ["--desc", "-x"])
def test_desc_is_the_banner(flag):
    done = run_to_end(flag)
    assert done.returncode == 0
    assert __version__ in done.stdout
    assert "Path-File-DICOM" in done.stdout


@pytest.mark.parametrize("flag", ["--synopsis", "-y"])
def test_synopsis(flag):
    assert run_to_end(flag).stdout.startswith("pfdcm --forever --httpResponse")


def test_help_teaches():
    done = run_to_end("--help")
    assert done.returncode == 0
    for words in ("examples:", "exit status:", "--setPACS JSON", "(default: 4055)", "PFDCM_SETTINGS_FILE"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        (["--nosuch"], {}, "--nosuch"),
        (["--port", "1"], {}, "--port"),
        (["--portSelf", "http"], {}, "port_self must be a number"),
        (["--portSelf", "70000"], {}, "at most 65535"),
        (["--requestSeconds", "0"], {}, "at least 0.1"),
        (["--settingsFile", "/no/such"], {}, "/no/such"),
        (["--enableTokenAuth"], {}, "needs --tokenPath"),
        (["--enableTokenAuth", "--tokenPath", "/nowhere/tokens"], {}, "tokens cannot be read"),
        (["--makeToken", "ward", "root"], {}, "read, operate or admin"),
        (["--tokenPath", "/x"], {}, "without --enableTokenAuth"),
        (["surplus"], {}, "surplus"),
        ([], {"PFDCM_NOSUCH": "1"}, "PFDCM_NOSUCH"),
        ([], {"PFDCM_FOREVER": "perhaps"}, "forever must be yes or no"),
        ([], {"PFDCM_SETTINGS_FILE": "/no/such"}, "/no/such"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(arguments, env, words):
    done = run_to_end(*arguments, env=env)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_show_settings_is_a_settings_file(tmp_path):
    shown = run_to_end("--portSelf", "1234", "--showSettings", env={"PFDCM_IP_SELF": "0.0.0.0"}).stdout
    file = tmp_path / "pfdcm.conf"
    file.write_text(shown)
    again = run_to_end("--settingsFile", file, "--showSettings")
    assert again.stdout == shown
    assert "port_self = 1234\n" in shown
    assert "ip_self = 0.0.0.0\n" in shown
    assert run_to_end("--showSettings", env={"PFDCM_SETTINGS_FILE": str(file)}).stdout == shown


def test_msg_prints_its_reply(tmp_path):
    done = run_to_end(*places(tmp_path), "--server", "--msg", json.dumps({"payload": GET_PORT}))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"d_ret": {"/xinetd/servicePort": "10402"}, "status": True}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


@pytest.mark.parametrize("message", ["{", "[]", '{"action": "nosuch", "meta": {}}', b'{"action": "\xff"}'])
def test_msg_that_fails_is_status_1(tmp_path, message):
    text = message if isinstance(message, str) else message.decode("utf-8", "surrogateescape")
    done = run_to_end(*places(tmp_path), "--msg", text)
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] is False


def test_msg_that_changes_the_tree_saves_it(tmp_path):
    saved = tmp_path / "tree.json"
    options = (*places(tmp_path), "--configFileLoad", saved, "--configFileSave", saved)
    change = {"action": "internalctl", "meta": {"var": "/xinetd/servicePort", "set": "11112"}}
    assert run_to_end(*options, "--msg", json.dumps(change)).returncode == 0
    assert json.loads(saved.read_text())["xinetd"]["servicePort"] == "11112"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    done = run_to_end(*options, "--msg", json.dumps(GET_PORT))
    assert json.loads(done.stdout)["d_ret"] == {"/xinetd/servicePort": "11112"}


@pytest.mark.parametrize("text", ["{broken", "[]", '{"a": {"": 1}}'])
def test_a_broken_saved_tree_is_refused_and_left_alone(tmp_path, text):
    saved = tmp_path / "tree.json"
    saved.write_text(text)
    options = (*places(tmp_path), "--configFileLoad", saved, "--configFileSave", saved)
    done = run_to_end(*options, "--msg", json.dumps(GET_PORT))
    assert done.returncode == 2
    assert str(saved) in done.stderr
    assert "Traceback" not in done.stderr
    assert saved.read_text() == text


def test_test_checks_and_opens_nothing(tmp_path):
    assert run_to_end(*places(tmp_path), "--test").returncode == 0
    assert run_to_end(*places(tmp_path), "--test", "--configFileLoad", tmp_path).returncode == 2
    assert not (tmp_path / "state").exists()


def test_an_unusable_state_directory_is_one_line_and_status_1(tmp_path):
    (tmp_path / "file").write_text("")
    done = run_to_end("--stateDir", tmp_path / "file" / "state", "--msg", json.dumps(GET_PORT))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "state" in done.stderr


def test_debug_to_dir_logs_there_as_well(tmp_path):
    run_to_end(
        *places(tmp_path), "--setPACS", "{not json", "--debugToDir", tmp_path / "log", "--msg", json.dumps(GET_PORT)
    )
    assert "--setPACS is not used" in (tmp_path / "log" / "pfdcm.log").read_text()


def test_set_pacs_is_replaced_from_the_environment(tmp_path):
    entry = {"orthanc": {"server_ip": "%HOST_IP", "server_port": "4242"}}
    get = {"action": "internalctl", "meta": {"var": "/PACS/orthanc", "get": "value"}}
    for env, expected in (({"HOST_IP": "10.1.2.3"}, "10.1.2.3"), ({}, "%HOST_IP")):
        done = run_to_end(*places(tmp_path), "--setPACS", json.dumps(entry), "--msg", json.dumps(get), env=env)
        assert json.loads(done.stdout)["d_ret"]["PACS"]["orthanc"]["server_ip"] == expected
