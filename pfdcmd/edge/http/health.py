"""/healthz and /readyz, for whoever keeps pfdcm running: without a token, cheap, and without anything to hide.

/healthz    200 as long as the event loop answers: else kill it
/readyz     200 when it can do its work; 503 with the reasons: else send it nothing

Asking often costs no more than asking once a second: in between, the last judgement is given.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from pfdcmd.edge.readiness import check_listeners
from pfdcmd.edge.runfile import Run, read_run
from pfdcmd.edge.treefile import TreeFile
from pfdcmd.errors import StorageFault, SupervisorFault

_FRESH_SECONDS = 1.0
_SUPERVISOR_SECONDS = 2.0

Check = Callable[[], str]
"""What is wrong, in a sentence; empty when nothing is. May block."""


async def respond_alive(_request: web.BaseRequest) -> web.StreamResponse:
    """GET /healthz."""
    return web.json_response({"status": "alive"})


class Readiness:
    """GET /readyz: every check, in one thread, one judgement at a time."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        """checks: what is looked at -> how."""
        self._checks = checks
        self._judging: asyncio.Task[dict[str, str]] | None = None
        self._judged_at = float("-inf")

    async def respond(self, _request: web.BaseRequest) -> web.StreamResponse:
        """200 or 503, and {"ready": true or false, "checks": {what: "" or what is wrong}}."""
        said = await self.judge()
        is_ready = not any(said.values())
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response({"ready": is_ready, "checks": said}, status=status)

    async def judge(self) -> dict[str, str]:
        """What is looked at -> what is wrong with it, as it is now or was a second ago at most."""
        if self._judging is None or (self._judging.done() and time.monotonic() - self._judged_at > _FRESH_SECONDS):
            self._judging = asyncio.create_task(self._judge())
        return await asyncio.shield(self._judging)

    async def _judge(self) -> dict[str, str]:
        said = await asyncio.to_thread(lambda: {name: check() for name, check in self._checks.items()})
        self._judged_at = time.monotonic()
        return said


def make_readiness(state_directory: Path, tree_file: TreeFile | None) -> Readiness:
    """All that is looked at of a pfdcm with this state directory."""
    return Readiness(
        {
            "listeners": listeners_check(state_directory, lambda: read_run(state_directory)),
            "state_directory": directory_check(state_directory),
            "tree": tree_check(tree_file),
        }
    )


def tree_check(tree_file: TreeFile | None) -> Check:
    """Whether the data tree is on disk as it is in memory, where it is to be."""
    return lambda: "The data tree is changed, but not saved." if tree_file is not None and tree_file.has_failed else ""


def listeners_check(state_dir: Path, run: Callable[[], Run | None]) -> Check:
    """Whether supervisord answers where it must, and every listener that must serve does."""

    def check() -> str:
        try:
            announced = run()
            if announced is None:
                return "pfdcm could not announce itself in its state directory."
            check_listeners(state_dir, announced, _SUPERVISOR_SECONDS)
        except SupervisorFault as fault:
            return fault.message
        except StorageFault:  # its message names the path, which is not everybody's business
            return "The run file cannot be read."
        return ""

    return check


def directory_check(directory: Path) -> Check:
    """Whether pfdcm may write the state directory, and there is room."""

    def check() -> str:
        try:
            facts = os.statvfs(directory)
        except OSError as error:
            return f"The state directory cannot be used: {error.strerror}."
        # access(2) tells of a file system that is mounted read-only, for root too
        if not os.access(directory, os.W_OK | os.X_OK):
            return "The state directory cannot be written."
        return "" if facts.f_bavail else "The state directory's file system is full."

    return check
