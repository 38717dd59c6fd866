"""Host names among `only_from` and `no_access`: looked up at the start and now and then, never while a peer waits."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections.abc import Iterable, Mapping

from listener.admission import Network

_LOG = logging.getLogger("listener.hostnames")
# Shorter than what most sites change addresses in; longer than a name server minds.
_AGAIN_SECONDS = 60.0
_FIRST_SECONDS = 3.0


class HostNames:
    """Names to addresses, kept up to date by a thread. A name that cannot be looked up keeps the addresses it had."""

    def __init__(self, names: Iterable[str]) -> None:
        """Returns soon, although a name server does not answer; what is not known yet matches nobody."""
        self._addresses: Mapping[str, tuple[Network, ...]] = dict.fromkeys(names, ())
        self._is_ended = threading.Event()
        self._is_known = threading.Event()
        self.version = 0
        if self._addresses:
            threading.Thread(target=self._keep, name="host names", daemon=True).start()
            self._is_known.wait(_FIRST_SECONDS)

    def networks(self, name: str) -> tuple[Network, ...]:
        """The addresses that a name has now, each as a network of one."""
        return self._addresses.get(name, ())

    def close(self) -> None:
        """Have the thread end; it may be looking up a name, and is not waited for."""
        self._is_ended.set()

    def _keep(self) -> None:
        while True:
            found = {name: look_up(name) or known for name, known in self._addresses.items()}
            if found != self._addresses:
                self._addresses = found
                self.version += 1
            self._is_known.set()
            if self._is_ended.wait(_AGAIN_SECONDS):
                return


def look_up(name: str) -> tuple[Network, ...]:
    """The addresses of a host; none when it cannot be looked up. Blocking."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        _LOG.warning("the host name %s cannot be looked up: %s", name, error)
        return ()
    addresses = {str(each[4][0]).partition("%")[0] for each in found}
    return tuple(ipaddress.ip_network(address) for address in sorted(addresses))
