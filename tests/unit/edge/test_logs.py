import logging
import sys

from pfdcmd.edge.logs import LineFormatter


def format_record(message, *arguments, exc_info=None):
    return LineFormatter().format(logging.LogRecord("pfdcmd", logging.INFO, "", 0, message, arguments, exc_info))


def test_an_event_is_one_line_whatever_a_caller_wrote():
    line = format_record("call: %s", "a\r\nERROR forged\x1b[2J\x00\u2028\x85\ud800é")
    assert line.endswith(r"INFO pfdcmd: call: a\x0d\x0aERROR forged\x1b[2J\x00\u2028\x85\ud800é")
    assert line.encode()


def test_a_traceback_is_indented_so_that_no_line_of_it_passes_for_an_event():
    try:
        raise ValueError("first\n2026-01-01T00:00:00 ERROR forged\x1b")
    except ValueError:
        text = format_record("it failed", exc_info=sys.exc_info())
    assert all(line.startswith("    ") for line in text.split("\n")[1:])
    assert "\x1b" not in text
