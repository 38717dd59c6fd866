import json

import pytest
from rpcfakes import call, make_context, make_method, make_rpc, perform

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.errors import PathNotFound, PeerUnreachable, UnknownAction
from pfdcmd.methods import perform as perform_module
from pfdcmd.methods.method import Method, Stream
from pfdcmd.settings import Settings


def request(method, *params, **members):
    return {"jsonrpc": "2.0", "method": method, "params": list(params), **members}


def test_the_members_of_a_batch_are_done_in_their_order():
    values = []
    rpc = make_rpc(make_method("put", values.append, "value"), make_method("all", lambda: list(values)))
    batch = [request("put", 1), request("all", id="a"), request("put", 2, id="b"), request("all", id="c")]
    answers = perform(rpc, batch)
    assert [(each["id"], each["result"]) for each in answers] == [("a", [1]), ("b", None), ("c", [1, 2])]


@pytest.mark.parametrize("request_id", [0, -7, 1.5, "", "x", None, 10**40])
def test_an_id_comes_back_as_it_was(request_id):
    answer = perform(make_rpc(make_method("one", lambda: 1)), {"jsonrpc": "2.0", "method": "one", "id": request_id})
    assert answer == {"jsonrpc": "2.0", "result": 1, "id": request_id}


@pytest.mark.parametrize(
    "text",
    [
        '{"jsonrpc": "2.0", "method": "one", "id": true}',
        '{"jsonrpc": "2.0", "method": "one", "id": [1]}',
        '{"jsonrpc": "2.0", "method": "one", "id": {}}',
        '{"jsonrpc": "1.0", "method": "one", "id": 1}',
        '{"jsonrpc": 2.0, "method": "one", "id": 1}',
        '{"method": "one", "id": 1}',
        '{"jsonrpc": "2.0", "id": 1}',
        '{"jsonrpc": "2.0", "method": null, "id": 1}',
        '{"jsonrpc": "2.0", "method": "one", "params": null, "id": 1}',
        '{"jsonrpc": "2.0", "method": "one", "params": "a", "id": 1}',
        '{"jsonrpc": "2.0", "method": "one", "parms": [], "id": 1}',
        '{"jsonrpc": "2.0", "method": "none", "method": "one", "id": 1}',
        '"one"',
        "1",
        "null",
    ],
)
def test_what_is_no_request_is_told_so(text):
    answer = perform(make_rpc(make_method("one", lambda: 1)), text)
    assert (answer["error"]["code"], answer["error"]["message"], answer["id"]) == (-32600, "Invalid Request", None)


@pytest.mark.parametrize("text", [b"", b" ", b"\xff", b"{", b'{"a": NaN}', b'{"jsonrpc"="2.0"}', b"[1,]"])
def test_what_is_no_json_is_told_so(text):
    answer = perform(make_rpc(), text)
    assert answer == {"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": None}


def test_json_beyond_our_limits_says_which():
    rpc = make_rpc(context=make_context(settings=Settings(max_nesting=4, max_batch=2)))
    deep = perform(rpc, "[" * 5 + "]" * 5)
    long = perform(rpc, [request("one", id=1)] * 3)
    assert deep["error"]["code"] == long["error"]["code"] == -32600
    assert "more than 4 levels" in deep["error"]["data"]["reason"]
    assert "at most 2 members" in long["error"]["data"]["reason"]


def test_a_fault_is_an_error_with_its_number_and_what_to_do():
    def fail():
        raise PeerUnreachable(cause="127.0.0.1: connection refused")

    error = call(make_rpc(make_method("fail", fail)), "fail")["error"]
    assert error["code"] == PeerUnreachable.number
    assert error["message"] == "The PACS could not be reached."
    assert error["data"] == {"fault": "PeerUnreachable", "number": 202, "do": PeerUnreachable.do}


def test_a_fault_of_a_parameter_names_it():
    def fail():
        raise PathNotFound(parameter="path")

    assert call(make_rpc(make_method("fail", fail)), "fail")["error"]["data"]["parameter"] == "path"


