"""What can go wrong for whoever types a command: a sentence, what to do about it, and the exit status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXIT_OK = 0
EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_INCOMPLETE = 4
EXIT_INTERRUPTED = 130

EXITS = {
    EXIT_OK: "done",
    EXIT_REFUSED: "the server said no, or what was checked is not well",
    EXIT_USAGE: "the command line, the settings or a file that they name cannot be used",
    EXIT_UNREACHABLE: "the server cannot be reached, or what answers is no pfdcm",
    EXIT_INCOMPLETE: "a retrieve ended without all its images",
    EXIT_INTERRUPTED: "interrupted (Ctrl-C)",
}
"""Exit status -> what it means, as --help shows it."""


class Problem(Exception):
    """The command cannot be done. `do` is what to try next, as a sentence; empty when there is nothing to add."""

    exit_status = EXIT_REFUSED

    def __init__(self, message: str, do: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.do = do


class WrongUse(Problem):
    """Something that was typed or set cannot be used."""

    exit_status = EXIT_USAGE


class Unreachable(Problem):
    """Nobody answers, or not as pfdcm does."""

    exit_status = EXIT_UNREACHABLE


class Incomplete(Problem):
    """A retrieve has ended without all its images."""

    exit_status = EXIT_INCOMPLETE


class Interrupted(Problem):
    """Whoever typed the command has had enough."""

    exit_status = EXIT_INTERRUPTED


class Refused(Problem):
    """The server answered with an error; code and data are those of JSON-RPC 2.0, section 5.1."""

    exit_status = EXIT_REFUSED

    def __init__(self, message: str, do: str = "", *, code: int = 0, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, do)
        self.code = code
        self.data = data or {}
