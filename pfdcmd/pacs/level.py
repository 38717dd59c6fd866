"""A C-FIND at one level, in the caller's own keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")


@dataclass(frozen=True)
class LevelQuery:
    """keys: keyword or eight hexadecimal digits -> value, an empty one to ask the element back."""

    level: str
    keys: Mapping[str, str]
    max_matches: int
