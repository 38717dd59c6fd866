"""What a worker said last, fit to be shown."""

from pfdcmd.edge.lastwords import last_words


def test_the_last_lines_in_their_order_without_the_empty_ones(tmp_path):
    log = tmp_path / "log"
    log.write_text("one\ntwo\n\nthree\n  four \n\n")
    assert last_words(log) == "two | three | four"


def test_control_characters_are_escaped_and_long_lines_cut(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"x" * 100_000 + b"\n\x1b[2Jcleared\xff\n" + b"y" * 1000)
    first, second, third = last_words(log).split(" | ")
    assert (len(first), second, third) == (300, "\\x1b[2Jcleared\ufffd", "y" * 300)


def test_no_log_no_words(tmp_path):
    assert last_words(tmp_path / "nothing") == ""
