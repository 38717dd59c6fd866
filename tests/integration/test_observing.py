"""What operators ask of a real pfdcm: health, readiness, metrics, and its log as JSON."""

import json
import time

import pytest
from pfdcmprocess import running
from prometheus_client.parser import text_string_to_metric_families

SECONDS = 30


def get(pfdcm, path, **headers):
    """Status, headers and body of a GET."""
    head, _, body = pfdcm.raw(b"", method="GET", path=path, headers=headers).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


def metrics(pfdcm):
    status, headers, body = get(pfdcm, "/metrics")
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


@pytest.fixture
def pfdcm(tmp_path):
    with running(tmp_path, "--forever", "--httpResponse") as started:
        yield started


def test_it_is_alive_and_ready(pfdcm):
    assert get(pfdcm, "/healthz")[0] == 200
    status, headers, body = get(pfdcm, "/readyz")
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "application/json")
    assert json.loads(body) == {"ready": True, "checks": {"listeners": "", "state_directory": "", "tree": ""}}


def test_what_is_not_ready_says_why_and_is_alive(tmp_path):
    (tmp_path / "dicom").write_text("in the way")
    with running(tmp_path, "--forever", "--startlistener") as pfdcm:
        status, _, body = get(pfdcm, "/readyz")
        assert (status, json.loads(body)["ready"]) == (503, False)
        assert json.loads(body)["checks"]["listeners"] == "The listener has not been started."
        assert str(tmp_path) not in body.decode()
        assert get(pfdcm, "/healthz")[0] == 200


def test_a_tree_that_cannot_be_saved_is_not_ready(tmp_path):
    (tmp_path / "file").write_text("")
    with running(tmp_path, "--forever", "--configFileSave", str(tmp_path / "file" / "tree.json")) as pfdcm:
        assert pfdcm.ask("internalctl", {"var": "/a", "set": "b"})["status"] is False
        assert json.loads(get(pfdcm, "/readyz")[2])["checks"]["tree"] == "The data tree is changed, but not saved."


def test_calls_of_both_dialects_are_counted(pfdcm):
    pfdcm.ask("hello", {"askAbout": "timestamp"})
    pfdcm.ask("DOE^JANE", {})
    request = {"jsonrpc": "2.0", "id": 1, "method": "tree.get", "params": {"path": "/no/such"}}
    pfdcm.raw(request, path="/rpc", headers={"Content-Type": "application/json"})
    said = metrics(pfdcm)
    assert said["pfdcm_requests_total", "hello", "ok"] == 1
    assert said["pfdcm_requests_total", "other", "fault"] == 1
    assert said["pfdcm_requests_total", "tree.get", "fault"] == 1
    assert said["pfdcm_http_connections",] >= 1
    assert "DOE" not in str(said)


def test_each_line_of_the_log_is_json_and_names_its_request(tmp_path):
    with running(tmp_path, "--forever", "--httpResponse", "--logFormat", "json") as pfdcm:
        pfdcm.raw({"action": "hello", "meta": {"askAbout": "timestamp"}}, headers={"X-Request-Id": "scanner-7"})
        pfdcm.raw({"action": "hello\n{}", "meta": {}}, headers={"X-Request-Id": 'x"} forged'})
        deadline = time.monotonic() + SECONDS
        while sum("call " in line for line in pfdcm.lines) < 2:
            assert time.monotonic() < deadline, pfdcm.log
            time.sleep(0.01)
    lines = [json.loads(line) for line in pfdcm.lines]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    named = [line for line in lines if line.get("request_id") == "scanner-7"]
    assert any(line.get("action") == "hello" and line.get("status") is True for line in named)
    calls = [line for line in lines if line["message"].startswith("call ")]
    assert len({line["request_id"] for line in calls}) == 2
    assert not any("forged" in line.get("request_id", "") for line in lines)


def test_the_request_id_is_in_the_log_and_in_the_answer(pfdcm):
    head = pfdcm.raw({"action": "hello", "meta": {}}, headers={"X-Request-Id": "abc.1"}).decode()
    assert "\r\nX-Request-Id: abc.1\r\n" in head
    deadline = time.monotonic() + SECONDS
    while "[abc.1]: call 1: hello" not in pfdcm.log:
        assert time.monotonic() < deadline, pfdcm.log
        time.sleep(0.01)


def test_an_error_names_the_request_under_which_the_log_has_it(pfdcm):
    request = {"jsonrpc": "2.0", "id": 1, "method": "tree.get", "params": {"path": "/no/such"}}
    headers = {"Content-Type": "application/json", "X-Request-Id": "abc.2"}
    answer = json.loads(pfdcm.raw(request, path="/rpc", headers=headers).partition(b"\r\n\r\n")[2])
    assert answer["error"]["data"]["request_id"] == "abc.2"


def test_health_needs_no_token_and_everything_else_does(tmp_path):
    token = "a-token-of-this-test"
    tokens = tmp_path / "tokens"
    tokens.write_text(f"prometheus read {token}\n")
    tokens.chmod(0o600)
    upgrade = {
        **{"Connection": "Upgrade", "Upgrade": "websocket"},
        **{"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="},
    }
    with running(tmp_path, "--forever", "--enableTokenAuth", "--tokenPath", str(tokens)) as pfdcm:
        assert get(pfdcm, "/healthz")[0] == 200
        assert get(pfdcm, "/readyz")[0] == 200
        assert get(pfdcm, "/metrics")[0] == 401
        assert get(pfdcm, "/metrics", Authorization=f"Bearer {token}")[0] == 200
        assert get(pfdcm, "/rpc", **upgrade)[0] == 401


def test_a_foreign_page_gets_no_websocket(tmp_path):
    with running(tmp_path, "--forever", "--allowedOrigins", "https://viewer.example") as pfdcm:
        upgrade = {
            **{"Connection": "Upgrade", "Upgrade": "websocket", "Origin": "https://elsewhere.example"},
            **{"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="},
        }
        assert get(pfdcm, "/rpc", **upgrade)[0] == 403
