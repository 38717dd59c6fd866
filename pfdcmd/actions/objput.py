"""The action objPut: put files into an object store (OpenStack Swift, by the settings below /swift)."""

from __future__ import annotations

from pfdcmd.actions.context import Context, Meta, Reply
from pfdcmd.errors import ObjectStoreUnavailable


async def objput(_meta: Meta, _context: Context) -> Reply:
    """Always a fault, at once: this version of pfdcm has no client for object stores.

    Raises: ObjectStoreUnavailable.
    """
    raise ObjectStoreUnavailable("objPut is not available: this version of pfdcm cannot talk to object storage.")
