"""Who calls: a name for the audit, the rights that come with it, and the request's id."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Right(IntEnum):
    """What a caller may do; a greater right holds the lesser ones."""

    READ = 1
    OPERATE = 2
    ADMIN = 3


@dataclass(frozen=True)
class Caller:
    """name is that of the token, empty where none is asked for; address is the caller's, empty for --msg."""

    name: str = ""
    right: Right = Right.ADMIN
    address: str = ""
    request_id: str = ""


NOBODY_ASKED = Caller()
"""Who acts when pfdcm acts by itself, or for --msg."""