def test_the_unexpected_has_a_reference_and_no_text(caplog):
    def fail():
        raise RuntimeError("DOE^JANE")

    error = call(make_rpc(make_method("fail", fail)), "fail")["error"]
    assert (error["code"], error["message"]) == (-32603, "Internal error")
    assert "JANE" not in json.dumps(error)
    assert error["data"]["reference"] in caplog.text


def test_a_result_that_json_cannot_say_is_an_internal_error():
    for value in (float("nan"), {1}, object()):
        error = call(make_rpc(make_method("odd", lambda value=value: value)), "odd")["error"]
        assert error["code"] == -32603


def test_a_caller_without_the_right_is_refused_and_nothing_is_done():
    done = []
    rpc = make_rpc(make_method("write", done.append, "value", right=Right.OPERATE))
    error = call(rpc, "write", [1], caller=Caller(right=Right.READ))["error"]
    assert (error["code"], error["data"]["fault"], done) == (500, "AccessRefused", [])
    assert "result" in call(rpc, "write", [1], caller=Caller(right=Right.OPERATE))


def test_the_tree_is_saved_before_the_caller_is_told_and_only_when_it_changed():
    saved = []
    context = make_context()
    rpc = make_rpc(
        make_method("set", lambda value: context.tree.set("/a", value), "value"),
        make_method("get", lambda: context.tree.get("/a")),
        context=context,
        saved=saved,
    )
    version = context.tree.version
    call(rpc, "get")
    assert saved == []
    call(rpc, "set", [1])
    assert saved == [version]


def test_a_batch_whose_answers_grow_too_large_is_not_done_to_its_end(monkeypatch):
    monkeypatch.setattr(perform_module, "MAX_BATCH_REPLY_BYTES", 1000)
    done = []

    def big():
        done.append(1)
        return "x" * 600

    batch = [request("big", id=number) for number in range(5)] + [request("big"), 1]
    answers = perform(make_rpc(make_method("big", big)), batch)
    assert len(done) == 2
    assert [each.get("error", {}).get("code") for each in answers] == [None, None, 2, 2, 2, -32600]


def test_a_connection_may_have_methods_of_its_own():
    rpc = make_rpc(make_method("who", lambda: "table"))
    own = {"who": make_method("who", lambda: "connection")}
    assert call(rpc, "who")["result"] == "table"
    assert call(rpc, "who", own=own)["result"] == "connection"


class Counting:
    """A method that streams three items, and whether its generator has been closed."""

    def __init__(self):
        self.is_closed = False

    async def items(self):
        try:
            for number in range(3):
                yield {"value": number}
        finally:
            self.is_closed = True

    def method(self):
        async def run(_params, _context, _caller):
            return Stream("count.item", self.items())

        return Method("count", "", Right.READ, run, {})


def test_a_stream_is_sent_as_numbered_notifications():
    told = []

    async def notify(method, params):
        told.append((method, params))

    answer = call(make_rpc(Counting().method()), "count", notify=notify)
    assert answer["result"] == {"count": 3}
    assert told == [("count.item", {"request": 1, "number": n, "item": {"value": n - 1}}) for n in (1, 2, 3)]


def test_a_stream_ends_with_the_caller():
    counting = Counting()

    async def notify(_method, _params):
        raise UnknownAction("gone")

    assert "error" in call(make_rpc(counting.method()), "count", notify=notify)
    assert counting.is_closed


def test_a_stream_that_cannot_be_sent_says_so():
    error = call(make_rpc(Counting().method()), "count")["error"]
    assert (error["code"], error["data"]["parameter"]) == (-32602, "stream")


def test_no_exception_leaves_a_batch_unanswered():
    def fail():
        raise ZeroDivisionError

    answers = perform(
        make_rpc(make_method("fail", fail), make_method("one", lambda: 1)),
        [request("fail", id=1), request("one", id=2)],
    )
    assert [each.get("error", {}).get("code", each.get("result")) for each in answers] == [-32603, 1]
