"""The examination: each step in its turn, timed; a step that cannot be done without a failed one is not tried."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from pfdcmd.actions.context import Context
from pfdcmd.doctor.advice import Entry, on_association, on_echo, on_no_answer, on_no_connection, on_unresolved
from pfdcmd.doctor.imageback import ImageBack
from pfdcmd.doctor.patience import patience
from pfdcmd.doctor.queries import Queries
from pfdcmd.doctor.step import Finding, Outcome, Report, Step
from pfdcmd.errors import PacsFault
from pfdcmd.pacs.negotiation import Model
from pfdcmd.pacs.peer import Peer


class Examination:
    """One PACS, examined once."""

    def __init__(self, name: str, peer: Peer, context: Context, *, is_image_wanted: bool) -> None:
        self._context = context
        self._probe = context.probe
        self._entry = Entry(name, peer)
        self._is_image_wanted = is_image_wanted
        self._addresses: list[str] = []
        self._address = ""
        self._steps: list[Step] = []

    async def report(self) -> Report:
        """Do every step."""
        is_reached = (
            await self._step("Address", self._resolve())
            and await self._step("TCP connection", self._connect())
            and await self._step("Association", self._associate())
        )
        queries = Queries(self._entry, self._context)
        if is_reached:
            await self._step("C-ECHO", self._echo())
            for level, ask in queries.levels:
                await self._step(f"C-FIND {level}", ask(), needs=queries.why_not(level))
            await self._step(
                "Character set", queries.read_names(), needs="" if queries.matches else "nothing was found"
            )
        back = ImageBack(self._entry, self._context, queries)
        is_listening = await self._step("Our listener", back.see_listeners())
        self._entry = back.entry
        if self._is_image_wanted:
            missing = "" if is_reached else "the PACS is not reached"
            missing = missing or ("" if is_listening else "no listener of ours receives") or back.why_not()
            how = "C-GET" if self._entry.peer.prefers_get else "C-MOVE"
            await self._step(f"{how} of one image", back.move(), needs=missing)
        return Report(self._entry.name, tuple(self._steps))

    async def _step(self, name: str, done: Coroutine[Any, Any, Finding], *, needs: str = "") -> bool:
        """Do a step, unless something is missing that it needs. Returns: whether what follows can be tried."""
        if needs:
            done.close()
            self._steps.append(Step(name, Finding(Outcome.SKIPPED, f"Not examined: {needs}."), None))
            return False
        began = time.monotonic()
        finding = await done
        self._steps.append(Step(name, finding, time.monotonic() - began))
        return finding.outcome is not Outcome.FAILED

    async def _resolve(self) -> Finding:
        try:
            self._addresses = await self._probe.addresses(self._entry.peer.host)
        except PacsFault as fault:
            return on_unresolved(self._entry, fault)
        return Finding(Outcome.OK, f"{self._entry.peer.host} is {', '.join(self._addresses)}.")

    async def _connect(self) -> Finding:
        try:
            reached = await self._probe.connect(self._addresses, self._entry.peer.port)
        except PacsFault as fault:
            return on_no_connection(self._entry, fault)
        self._address = reached.address
        self._entry = replace(self._entry, own_address=reached.own_address)
        return Finding(Outcome.OK, f"Port {self._entry.peer.port} is open; we call from {reached.own_address}.")

    async def _associate(self) -> Finding:
        peer = self._entry.peer
        try:
            answer = await self._probe.associate(peer, self._address, tuple(Model))
        except PacsFault as fault:
            speaks_tls = peer.tls is None and await self._probe.speaks_tls(self._address, peer.port)
            return on_no_answer(self._entry, fault, speaks_tls=speaks_tls)
        return on_association(self._entry, answer)

    async def _echo(self) -> Finding:
        try:
            async with patience():
                await self._context.pacs.echo(self._entry.peer)
        except PacsFault as fault:
            return on_echo(self._entry, fault)
        return Finding(Outcome.OK, "The PACS answers.")
