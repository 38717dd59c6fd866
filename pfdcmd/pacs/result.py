"""What a PACS answered, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StudyMatch:
    """One study that a query found, with its series."""


@dataclass(frozen=True)
class MoveOutcome:
    """How a C-MOVE ended."""
