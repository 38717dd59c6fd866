"""A query as a value: which keys are matched, which are asked back, at which level."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Query:
    """Matching keys of a query, keyword -> value; every other key of the table is asked back with no value."""

    matching: dict[str, str]
