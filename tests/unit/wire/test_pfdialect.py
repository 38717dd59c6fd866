import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfdcmd.errors import Fault, LocalError, MessageFault
from pfdcmd.wire.pfdialect import Call, decode_message, encode_reply

MESSAGE = {"action": "hello", "meta": {"askAbout": "timestamp"}}
CALL = Call("hello", {"askAbout": "timestamp"})


def decode(body):
    return decode_message(body, max_nesting=16)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(MESSAGE),
        json.dumps({"payload": MESSAGE}),
        " \r\n" + json.dumps(MESSAGE) + "\n",
        "\ufeff" + json.dumps(MESSAGE),
        "action=hello&meta%5BaskAbout%5D=timestamp",
        "payload[action]=hello&payload[meta][askAbout]=timestamp",
        "payload_action=hello&payload_meta_askAbout=timestamp",
    ],
)
def test_every_form_of_a_message_is_the_same_call(body):
    assert decode(body.encode()) == CALL


@pytest.mark.parametrize(
    "message", [{"meta": {"ctl": {"serverCmd": "quit"}}}, {"action": "x", "meta": {"ctl": {"serverCmd": 1}}}]
)
def test_a_server_command_needs_no_action(message):
    assert decode(json.dumps({"payload": message}).encode()).action == "serverctl"


REFUSED = {
    "empty": (b"", "is empty"),
    "blank": (b" \r\n", "is empty"),
    "text": (b"this is not json", "not JSON"),
    "broken": (b'{"action": ', "line 1 column 11"),
    "form of something else": (b"a=1&b=2", "as a form"),
    "list": (b"[1,2,3]", "is a list"),
    "null": (b"null", "is null"),
    "number": (b"17", "is a number"),
    "string": (b'"hello=1"', "is text"),
    "true": (b"true", "is true or false"),
    "UTF-8": (b'{"action": "\xff"}', "UTF-8"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), "UTF-8"),
    "NaN": (b'{"action": "hello", "meta": {"a": NaN}}', "NaN"),
    "infinity": (b'{"action": "hello", "meta": {"a": -Infinity}}', "Infinity"),
    "overflow": (b'{"action": "hello", "meta": {"a": 1e999}}', "too large"),
    "long integer": (b'{"action": "hello", "meta": {"a": ' + b"1" * 5000 + b"}}", "too long"),
    "surrogate": (b'{"action": "hello", "meta": {"a": "\\uD800"}}', "surrogate"),
    "deep": (b'{"action": "hello", "meta": {"a": ' + b"[" * 15 + b"]" * 15 + b"}}", "too deep"),
    "very deep": (b"[" * 500_000, "too deep"),
    "deep form": (b"meta" + b"[a]" * 20 + b"=1", "too deep"),
    "no action": (b'{"meta": {}}', 'no "action"'),
    "no meta": (b'{"action": "hello"}', 'no "meta"'),
    "nothing": (b"{}", 'no "action"'),
    "action": (b'{"action": 1, "meta": {}}', '"action" must be text'),
    "meta": (b'{"action": "hello", "meta": []}', '"meta" must be an object'),
    "meta null": (b'{"action": "hello", "meta": null}', '"meta" must be an object'),
    "payload": (b'{"payload": "x"}', '"payload" must be an object'),
    "meta of a form": (b"action=hello&meta=1", '"meta" must be an object'),
}


@pytest.mark.parametrize(("body", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_messages_are_told_what_is_wrong(body, words):
    with pytest.raises(MessageFault, match=words):
        decode(body)


def test_nesting_up_to_the_limit_is_taken():
    inner = "[" * 14 + "1" + "]" * 14
    assert decode(f'{{"action": "hello", "meta": {{"a": {inner}}}}}'.encode()).action == "hello"


def test_many_brackets_beside_each_other_are_not_nesting():
    assert decode(json.dumps({"action": "hello", "meta": {"a": [[]] * 1000}}).encode()).action == "hello"


def test_a_whole_surrogate_pair_is_a_character():
    assert decode(b'{"action": "hello", "meta": {"a": "\\ud83d\\ude00"}}').meta == {"a": "\U0001f600"}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_random_bytes_are_a_call_or_a_fault(body):
    try:
        decode(body)
    except Fault as fault:
        assert fault.message


def test_a_reply_with_the_double_header_to_the_byte():
    content = b'{\n    "msg": "w\\u00f6rld",\n    "status": true\n}'
    head = b"200 OK\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: 47\r\n\r\n"
    assert encode_reply({"msg": "wörld", "status": True}, double_header=True) == head + content
    assert encode_reply({"msg": "wörld", "status": True}, double_header=False) == content
    assert len(content) == 47


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=4))
def test_callers_can_always_split_a_reply(reply):
    text = encode_reply(reply, double_header=True).decode()
    assert text.count("\r") == 4
    assert json.loads(text.split("\r")[4]) == reply
    assert json.loads(text.split("\r\n\r\n")[1]) == reply


def test_a_reply_that_json_cannot_say_is_our_own_fault():
    with pytest.raises(LocalError):
        encode_reply({"status": object()}, double_header=True)
