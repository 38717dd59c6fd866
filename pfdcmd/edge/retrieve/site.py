"""What all jobs share: the PACSs, the ledger, and who may go next."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pfdcmd.actions.context import ListenersPort, PacsPort
from pfdcmd.edge.retrieve.ledger import SqliteLedger
from pfdcmd.edge.retrieve.seriesmap import mapped_directories
from pfdcmd.edge.roots import Roots
from pfdcmd.errors import ParameterFault
from pfdcmd.names import Uid, parse_port
from pfdcmd.pacs.delivery import Delivery
from pfdcmd.pacs.peer import Peer, parse_peer
from pfdcmd.retrieve.policy import RetrievePolicy, parse_policy
from pfdcmd.settings import Settings
from pfdcmd.tree.store import Tree

INVALID_PACS = "Invalid PACS specified."
_EVERY_INTERFACE = ("", "0.0.0.0", "::")
_SERIES_MAPS = "series_map"


class Lanes:
    """At most so many at once for one key, first come first served; a limit that changes holds from the next on."""

    def __init__(self) -> None:
        self._gates: dict[Hashable, tuple[int, asyncio.Semaphore]] = {}
        self._users: dict[Hashable, int] = {}

    @contextlib.asynccontextmanager
    async def turn(self, key: Hashable, limit: int) -> AsyncIterator[None]:
        """Wait for a turn, and have it within the context."""
        gate = self._gates.get(key)
        if gate is None or gate[0] != limit:
            gate = self._gates[key] = (limit, asyncio.Semaphore(limit))
        self._users[key] = self._users.get(key, 0) + 1
        try:
            async with gate[1]:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._gates[key]


@dataclass(frozen=True)
class JobSite:
    """publish: tells subscribers of a job's change; lanes: of jobs, of series, and of one series at once; roots: where
    map files may be."""

    settings: Settings
    tree: Tree
    pacs: PacsPort
    listeners: ListenersPort
    ledger: SqliteLedger
    publish: Callable[[str, Mapping[str, Any]], None]
    now: Callable[[], datetime]
    lanes: Lanes = field(default_factory=Lanes)
    roots: Roots = field(default_factory=Roots)

    def peer(self, name: str) -> tuple[Peer, RetrievePolicy]:
        """The PACS of that name as its entry has it now.

        Raises: ParameterFault: there is none; PeerConfigurationFault: the entry cannot be used.
        """
        entries = self.tree.get("/PACS")
        if not isinstance(entries, Mapping) or name not in entries:
            raise ParameterFault(INVALID_PACS, parameter="pacs")
        peer = parse_peer(entries[name])
        return peer, parse_policy(entries[name], peer.max_associations or self.settings.retrieve_associations)

    def delivery(self, peer: Peer) -> Delivery | None:
        """Where images go that come by C-GET: a listener that serves, the one of /xinetd before others."""
        if not peer.prefers_get:
            return None
        own_port = str(self.tree.get("/xinetd/servicePort"))
        running = [one for one in self._services() if one.get("state") == "RUNNING"]
        for service in sorted(running, key=lambda one: str(one.get("port")) != own_port):
            with contextlib.suppress(ParameterFault):
                bind = str(service.get("configuration", {}).get("bind", ""))
                port = parse_port(service.get("port"), "port")
                return Delivery("127.0.0.1" if bind in _EVERY_INTERFACE else bind, port, peer.move_destination)
        return None

    def series_map_directories(self) -> list[Path]:
        """Where listeners write series map files: that of the tree, and that of every service."""
        named = [self.tree.get("/xinetd/series_mapDir")]
        for service in self._services():
            log_dir = service.get("configuration", {}).get("log_dir")
            named.append(f"{log_dir}/{_SERIES_MAPS}" if isinstance(log_dir, str) else None)
        return [Path(each) for each in dict.fromkeys(named) if isinstance(each, str) and each]

    def _services(self) -> list[Mapping[str, Any]]:
        return [one for one in self.listeners.listing().values() if isinstance(one, Mapping)]

    async def look(self, series: str) -> None:
        """Have the ledger know what is on disk of the series now. Raises: StorageFault."""
        directories = await asyncio.to_thread(mapped_directories, self.series_map_directories(), Uid(series))
        await self.ledger.look(series, directories)
