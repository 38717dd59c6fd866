"""Refusals, counted by address: whoever provokes many is not heard for a while. Bounded, whoever tries."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

_ALLOWED = 10
_REFILL_SECONDS = 6.0
_MAX_ADDRESSES = 4096
_IPV6_NETWORK_BITS = 64


class Attempts:
    """A bucket of attempts for each address, one of which grows back every six seconds.

    With 256 random bits in a token nobody guesses one; what this saves is the log, the audit and our time. An address
    that is refused may have callers with good tokens: those are let in all the same (see edge.http.door).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._empty_at: OrderedDict[str, float] = OrderedDict()
        """Network -> when its bucket will be full again; the full ones are not kept."""

    def may_fail(self, address: str) -> bool:
        """Count a failure of this address. Returns: whether it may be told so, or has had too many."""
        network, now = _network(address), self._clock()
        full_at = max(self._empty_at.pop(network, now), now) + _REFILL_SECONDS
        is_within = full_at - now <= _ALLOWED * _REFILL_SECONDS
        self._empty_at[network] = full_at if is_within else full_at - _REFILL_SECONDS
        while len(self._empty_at) > _MAX_ADDRESSES:
            self._empty_at.popitem(last=False)
        return is_within


def _network(address: str) -> str:
    """An IPv6 caller has a whole network of addresses to come from (RFC 6177)."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK_BITS), strict=False))
