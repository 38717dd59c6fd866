"""What a site allows itself at one PACS: how many retrieves at once, how fast, and when it is left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from pfdcmd.errors import PeerConfigurationFault

MAX_ASSOCIATIONS = 64
"""More series at once than this bring nothing, whatever a PACS allows."""
MAX_IMAGES_PER_SECOND = 100_000.0
# An IMAGE level request of a rate-limited retrieve asks for what the rate allows in this time.
_STRIDE_SECONDS = 5.0
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True)
class QuietHours:
    """A time of the day, local time, in which no retrieve begins; it may run past midnight."""

    begin: time
    end: time

    def remaining(self, now: datetime) -> timedelta | None:
        """How long they still last; None when it is not a quiet hour now."""
        begin = datetime.combine(now.date(), self.begin)
        end = datetime.combine(now.date(), self.end)
        if self.begin >= self.end:
            if now < end:
                begin -= timedelta(days=1)
            else:
                end += timedelta(days=1)
        return end - now if begin <= now < end else None


@dataclass(frozen=True)
class RetrievePolicy:
    """max_associations: series that move at once; images_per_second: None for no limit."""

    max_associations: int
    images_per_second: float | None = None
    quiet_hours: QuietHours | None = None

    def batch_size(self, usual: int) -> int:
        """How many images to ask for at once, at IMAGE level."""
        if self.images_per_second is None:
            return usual
        return max(1, min(usual, int(self.images_per_second * _STRIDE_SECONDS)))

    def least_seconds(self, images: int) -> float:
        """How long the move of so many images must take at least."""
        return images / self.images_per_second if self.images_per_second else 0.0


def parse_policy(entry: object, max_associations: int) -> RetrievePolicy:
    """Read `imagesPerSecond` and `quietHours` ("HH:MM-HH:MM") of an entry below /PACS; a number may be text.

    Raises: PeerConfigurationFault: naming the key.
    """
    if not isinstance(entry, Mapping):
        raise PeerConfigurationFault("The PACS entry must hold serverIP, serverPort, aec and aet.")
    return RetrievePolicy(
        max_associations=min(max_associations, MAX_ASSOCIATIONS),
        images_per_second=_number(entry, "imagesPerSecond", 0.01, MAX_IMAGES_PER_SECOND),
        quiet_hours=_quiet_hours(entry.get("quietHours")),
    )


def _number(entry: Mapping[str, object], key: str, least: float, most: float) -> float | None:
    value = entry.get(key)
    if value in (None, ""):
        return None
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        number = -1.0
    if not least <= number <= most:
        raise PeerConfigurationFault(f"The PACS entry cannot be used: {key} must be from {least:g} to {most:g}.")
    return number


def _quiet_hours(value: object) -> QuietHours | None:
    if value in (None, ""):
        return None
    found = _HOURS.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        raise PeerConfigurationFault('The PACS entry cannot be used: quietHours must be like "22:00-06:00".')
    begin_hour, begin_minute, end_hour, end_minute = map(int, found.groups())
    return QuietHours(time(begin_hour, begin_minute), time(end_hour, end_minute))
