"""Room on the data directory's file system: below a floor, images are refused before a byte of them is written.

The floor is for what must still be written when images no longer fit: series marks, map files, logs, the ledger.
"""

from __future__ import annotations

import logging
import os
import threading
import time

from listener import dimse
from listener.errors import SPACE, Shortage

_LOG = logging.getLogger("listener.space")
# A call for each image would do no harm either; with others writing to the same disk none is exact.
_LOOK_SECONDS = 0.25


class Space:
    """The floor of one worker; any of its threads may ask. A floor of 0 is none."""

    def __init__(self, directory_fd: int, min_free_bytes: int, min_free_inodes: int) -> None:
        self._directory_fd = directory_fd
        self._min_free_bytes = min_free_bytes
        self._min_free_inodes = min_free_inodes
        self._mutex = threading.Lock()
        self._next_look = 0.0
        self._left_bytes = 0
        self._shortage = ""

    def spend(self, size_bytes: int) -> None:
        """So much has been written since: the next look comes before the floor is reached by us."""
        self._left_bytes -= size_bytes

    def fault(self) -> Shortage | None:
        """Why no image can be taken now; None when one can. Looks at the disk a few times a second at most."""
        if not self._min_free_bytes and not self._min_free_inodes:
            return None
        with self._mutex:
            now = time.monotonic()
            if now >= self._next_look or (self._left_bytes <= 0 and not self._shortage):
                self._next_look = now + _LOOK_SECONDS
                self._look()
            return Shortage(dimse.OUT_OF_RESOURCES, self._shortage, SPACE) if self._shortage else None

    def _look(self) -> None:
        try:
            there = os.fstatvfs(self._directory_fd)
        except OSError as error:
            # Whether there is room, writing will tell.
            _LOG.debug("the file system does not say what is free: %s", error.strerror)
            return
        free_bytes = there.f_bavail * there.f_frsize
        self._left_bytes = free_bytes - self._min_free_bytes
        shortage = ""
        if free_bytes < self._min_free_bytes:
            shortage = f"less than {self._min_free_bytes} bytes are free below data_dir"
        # Some file systems make inodes as they need them, and say that they have none.
        elif there.f_files and there.f_favail < self._min_free_inodes:
            shortage = f"less than {self._min_free_inodes} inodes are free below data_dir"
        if shortage and not self._shortage:
            _LOG.error("images are refused: %s", shortage)
        elif self._shortage and not shortage:
            _LOG.warning("images are taken again: there is room below data_dir")
        self._shortage = shortage
