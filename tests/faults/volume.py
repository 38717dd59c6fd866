"""A small file system of its own, which can be filled, made read-only, unmounted: a tmpfs in a mount namespace.

The namespace belongs to a process that lives as long as the volume; whoever shall see the volume is started by `enter`,
the test itself looks through /proc/PID/root. Nobody else sees it, nothing of it is left. Root makes the namespace as it
is, others in a user namespace of theirs (`unshare --user --map-root-user`); where neither is allowed, this fails and
says so.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_READY = b"mounted\n"
_MOUNT = 'mount -t tmpfs -o "$1" pfdcm "$2" && echo mounted && cat'


class Volume:
    """A tmpfs at `path`, an empty directory. Use it as a context manager."""

    def __init__(self, path: Path, options: str) -> None:
        """options: of mount(8), as `size=64m,nr_inodes=100`."""
        self._path = path
        self._options = options
        self._user = [] if os.geteuid() == 0 else ["--user"]

    def __enter__(self) -> Volume:
        mapped = ["--map-root-user"] if self._user else []
        self._keeper = subprocess.Popen(
            # ends when its input does, so that it outlives no test
            ["unshare", "--mount", *self._user, *mapped, "sh", "-c", _MOUNT, "sh", self._options, str(self._path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != _READY:
            self.__exit__()
            raise RuntimeError("a tmpfs can be mounted neither by this user nor in a user namespace of its own")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._keeper.stdin is not None and self._keeper.stdout is not None
        self._keeper.stdin.close()
        self._keeper.wait(10)
        self._keeper.stdout.close()

    @property
    def enter(self) -> list[str]:
        """The beginning of a command that is run where the volume is."""
        keep = ["--preserve-credentials"] if self._user else []
        return ["nsenter", "--target", str(self._keeper.pid), "--mount", *self._user, *keep]

    @property
    def seen(self) -> Path:
        """The volume as this process sees it."""
        return Path(f"/proc/{self._keeper.pid}/root{self._path}")

    def remount(self, option: str) -> None:
        """Make it "ro" or "rw". (The mount, not the file system: that is allowed in a user namespace, too.)"""
        subprocess.run([*self.enter, "mount", "-o", f"remount,bind,{option}", str(self._path)], check=True)
