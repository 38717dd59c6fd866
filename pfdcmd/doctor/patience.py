"""How long a PACS may take for one question of an examination."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pfdcmd.errors import PeerTimeout

STEP_SECONDS = 60.0
"""A PACS that needs longer for one of our questions is not well."""


@asynccontextmanager
async def patience() -> AsyncIterator[None]:
    """Give up what is awaited within after STEP_SECONDS. Raises: PeerTimeout."""
    try:
        async with asyncio.timeout(STEP_SECONDS):
            yield
    except TimeoutError:
        raise PeerTimeout(f"The PACS did not answer within {STEP_SECONDS:g} s.") from None
