"""The door: whether a connection that has just been made is let in. Cheap, and before anything else is done for it."""

from __future__ import annotations

import ipaddress
import os
import time

from listener.admission import (
    ADDRESS,
    LOAD,
    TIME,
    Address,
    AddressRules,
    Network,
    Refusal,
    is_open_at,
    parse_intervals,
)
from listener.config import Config
from listener.counts import SharedCounts
from listener.errors import ConfigurationFault
from listener.hostnames import HostNames

NO_ENTRY = -1


class Doorkeeper:
    """The rules of one service at the time of a connection. Used by the accepting thread; `leave` by any."""

    def __init__(self, config: Config) -> None:
        """Raises: ConfigurationFault: a rule cannot be understood. OSError: the counts cannot be kept."""
        try:
            self._intervals = parse_intervals(config.access_times)
        except ValueError as error:
            raise ConfigurationFault(f"access_times: {error}") from error
        self._max_load = config.max_load
        self._allowed, self._denied = config.only_from, config.no_access
        self._is_restricted = bool(config.only_from) or config.is_for_nobody
        words = {*config.only_from, *config.no_access}
        self._networks = {word: network for word in words if (network := _network(word)) is not None}
        self._counts: SharedCounts | None = None
        if config.instances or config.per_source or config.cps_connections:
            self._counts = SharedCounts(
                config.counts_file,
                instances=config.instances,
                per_source=config.per_source,
                connections=config.cps_connections,
                wait_seconds=config.cps_wait_seconds,
            )
        # last, for it may begin a thread: what fails above leaves none behind
        self._names = HostNames(words - self._networks.keys())
        self._names_version = -1
        self._rules: AddressRules | None = None

    def admit(self, source: str) -> int | Refusal:
        """Returns: the entry to give to `leave` (NO_ENTRY where nothing is counted), or why not."""
        address = _address(source)
        if not self._address_rules().admits(address):
            return ADDRESS
        if self._intervals:
            now = time.localtime()
            if not is_open_at(self._intervals, now.tm_hour * 60 + now.tm_min):
                return TIME
        if self._max_load and os.getloadavg()[0] >= self._max_load:
            return LOAD
        return NO_ENTRY if self._counts is None else self._counts.enter(address, time.monotonic())

    def leave(self, entry: int) -> None:
        """The connection of that entry is over, and counts no more."""
        if entry != NO_ENTRY and self._counts is not None:
            self._counts.leave(entry)

    def close(self) -> None:
        """Let go of the counts, and of the thread that looks names up."""
        self._names.close()
        if self._counts is not None:
            self._counts.close()

    def _address_rules(self) -> AddressRules:
        version = self._names.version
        if self._rules is None or version != self._names_version:
            self._names_version = version
            self._rules = AddressRules(
                [network for word in self._allowed for network in self._of(word)],
                [network for word in self._denied for network in self._of(word)],
                is_restricted=self._is_restricted,
            )
        return self._rules

    def _of(self, word: str) -> tuple[Network, ...]:
        network = self._networks.get(word)
        return self._names.networks(word) if network is None else (network,)


def _network(word: str) -> Network | None:
    try:
        return ipaddress.ip_network(word)
    except ValueError:
        return None


def _address(source: str) -> Address:
    """A peer's address; a peer on a socket without addresses is this machine."""
    try:
        return ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return ipaddress.IPv4Address("127.0.0.1")
