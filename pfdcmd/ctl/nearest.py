"""What somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN = 8


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """A sentence with the name that resembles what was typed, else with those that there are; empty without any."""
    names = sorted(known)
    by_lower_case = {name.lower(): name for name in names}
    found = difflib.get_close_matches(typed.lower()[:128], by_lower_case, n=1, cutoff=0.5)
    if found:
        return f"Did you mean {by_lower_case[found[0]]}?"
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return f"There are: {shown}." if names else ""
