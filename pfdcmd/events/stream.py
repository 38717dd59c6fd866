"""A stream: the changes of one topic, numbered from 1 without gaps, the latest of them kept.

A stream's epoch names this very numbering: one that begins anew (pfdcm has been started again, or nobody had followed
the topic for long) has another, so that a number of the former is never taken for one of its own.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

MAX_KEPT = 4096


@dataclass(frozen=True)
class Change:
    """One change: its number in the stream, the topic that changed, and its data as JSON text."""

    number: int
    topic: str
    text: str


@dataclass(frozen=True)
class Place:
    """Where a subscriber is: everything up to this number of this epoch has reached it."""

    epoch: str
    number: int


class Stream:
    """Keeps at most MAX_KEPT changes, and of their texts as many characters as it is told at each change."""

    def __init__(self, topic: str, epoch: str) -> None:
        self.topic = topic
        self.epoch = epoch
        self.number = 0
        self._kept: deque[Change] = deque()
        self._characters = 0

    @property
    def characters(self) -> int:
        """Of the texts that are kept."""
        return self._characters

    def append(self, topic: str, text: str, max_characters: int) -> None:
        """Number a change; forget the oldest as long as there are too many, though never the latest."""
        self.number += 1
        self._kept.append(Change(self.number, topic, text))
        self._characters += len(text)
        while len(self._kept) > 1 and (len(self._kept) > MAX_KEPT or self._characters > max_characters):
            self._characters -= len(self._kept.popleft().text)

    def reaches_back_to(self, number: int) -> bool:
        """Whether everything after this number is still here, and the number is one that there has been."""
        return self.number - len(self._kept) <= number <= self.number

    def after(self, number: int, limit: int) -> list[Change]:
        """The changes after this number, the oldest first, at most so many; `reaches_back_to` must hold."""
        skipped = number - (self.number - len(self._kept))
        return list(islice(self._kept, skipped, skipped + limit))
