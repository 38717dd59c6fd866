"""One image sent back to our listener: is one up, does the PACS know it, does the image arrive?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pfdcmd.actions.context import Context
from pfdcmd.doctor.advice import Entry, on_move, on_no_listener, on_not_arrived, on_refused_here
from pfdcmd.doctor.patience import patience
from pfdcmd.doctor.queries import Queries
from pfdcmd.doctor.step import Finding, Outcome
from pfdcmd.errors import PacsFault
from pfdcmd.names import parse_port
from pfdcmd.pacs.delivery import Delivery
from pfdcmd.pacs.outcome import MoveOutcome, outcome_of_fault
from pfdcmd.pacs.selection import Selection

ARRIVAL_SECONDS = 10.0
"""Listeners report about once a second; what has not shown by then has gone elsewhere."""
_LOOK_SECONDS = 0.1
_REFUSAL_SECONDS = 2.5
"""A PACS that fails may have been refused here: that is reported within the same second or the next."""
_ON_THIS_MACHINE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_RECEIVING = ("RUNNING", "STARTING")


@dataclass(frozen=True)
class _Received:
    """What our listeners have counted, all services together."""

    images: int
    refused: Mapping[str, int]


class ImageBack:
    """The last steps of an examination."""

    def __init__(self, entry: Entry, context: Context, queries: Queries) -> None:
        self.entry = entry
        self._context = context
        self._queries = queries
        self._delivery: Delivery | None = None

    async def see_listeners(self) -> Finding:
        """Which of our services receive."""
        services = _services(self._context)
        receiving = {name: one for name, one in services.items() if one.get("state") in _RECEIVING}
        if not receiving:
            return on_no_listener({name: str(one.get("state")) for name, one in services.items()})
        self._delivery = _delivery(self.entry, next(iter(receiving.values())))
        ports = tuple(str(one.get("port")) for one in receiving.values())
        self.entry = replace(self.entry, ports=ports)
        found = ", ".join(f"{name} receives at port {one.get('port')}" for name, one in receiving.items())
        return Finding(Outcome.OK, f"{found}.")

    def why_not(self) -> str:
        """What is missing to ask for an image; empty when nothing is."""
        if self._queries.is_empty:
            return "the PACS has no image to send"
        return "" if self._queries.image is not None else "no image was found that could be asked for"

    async def move(self) -> Finding:
        """Have one image sent, and see whether one arrives."""
        selection = self._queries.image
        if selection is None:
            return Finding(Outcome.SKIPPED, "Not examined: there is no image to ask for.")
        before = self._received()
        outcome, remark = await self._move(selection)
        after = await self._arrival(before, ARRIVAL_SECONDS if outcome.is_success else _REFUSAL_SECONDS)
        refused = [reason for reason, count in after.refused.items() if count > before.refused.get(reason, 0)]
        if after.images > before.images and outcome.is_success:
            kind = Outcome.WARNING if remark else Outcome.OK
            return Finding(kind, f"The image has been sent, and has arrived. {remark}".strip())
        if refused:
            return on_refused_here(", ".join(refused))
        return on_not_arrived(self.entry) if outcome.is_success else on_move(self.entry, outcome)

    async def _move(self, selection: Selection) -> tuple[MoveOutcome, str]:
        """One image, or its series from a PACS that knows no IMAGE level here. Returns: the outcome, and a remark."""
        outcome = await self._retrieve(selection)
        if outcome.refuses_request and selection.instances:
            whole = await self._retrieve(replace(selection, instances=()))
            if whole.is_success:
                return whole, "The PACS refuses single images: it was asked for a whole series instead."
        return outcome, ""

    async def _retrieve(self, selection: Selection) -> MoveOutcome:
        try:
            async with patience():
                return await self._context.pacs.retrieve(self.entry.peer, selection, deliver_to=self._delivery)
        except PacsFault as fault:
            return outcome_of_fault(fault)

    async def _arrival(self, before: _Received, seconds: float) -> _Received:
        """What our listeners have counted once they have counted more, or so many seconds later."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            now = self._received()
            if now != before or loop.time() > deadline:
                return now
            await asyncio.sleep(_LOOK_SECONDS)  # nobody tells of what listeners report

    def _received(self) -> _Received:
        images = 0
        refused: dict[str, int] = {}
        for name, one in _services(self._context).items():
            images += one.get("images", 0)
            for reason, count in one.get("refused", {}).items():
                refused[f"{name}: {reason}"] = count
        return _Received(images, refused)


def _services(context: Context) -> dict[str, Mapping[str, Any]]:
    """Our services as they are live; what begins with a dot is about reloads."""
    listing = context.listeners.listing()
    return {name: one for name, one in listing.items() if not name.startswith(".") and isinstance(one, Mapping)}


def _delivery(entry: Entry, service: Mapping[str, Any]) -> Delivery:
    """Where what comes by C-GET is passed on to."""
    host = _ON_THIS_MACHINE.get(str(service.get("address")), str(service.get("address")))
    return Delivery(host, parse_port(service.get("port"), "port"), entry.peer.move_destination)
