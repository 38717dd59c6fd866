"""Jobs in this process, a real listener beside it, and a ledger: all of a retrieve but the daemon around it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pfdcmd.edge.pacs.net import PacsNet
from pfdcmd.edge.retrieve.jobs import Jobs
from pfdcmd.edge.retrieve.ledger import SqliteLedger
from pfdcmd.edge.retrieve.site import JobSite
from pfdcmd.settings import Settings
from pfdcmd.tree.store import Tree

SECONDS = 60
# Impatient: tests wait for what must happen, and for what must not.
SETTINGS = Settings(
    retrieve_attempts=2,
    retrieve_backoff_seconds=0.05,
    retrieve_settle_seconds=0.4,
    pacs_connect_seconds=5,
    pacs_association_seconds=10,
    pacs_response_seconds=10,
)


class NoListing:
    """No service is declared: the listener is not pfdcm's own."""

    def listing(self) -> Mapping[str, Any]:
        return {}


@contextlib.asynccontextmanager
async def jobs_of(
    entry: Mapping[str, Any], root: Path, settings: Settings = SETTINGS, published: list[Any] | None = None
) -> AsyncIterator[Jobs]:
    """Jobs that know one PACS, `main`; the listener files below root and writes receipts to root/state/receipts."""
    tree = Tree({"PACS": {"main": dict(entry)}, "xinetd": {"series_mapDir": str(root / "log" / "series_map")}})
    heard = published if published is not None else []
    site = JobSite(
        settings,
        tree,
        PacsNet(settings),
        NoListing(),  # type: ignore[arg-type]  # a stand-in
        SqliteLedger(root / "state"),
        lambda topic, data: heard.append((topic, data)),
        datetime.now,
    )
    jobs = Jobs(site)
    await jobs.begin()
    try:
        yield jobs
    finally:
        await jobs.close()


async def until(condition: Any, seconds: float = SECONDS) -> Any:
    """Wait in the event loop until the condition is true. Returns: its value."""
    async with asyncio.timeout(seconds):
        while not (value := condition()):
            await asyncio.sleep(0.02)
        return value
