"""The tokens that open the door: read from their file, and again whenever it changes.

A file that cannot be used at the start stops pfdcm. One that becomes so later leaves the former tokens in force, and is
logged once for each of its states: an editor's slip must not lock a hospital out.
"""

from __future__ import annotations

import hmac
import logging
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from pfdcmd.edge.http.tokenfile import Token, digest_of, parse_tokens
from pfdcmd.errors import ParameterFault

MAX_BYTES = 1_048_576
_LOOK_SECONDS = 1.0
_FORBIDDEN_BITS = 0o137
"""What a mode of at most 0640 has not: group write and execute, everything for others, execute for the owner."""

_State = tuple[int, int, int, int, int]

_log = logging.getLogger(__name__)


class Tokens:
    """The tokens in force."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Read them. Raises: ParameterFault: the file cannot be used; the message names it and says why."""
        self._path = path
        self._clock = clock
        self._state: _State | None
        self._tokens, self._state = _load(path)
        self._looked = clock()

    def find(self, presented: str) -> Token | None:
        """Whose token this is, if anybody's. Every token is compared, and each in a time that tells nothing of it."""
        self._refresh()
        digest = digest_of(presented)
        found = None
        for token in self._tokens:
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def _refresh(self) -> None:
        """Look at the file at most once a second; read it when it is not the one that was read last."""
        if self._clock() - self._looked < _LOOK_SECONDS:
            return
        self._looked = self._clock()
        state = _look(self._path)
        if state == self._state:
            return
        self._state = state
        try:
            self._tokens, self._state = _load(self._path)
        except ParameterFault as fault:
            _log.error("The former tokens stay in force: %s", fault.message)
            return
        _log.info("the token file has changed: %d tokens are in force", len(self._tokens))


def _look(path: Path) -> _State | None:
    try:
        return _state_of(path.stat())
    except OSError:
        return None


def _state_of(status: os.stat_result) -> _State:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode


def _load(path: Path) -> tuple[tuple[Token, ...], _State]:
    try:
        # Without O_NONBLOCK the opening of a pipe waits for its other end.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            status = os.fstat(stream.fileno())
            _check(path, status)
            content = stream.read(MAX_BYTES + 1)
        tokens = parse_tokens(content.decode("ascii"))
    except OSError as error:
        raise ParameterFault(f"The token file {path} cannot be read: {error.strerror} (--tokenPath).") from error
    except UnicodeDecodeError as error:
        raise ParameterFault(f"The token file {path} holds what is not ASCII text.") from error
    except ParameterFault as fault:
        raise ParameterFault(f"The token file {path} cannot be used. {fault.message}") from fault
    if len(content) > MAX_BYTES:
        raise ParameterFault(f"The token file {path} is longer than {MAX_BYTES} bytes.")
    if not tokens:
        raise ParameterFault(f"The token file {path} holds no token; pfdcm --makeToken NAME RIGHT makes one.")
    return tokens, _state_of(status)


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ParameterFault("It is not a regular file.")
    if stat.S_IMODE(status.st_mode) & _FORBIDDEN_BITS:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise ParameterFault(f"Its mode is {mode}, and others may read or change it: chmod 0600 {path}, at most 0640.")
