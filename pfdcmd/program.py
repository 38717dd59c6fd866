"""The daemon without its HTTP port: what is wired together, and how it answers a message of the old dialect."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from pfdcmd.actions.audited import DONE, FAILED, REFUSED, audited
from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Context, Reply
from pfdcmd.actions.rights import check_right
from pfdcmd.dispatch import dispatch, fault_reply
from pfdcmd.edge.audit import Audit
from pfdcmd.edge.http.health import Readiness
from pfdcmd.edge.http.requestid import current_request_id
from pfdcmd.edge.listeners.superserver import SuperServer
from pfdcmd.edge.retrieve.jobs import Jobs
from pfdcmd.edge.treefile import TreeFile
from pfdcmd.errors import AccessRefused, AuditFault, StorageFault
from pfdcmd.events.hub import EventHub
from pfdcmd.wire.pfdialect import Call


@dataclass(frozen=True)
class Program:
    """The daemon without its HTTP server."""

    context: Context
    state_directory: Path
    listeners: SuperServer
    jobs: Jobs
    tree_file: TreeFile | None
    audit: Audit
    hub: EventHub
    readiness: Readiness

    async def answer(self, call: Call, caller: Caller) -> Reply:
        """Do what the call asks; what it has changed in the tree is saved before its caller is told so.

        Raises: AccessRefused: the caller has not the right that this needs.
        """
        what, details = audited(call, self.context)
        try:
            with self.audit.recording(caller, what) as entry:
                entry.details |= details
                check_right(call, caller)
                reply = await self._perform(call)
                entry.outcome = DONE if reply.get("status") is True else FAILED
        except AuditFault as fault:
            return fault_reply(fault)
        return reply

    async def _perform(self, call: Call) -> Reply:
        version = self.context.tree.version
        reply = await dispatch(call, self.context)
        try:
            await self.save_since(version)
        except StorageFault as fault:
            return fault_reply(fault)
        return reply

    async def save_since(self, version: int) -> None:
        """Have the tree on disk if it has changed since that version. Raises: StorageFault."""
        if self.tree_file is not None and self.context.tree.version != version:
            await self.tree_file.settle()

    def refused(self, request: web.BaseRequest, fault: AccessRefused) -> None:
        """Record a request that was not let in."""
        caller = Caller(right=Right.READ, address=request.remote or "", request_id=current_request_id())
        self.audit.record(caller, "request", REFUSED, {"reason": type(fault).__name__})
