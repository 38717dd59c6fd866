"""The data tree's file: read once at start, written whole after every change."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from pfdcmd.edge.atomicfile import replace_text
from pfdcmd.errors import StorageFault, TreeFault
from pfdcmd.tree.snapshot import format_snapshot, parse_snapshot
from pfdcmd.tree.store import Tree

_log = logging.getLogger(__name__)


def load_tree_file(path: Path) -> dict[str, Any] | None:
    """The saved tree's content without /this, or None when there is no file (as at a first start).

    Raises: TreeFault: it cannot be read, or is not a saved tree; the message names the file.
    """
    try:
        return parse_snapshot(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, TreeFault) as error:
        reason = error.message if isinstance(error, TreeFault) else str(error)
        raise TreeFault(f"{path} cannot be loaded: {reason}") from error


class TreeFile:
    """Saves the tree after each change, in a thread, one save at a time; changes made meanwhile share the next one."""

    def __init__(self, path: Path, tree: Tree) -> None:
        """Watch the tree from now on, in the running event loop; it is saved as it is now, too."""
        self._path = path
        self._tree = tree
        self._loop = asyncio.get_running_loop()
        self._saved_version = -1
        self._saving: asyncio.Task[StorageFault | None] | None = None
        self._has_failed = False
        tree.observe(self._changed)

    @property
    def has_failed(self) -> bool:
        """Whether the latest save failed: the file is older than the tree, and stays so until the next change."""
        return self._has_failed

    async def settle(self) -> None:
        """Return when every change made so far is on disk. Raises: StorageFault: it could not be written.

        Cancelling the wait does not cancel the save.
        """
        version = self._tree.version
        while self._saved_version < version:
            fault = await asyncio.shield(self._start())
            if fault is not None:
                raise fault

    def _changed(self, _version: int, _path: str) -> None:
        self._loop.call_soon_threadsafe(self._start)

    def _start(self) -> asyncio.Task[StorageFault | None]:
        if self._saving is None or self._saving.done():
            self._saving = self._loop.create_task(self._save())
        return self._saving

    async def _save(self) -> StorageFault | None:
        while self._saved_version != self._tree.version:
            snapshot = self._tree.snapshot()
            try:
                await asyncio.to_thread(
                    lambda root: replace_text(self._path, format_snapshot(root), mode=0o600), snapshot.root
                )
            except StorageFault as fault:
                self._has_failed = True
                _log.error("The data tree is not saved: %s", fault.message)
                return StorageFault(f"The data tree is changed, but could not be saved: {fault.message}")
            self._saved_version = snapshot.version
            self._has_failed = False
        return None
