"""The log as JSON, and the request's id in either form of it."""

import contextvars
import json
import logging
import sys
import threading

import pytest

from pfdcmd.edge.http.requestid import (
    MAX_CHARACTERS,
    begin_request,
    current_request_id,
    fresh_request_id,
    part_of,
    set_request_id,
)
from pfdcmd.edge.logs import JsonFormatter, LineFormatter


class Request(dict):
    def __init__(self, *named):
        super().__init__()
        self.headers = self
        self._named = list(named)

    def getall(self, name, default):
        return self._named if name == "X-Request-Id" and self._named else default


def record(message, *arguments, exc_info=None, **extra):
    made = logging.LogRecord("pfdcmd.edge", logging.INFO, "", 0, message, arguments, exc_info)
    made.__dict__.update(extra)
    return made


def in_request(function, *named):
    """What the function gives within a request whose header names these ids."""

    def call():
        begin_request(Request(*named))
        return function()

    return contextvars.Context().run(call)


def test_a_line_is_one_object_whatever_a_caller_wrote():
    text = JsonFormatter().format(record("call: %s", 'a\r\n{"level": "ERROR"}\x1b\u2028\ud800é'))
    assert text.isascii() and text.isprintable()
    line = json.loads(text)
    assert line["message"] == 'call: a\r\n{"level": "ERROR"}\x1b\u2028\ud800é'
    assert (line["level"], line["logger"]) == ("INFO", "pfdcmd.edge")
    assert "request_id" not in line


def test_fields_stand_beside_the_message_and_never_in_its_place():
    fields = {"action": "hello", "milliseconds": 1.5, "level": "forged", "odd": object}
    line = json.loads(JsonFormatter().format(record("said", fields=fields)))
    assert (line["action"], line["milliseconds"], line["level"], line["message"]) == ("hello", 1.5, "INFO", "said")


def test_a_traceback_is_in_the_object():
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        text = JsonFormatter().format(record("failed", exc_info=sys.exc_info()))
    assert "\n" not in text
    assert json.loads(text)["exception"].endswith("ValueError: first\nsecond")


def test_both_forms_name_the_request():
    def written():
        return LineFormatter().format(record("x")), json.loads(JsonFormatter().format(record("x")))

    line, parsed = in_request(written, "abc-1.2_Z")
    assert line.endswith("INFO pfdcmd.edge [abc-1.2_Z]: x")
    assert parsed["request_id"] == "abc-1.2_Z"


@pytest.mark.parametrize(
    "named", [(), ("",), ("a b",), ("a\nb",), ("x" * 65,), ("a", "b"), ('a"',), ("é",), ("a]: forged",), ("a\n",)]
)
def test_an_id_that_cannot_be_used_is_replaced(named):
    given = in_request(current_request_id, *named)
    assert len(given) == 16 and given.isalnum() and given not in named


def test_the_longest_id_is_kept():
    assert in_request(current_request_id, "x" * 64) == "x" * 64


def test_a_thread_has_it_with_the_context():
    seen = []
    set_request_id("r1")
    thread = threading.Thread(target=contextvars.copy_context().run, args=(lambda: seen.append(current_request_id()),))
    thread.start()
    thread.join()
    assert seen == ["r1"]
    set_request_id("")


def test_parts_of_one_id_differ_and_stay_short():
    assert part_of("abc", 7) == "abc.7"
    assert len(part_of("x" * 64, 123)) == MAX_CHARACTERS
    assert part_of("x" * 64, 123).endswith(".123")
    assert fresh_request_id() != fresh_request_id()
