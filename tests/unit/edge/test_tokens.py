import logging
import os

import pytest

from pfdcmd.actions.caller import Right
from pfdcmd.edge.http.attempts import Attempts
from pfdcmd.edge.http.tokenfile import make_token, parse_tokens
from pfdcmd.edge.http.tokens import MAX_BYTES, Tokens
from pfdcmd.errors import ParameterFault

PLAIN = "a-token-as-it-is-sent"


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def write(path, *lines, mode=0o600):
    """Put a file in the place of the one that is there, as an editor does."""
    sibling = path.with_name("new")
    sibling.write_text("".join(f"{line}\n" for line in lines))
    sibling.chmod(mode)
    sibling.replace(path)
    return path


def test_a_made_token_opens_by_its_hash_and_by_itself():
    token, line = make_token("ward-3", "operate")
    assert token not in line
    (parsed,) = parse_tokens(f"# name right token\n\n{line}\n")
    assert (parsed.name, parsed.right) == ("ward-3", Right.OPERATE)
    assert parsed == parse_tokens(f"ward-3 OPERATE {token}")[0]
    assert make_token("ward-3", "operate")[0] != token
    assert parsed.digest.hex() not in repr(parsed)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("one two", "Line 1 is not a name"),
        (f"# x\na read {PLAIN} more", "Line 2 is not a name"),
        (f"a/b read {PLAIN}", "Line 1: a name"),
        (f"{'n' * 65} read {PLAIN}", "Line 1: a name"),
        (f"a write {PLAIN}", "Line 1: a right"),
        ("a read short", "Line 1: a token"),
        ("a read sha256:12", "Line 1: a token"),
        (f"a read {'x' * 600}", "Line 1: a token"),
        (f"a read {PLAIN}\na admin {PLAIN}x", "Line 2 has the name"),
        (f"a read {PLAIN}\nb admin {PLAIN}", "Line 2 has the token"),
        ("".join(f"n{n} read {PLAIN}{n}\n" for n in range(1025)), "more than 1024"),
    ],
)
def test_a_line_that_is_no_token_is_told_by_its_number_and_not_repeated(text, words):
    with pytest.raises(ParameterFault, match=words) as caught:
        parse_tokens(text)
    assert PLAIN not in caught.value.message


def test_tokens_are_found_and_others_are_not(tmp_path):
    tokens = Tokens(write(tmp_path / "t", f"a read {PLAIN}", f"b admin {PLAIN}2"))
    assert tokens.find(PLAIN).name == "a"
    assert tokens.find(f"{PLAIN}2").right is Right.ADMIN
    for wrong in ("", PLAIN[:-1], f"{PLAIN}x", PLAIN.upper(), "é\udc80"):
        assert tokens.find(wrong) is None


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o666, 0o700, 0o602])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path, mode):
    with pytest.raises(ParameterFault, match=f"mode is {mode:04o}.*chmod 0600"):
        Tokens(write(tmp_path / "t", f"a read {PLAIN}", mode=mode))


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400, 0o440])
def test_a_file_for_its_owner_and_group_is_taken(tmp_path, mode):
    assert Tokens(write(tmp_path / "t", f"a read {PLAIN}", mode=mode)).find(PLAIN)


def test_files_that_cannot_be_used_say_why(tmp_path):
    with pytest.raises(ParameterFault, match="cannot be read: No such file"):
        Tokens(tmp_path / "none")
    with pytest.raises(ParameterFault, match="holds no token"):
        Tokens(write(tmp_path / "t", "# nothing yet"))
    with pytest.raises(ParameterFault, match="ASCII"):
        Tokens(write(tmp_path / "t", f"a read {PLAIN}é"))
    with pytest.raises(ParameterFault, match="longer than"):
        Tokens(write(tmp_path / "t", f"a read {PLAIN}", "#" * MAX_BYTES))
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ParameterFault, match="not a regular file"):
        Tokens(tmp_path / "pipe")


def test_a_changed_file_is_read_and_a_broken_one_leaves_the_former_tokens_and_one_line(tmp_path, caplog):
    clock = Clock()
    path = write(tmp_path / "t", f"a read {PLAIN}")
    tokens = Tokens(path, clock)
    write(path, f"b admin {PLAIN}2")
    assert tokens.find(f"{PLAIN}2") is None, "it looks once a second at most"
    clock.now += 2
    assert tokens.find(f"{PLAIN}2").name == "b"
    assert tokens.find(PLAIN) is None

    write(path, "rubbish")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            clock.now += 2
            assert tokens.find(f"{PLAIN}2").name == "b"
        path.unlink()
        for _ in range(3):
            clock.now += 2
            assert tokens.find(f"{PLAIN}2").name == "b"
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    write(path, f"c read {PLAIN}3")
    clock.now += 2
    assert tokens.find(f"{PLAIN}3").name == "c"
    path.chmod(0o644)
    clock.now += 2
    assert tokens.find(f"{PLAIN}3").name == "c", "what was in force stays so"


def test_an_address_may_fail_ten_times_and_then_every_six_seconds():
    clock = Clock()
    attempts = Attempts(clock)
    assert [attempts.may_fail("10.0.0.1") for _ in range(12)] == [True] * 10 + [False] * 2
    assert attempts.may_fail("10.0.0.2")
    clock.now += 6
    assert [attempts.may_fail("10.0.0.1") for _ in range(2)] == [True, False]


def test_a_network_of_ipv6_addresses_is_one_and_memory_is_bounded():
    attempts = Attempts(Clock())
    tries = [attempts.may_fail(f"2001:db8::{number:x}") for number in range(20)]
    assert tries.count(True) == 10
    for number in range(10_000):
        attempts.may_fail(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
    assert len(attempts._empty_at) <= 4096
