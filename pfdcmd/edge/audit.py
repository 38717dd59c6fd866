"""The audit: one JSON line for each thing that was asked for, in a file that only its owner may read.

    {"time": "2026-11-22T11:42:24.217Z", "request": id, "caller": name, "address": ..., "what": "retrieve",
     "outcome": "done" | "failed" | "refused", "milliseconds": 12.5, "pacs": ..., "uids": [...], "reason": ...}

Each line is one write to a file that is opened for appending: a line is whole or not there, and nobody's lines mix. It
is not fsynced: it survives the death of pfdcm, not that of the machine's last seconds. With a site's key the UIDs are
HMAC-SHA-256 values, the same for the same UID: who has the key can look one up, nobody else can tell which they are.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from pfdcmd.actions.audited import DONE, REFUSED, UNHEARD, Entry
from pfdcmd.actions.caller import Caller
from pfdcmd.errors import AccessRefused, AuditFault, ParameterFault
from pfdcmd.settings import Settings

FILE_NAME = "audit.jsonl"

MAX_FILE_BYTES = 64 * 1024 * 1024
KEPT_FILES = 10
_MODE = 0o600
_MAX_LINE_BYTES = 65_536
_KEY_BYTES = (16, 4096)
_IDENTIFIERS = ("uids",)
"""The details that name somebody's images."""

_log = logging.getLogger(__name__)


class Audit:
    """Appends to the audit file, and puts it aside when it is full: audit.jsonl.1 is the latest of those."""

    def __init__(
        self,
        path: Path,
        *,
        key: bytes = b"",
        is_required: bool = False,
        max_file_bytes: int = MAX_FILE_BYTES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """key: the site's, empty for UIDs as they are. is_required: without an audit nothing is to be done."""
        self._path = path
        self._key = key
        self._is_required = is_required
        self._max_file_bytes = max_file_bytes
        self._now = now
        self._is_broken = False

    def record(self, caller: Caller, what: str, outcome: str, details: Mapping[str, Any]) -> None:
        """Write one line. A line that cannot be written is the log's, once until the next that can."""
        entry = {
            "time": self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "request": caller.request_id,
            "caller": caller.name,
            "address": caller.address,
            "what": what,
            "outcome": outcome,
            **details,
        }
        for name in _IDENTIFIERS:
            if self._key and name in entry:
                entry[name] = [self._hash(value) for value in entry[name]]
        self._write(json.dumps(entry).encode("ascii") + b"\n")

    def recording(self, caller: Caller, what: str) -> AbstractContextManager[Entry]:
        """Record what is done within when it ends, however it does: `failed` unless the entry says otherwise.

        Raises: AuditFault: on entering, when that could not be recorded and has to be.
        """
        return _Recorded(self, caller, what)

    def ensure(self) -> None:
        """Make sure that what is about to be done can be recorded, where that is required. Raises: AuditFault."""
        if not self._is_required:
            return
        if self._is_broken or not self._path.exists():
            self.record(Caller(), "audit", DONE, {})
        if self._is_broken:
            raise AuditFault

    def _hash(self, value: str) -> str:
        return hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()

    def _write(self, line: bytes) -> None:
        if len(line) > _MAX_LINE_BYTES:
            _log.error("a line of the audit is too long, and left out")
            return
        try:
            descriptor = os.open(
                self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE
            )
            try:
                written = os.write(descriptor, line)
                size_bytes = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
            if written != len(line):
                raise OSError(0, "no space is left for a whole line")
            if size_bytes >= self._max_file_bytes:
                self._rotate()
        except OSError as error:
            if not self._is_broken:
                _log.error("%s cannot be written: %s", self._path, error.strerror)
            self._is_broken = True
            return
        self._is_broken = False

    def _rotate(self) -> None:
        for number in range(KEPT_FILES - 1, 0, -1):
            with suppress(FileNotFoundError):
                self._numbered(number).replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class _Recorded(AbstractContextManager[Entry]):
    """Something that was asked for, while it is being done; a class, as a generator takes twice the time."""

    def __init__(self, audit: Audit, caller: Caller, what: str) -> None:
        self._audit = audit
        self._caller = caller
        self._what = what
        self._entry = Entry()
        self._began = 0.0

    def __enter__(self) -> Entry:
        if self._what not in UNHEARD:
            self._audit.ensure()
        self._began = time.monotonic()
        return self._entry

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        is_refused = kind is not None and issubclass(kind, AccessRefused)
        if is_refused:
            self._entry.outcome = REFUSED
        elif self._what in UNHEARD:
            return
        milliseconds = round((time.monotonic() - self._began) * 1000, 1)
        self._audit.record(
            self._caller, self._what, self._entry.outcome, {"milliseconds": milliseconds, **self._entry.details}
        )


def load_key(path: Path) -> bytes:
    """The site's key: the bytes of a file, white space at its ends aside, at least 16.

    Raises: ParameterFault: it cannot be read, is too short or too long, or others may read it.
    """
    try:
        with path.open("rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            key = stream.read(_KEY_BYTES[1] + 1).strip()
    except OSError as error:
        raise ParameterFault(f"The audit's key {path} cannot be read: {error.strerror} (--auditKeyFile).") from error
    if mode & 0o137:
        raise ParameterFault(f"The audit's key {path} may be read or changed by others: chmod 0600 {path}")
    if not _KEY_BYTES[0] <= len(key) <= _KEY_BYTES[1]:
        raise ParameterFault(f"The audit's key {path} must have {_KEY_BYTES[0]} to {_KEY_BYTES[1]} bytes.")
    return key


def open_audit(settings: Settings, state_directory: Path) -> Audit:
    """The audit as the settings have it. Raises: ParameterFault: the key cannot be used."""
    path = Path(settings.audit_file).absolute() if settings.audit_file else state_directory / FILE_NAME
    key = load_key(Path(settings.audit_key_file)) if settings.audit_key_file else b""
    return Audit(path, key=key, is_required=settings.audit_required)
