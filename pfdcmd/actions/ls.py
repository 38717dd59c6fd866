"""The action ls: list what is below a path, in an object store (OpenStack Swift, by the settings below /swift)."""

from __future__ import annotations

from pfdcmd.actions.context import Context, Meta, Reply
from pfdcmd.errors import ObjectStoreUnavailable


async def ls(_meta: Meta, _context: Context) -> Reply:
    """Always a fault, at once: this version of pfdcm has no client for object stores.

    Raises: ObjectStoreUnavailable.
    """
    raise ObjectStoreUnavailable("ls is not available: this version of pfdcm cannot talk to object storage.")
