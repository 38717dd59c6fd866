"""JSON-RPC over HTTP at a real pfdcm: its frame, a public client, the specification's errors, what strangers send."""

import contextlib
import json

import jsonrpcclient
import pytest
from pfdcmprocess import running
from rpccaller import RpcCaller, RpcError

SET = {"jsonrpc": "2.0", "method": "tree.set"}
GET = {"jsonrpc": "2.0", "method": "tree.get"}


@pytest.fixture(scope="module")
def pfdcm(tmp_path_factory):
    directory = tmp_path_factory.mktemp("rpc")
    limits = ("--maxBatch", "5", "--maxBodyBytes", "65536", "--maxNesting", "16")
    with running(directory, "--forever", *limits, "--configFileSave", str(directory / "tree.json")) as started:
        started.saved = directory / "tree.json"
        yield started


@pytest.fixture
def caller(pfdcm):
    with contextlib.closing(RpcCaller(pfdcm.port)) as connected:
        yield connected


def test_a_response_is_json_in_http(pfdcm):
    head, _, body = pfdcm.raw(
        {**GET, "params": {"path": "/xinetd/servicePort"}, "id": 1},
        path="/rpc",
        headers={"Content-Type": "application/json; charset=utf-8"},
    ).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Type: application/json\r\n" in head
    assert json.loads(body) == {"jsonrpc": "2.0", "result": "10402", "id": 1}


def test_notifications_alone_are_answered_by_nothing(caller):
    notification = {**SET, "params": ["/note", 1]}
    assert caller.post(json.dumps(notification).encode()) == (204, b"")
    assert caller.post(json.dumps([notification, {**SET, "params": ["/note", 2]}]).encode()) == (204, b"")
    assert caller.call("tree.get", ["/note"]) == 2


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', [(-32700, None)]),
        ('{"jsonrpc": "2.0", "method": 1, "params": "bar"}', [(-32600, None)]),
        ('{"jsonrpc": "2.0", "method": "foobar", "id": "1"}', [(-32601, "1")]),
        ("[]", [(-32600, None)]),
        ("[1]", [(-32600, None)]),
        ("[1,2,3]", [(-32600, None)] * 3),
    ],
)
def test_the_specifications_errors(caller, sent, answered):
    status, body = caller.post(sent.encode())
    answer = json.loads(body)
    assert status == 200
    assert isinstance(answer, list) == sent.startswith("[1")
    assert [
        (each["error"]["code"], each["id"]) for each in (answer if isinstance(answer, list) else [answer])
    ] == answered


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_page_can_send_without_asking_is_refused(caller, content_type):
    status, body = caller.post(json.dumps({**SET, "params": ["/page", 1], "id": 1}).encode(), Content_Type=content_type)
    assert status == 415
    assert "application/json" in json.loads(body)["error"]["message"]
    with pytest.raises(RpcError):
        caller.call("tree.get", ["/page"])


def test_too_much_is_refused_and_says_what_the_limit_is(caller, pfdcm):
    status, body = caller.post(b"[" + b" " * 70_000 + b"]")
    assert (status, json.loads(body)["error"]["code"]) == (413, 2)
    with contextlib.closing(RpcCaller(pfdcm.port)) as other:
        assert "at most 5" in other.send([GET] * 6)["error"]["data"]["reason"]
        deep = other.send({**SET, "params": ["/deep", json.loads("[" * 20 + "]" * 20)], "id": 1})
        assert "16 levels" in deep["error"]["data"]["reason"]


def test_a_write_is_on_disk_before_it_is_answered(caller, pfdcm):
    caller.call("tree.set", {"path": "/site/room", "value": "7"})
    assert json.loads(pfdcm.saved.read_text())["site"] == {"room": "7"}
    caller.call("tree.delete", {"path": "/site"})
    assert "site" not in json.loads(pfdcm.saved.read_text())


def test_the_members_of_a_batch_are_done_in_order(caller):
    batch = [
        {**SET, "params": ["/order", 1]},
        {**GET, "params": ["/order"], "id": "a"},
        {**SET, "params": ["/order", 2], "id": "b"},
        {**GET, "params": ["/order"], "id": "c"},
    ]
    assert [(each["id"], each["result"]) for each in caller.send(batch)] == [("a", 1), ("b", 2), ("c", 2)]


def test_a_missing_path_says_what_to_do(caller):
    with pytest.raises(RpcError) as raised:
        caller.call("tree.get", {"path": "/no/such"})
    assert raised.value.code == 102
    assert raised.value.data["parameter"] == "path"
    assert "tree.list" in raised.value.data["do"]


def test_the_description_is_the_same_at_both_places(caller, pfdcm):
    body = pfdcm.raw(b"", method="GET", path="/openrpc.json").partition(b"\r\n\r\n")[2]
    assert json.loads(body) == caller.call("rpc.discover")


def test_an_old_message_is_a_method(caller, pfdcm):
    meta = {"var": "/PACS/help", "get": "value"}
    assert caller.call("internalctl", meta) == pfdcm.ask("internalctl", meta)
    with pytest.raises(RpcError) as raised:
        caller.call("internalctl", {"get": "value"})
    assert raised.value.code == -32602


def test_jsonrpcclient_works_against_it(caller):
    named = caller.send(jsonrpcclient.request("tree.get", params={"path": "/xinetd/servicePort"}))
    assert jsonrpcclient.parse(named) == jsonrpcclient.Ok("10402", named["id"])
    placed = caller.send(jsonrpcclient.request_uuid("tree.get", params=("/xinetd/servicePort",)))
    assert jsonrpcclient.parse(placed).result == "10402"
    batch = [
        jsonrpcclient.notification("tree.set", params=["/client", "x"]),
        jsonrpcclient.request("tree.get", params=["/client"], id=7),
        jsonrpcclient.request("tree.get", params=["/nothing"], id=8),
    ]
    got, missing = jsonrpcclient.parse(caller.send(batch))
    assert got == jsonrpcclient.Ok("x", 7)
    assert (missing.code, missing.id) == (102, 8)
