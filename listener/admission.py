"""Who is let in, as rules on values: addresses, times, rates, AE titles. No clock, no sockets, no names looked up.

Source: xinetd.conf(5), `only_from`, `no_access`, `access_times`, `cps`; DICOM PS3.8 Table 9-21 for what a peer is told.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MINUTES_OF_DAY = 24 * 60


@dataclass(frozen=True)
class Refusal:
    """Why a peer is not let in: a word to count it by, and result, source and reason of its A-ASSOCIATE-RJ.

    result 0: it is not told; the connection is closed.
    """

    word: str
    result: int
    source: int
    reason: int
    text: str

    @property
    def is_told(self) -> bool:
        """Whether the peer gets an A-ASSOCIATE-RJ; else its connection is closed."""
        return self.result != 0


_PERMANENT, _TRANSIENT = 1, 2
_USER, _PRESENTATION = 1, 3
_NO_REASON, _CALLING_AE, _CALLED_AE = 1, 3, 7
_CONGESTION, _LIMIT = 1, 2

ADDRESS = Refusal("address", 0, 0, 0, "address not allowed")
TIME = Refusal("access_times", _TRANSIENT, _USER, _NO_REASON, "outside of the access times")
LOAD = Refusal("max_load", _TRANSIENT, _PRESENTATION, _CONGESTION, "temporary congestion")
RATE = Refusal("cps", _TRANSIENT, _PRESENTATION, _LIMIT, "local limit exceeded: cps")
INSTANCES = Refusal("instances", _TRANSIENT, _PRESENTATION, _LIMIT, "local limit exceeded: instances")
PER_SOURCE = Refusal("per_source", _TRANSIENT, _PRESENTATION, _LIMIT, "local limit exceeded: per_source")
FULL = Refusal("full", _TRANSIENT, _PRESENTATION, _LIMIT, "local limit exceeded")
CALLED_AE = Refusal("called_ae", _PERMANENT, _USER, _CALLED_AE, "called AE title not recognised")
CALLING_AE = Refusal("calling_ae", _PERMANENT, _USER, _CALLING_AE, "calling AE title not recognised")

TLS = Refusal("tls", 0, 0, 0, "TLS has not come about")


@dataclass(frozen=True)
class TitleRules:
    """AE titles that a peer may call, and that it may have; an empty set stands for any."""

    called: frozenset[str] = frozenset()
    calling: frozenset[str] = frozenset()

    def judge(self, called_ae: str, calling_ae: str) -> Refusal | None:
        """Why the titles of a proposal are refused; None when they are not."""
        if self.called and called_ae not in self.called:
            return CALLED_AE
        if self.calling and calling_ae not in self.calling:
            return CALLING_AE
        return None


class AddressRules:
    """`only_from` and `no_access`: the longer match decides; on a tie, access is not given."""

    def __init__(self, only_from: Iterable[Network], no_access: Iterable[Network], *, is_restricted: bool) -> None:
        """is_restricted: who is not named by only_from is not let in, whether or not it names anybody."""
        self._allowed = tuple(only_from)
        self._denied = tuple(no_access)
        self._is_restricted = is_restricted

    def admits(self, address: Address) -> bool:
        """Whether a peer of that address may connect."""
        allowed = _longest(self._allowed, address)
        denied = _longest(self._denied, address)
        if allowed < 0:
            return not self._is_restricted and denied < 0
        return allowed > denied


def _longest(networks: Iterable[Network], address: Address) -> int:
    """The prefix length of the best match; -1 when there is none."""
    return max((each.prefixlen for each in networks if address in each), default=-1)


def parse_intervals(texts: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """Intervals of minutes since midnight from "HH:MM-HH:MM"; both ends belong to them. Raises: ValueError."""
    return tuple((_minutes(text.partition("-")[0]), _minutes(text.partition("-")[2])) for text in texts)


def _minutes(text: str) -> int:
    hour, colon, minute = text.partition(":")
    value = int(hour) * 60 + int(minute)
    if not colon or not 0 <= value <= _MINUTES_OF_DAY or int(minute) > 59:
        raise ValueError(f"not a time of day: {text}")
    return value


def is_open_at(intervals: Iterable[tuple[int, int]], minute: int) -> bool:
    """Whether a minute since midnight is in one of them; one that ends before it begins goes on after midnight."""
    return any(begin <= minute <= end if begin <= end else minute >= begin or minute <= end for begin, end in intervals)


@dataclass(frozen=True)
class Rate:
    """How connections have come lately: the second that is being counted, how many came in it, and until when all are
    refused. Times are in seconds of one clock."""

    second_began: float = 0.0
    count: int = 0
    closed_until: float = 0.0


def count_connection(rate: Rate, now: float, connections: int, wait_seconds: int) -> tuple[Rate, bool]:
    """One connection more. Returns: the rate after it, and whether it is let in.

    More than `connections` within a second close the service for `wait_seconds`; then counting begins anew.
    """
    if now < rate.closed_until:
        return rate, False
    if now - rate.second_began >= 1.0 or now < rate.second_began:
        return Rate(now, 1), True
    if rate.count < connections:
        return Rate(rate.second_began, rate.count + 1), True
    return Rate(now, 0, now + wait_seconds), False
