"""The run file: where a running pfdcm says, in its state directory, how it can be asked whether it is ready.

It is written once the port is open and taken away at the end; one that a killed pfdcm left names a port that nobody
answers on, which is what its reader finds out anyway. A lock beside it keeps a second pfdcm from the same directory:
its end would end the first one's listeners.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pfdcmd.edge.atomicfile import replace_text
from pfdcmd.errors import StorageFault

_NAME = "pfdcm.run"
_LOCK = "pfdcm.lock"
_MAX_BYTES = 4096


@dataclass(frozen=True)
class Run:
    """One run of pfdcm: the address it listens on, its process id, when it began (s since 1970), and what it is to do.

    is_forever is false when the first POST ends it; starts_listener is true when it was started with --startlistener;
    is_tls when the port speaks HTTPS; needs_token and needs_certificate when callers need one.
    """

    host: str
    port: int
    pid: int
    began: float
    is_forever: bool
    starts_listener: bool
    is_tls: bool = False
    needs_token: bool = False
    needs_certificate: bool = False


@contextmanager
def claimed(state_dir: Path) -> Iterator[None]:
    """Have the state directory alone, until the process ends at the latest.

    Raises: StorageFault: another pfdcm has it, or it cannot be used; the message says which and what to do.
    """
    try:
        descriptor = os.open(state_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageFault(
            f"The state directory {state_dir} cannot be used: {error.strerror}; see --stateDir."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            run = read_run(state_dir)
            who = f"the pfdcm on port {run.port}, process {run.pid}" if run else "another pfdcm"
            raise StorageFault(
                f"The state directory {state_dir} is in use by {who}; give this one its own with --stateDir."
            ) from None
        yield
    finally:
        os.close(descriptor)


def announce(state_dir: Path, run: Run) -> None:
    """Write the run file. Raises: StorageFault."""
    replace_text(state_dir / _NAME, json.dumps(dataclasses.asdict(run), indent=2) + "\n")


def withdraw(state_dir: Path, run: Run) -> None:
    """Take the run file away, unless another pfdcm has announced itself since. Raises: StorageFault."""
    try:
        if read_run(state_dir) == run:
            (state_dir / _NAME).unlink(missing_ok=True)
    except OSError as error:
        raise StorageFault(f"{state_dir / _NAME} cannot be removed: {error.strerror}.") from error


def read_run(state_dir: Path) -> Run | None:
    """What the last pfdcm announced; None when there is nothing. Raises: StorageFault: it cannot be read."""
    path = state_dir / _NAME
    try:
        with path.open(encoding="utf-8") as stream:
            return Run(**json.loads(stream.read(_MAX_BYTES)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise StorageFault(f"{path} cannot be read.", cause=str(error)) from error
