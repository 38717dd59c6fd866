"""What a worker said last, fit to be shown."""

from pfdcmd.edge.listeners.lastwords import last_lines, last_words


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


def test_the_last_lines_of_a_log(tmp_path):
    log = tmp_path / "listen.run.log"
    log.write_text("".join(f"line {number}\n" for number in range(1000)) + "odd \x1b[2J\n")
    assert last_lines(log, 3) == ["line 998", "line 999", "odd \\x1b[2J"]
    assert len(last_lines(log, 5000)) == 1001


def test_of_a_long_log_no_line_is_shown_from_its_middle(tmp_path):
    log = tmp_path / "listen.run.log"
    log.write_text("a" * 1_048_500 + "\n" + "b" * 900 + "\n")
    assert last_lines(log, 2) == ["b" * 300]


def test_the_lines_of_one_service_among_others(tmp_path):
    log = tmp_path / "listen.run.log"
    log.write_text("".join(f"now service={name} {number}\n" for number in range(9) for name in ("a", "ab")))
    assert last_lines(log, 2, " service=a ") == ["now service=a 7", "now service=a 8"]


def test_no_other_file_is_shown_in_a_logs_place(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    (tmp_path / "listen.run.log").symlink_to(secret)
    assert last_lines(tmp_path / "listen.run.log", 3) == []
    assert last_lines(tmp_path, 3) == []
