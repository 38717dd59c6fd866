"""Runs inside supervisord: keeps the listening sockets, one for each address, whatever happens to workers and groups.

supervisord by itself closes a group's socket when the last worker has died, and cannot give one socket to two groups:
who connects in between is refused. Loaded as an RPC interface, which is the place that supervisord has for additions,
this opens each address once, gives a group that is to be added a duplicate, and closes the address when no group uses
it any more. It also opens IPv6 addresses, which supervisord's own configuration cannot name.
Source: Supervisor's manual, "Extending Supervisor's XML-RPC API".
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from supervisor import events
from supervisor.datatypes import SocketConfig

Address = tuple[str, int]


class _KeptSocketConfig(SocketConfig):  # type: ignore[misc]  # supervisor has no types
    """Where supervisord would open a socket of its own, a duplicate of one that is open."""

    def __init__(self, kept: socket.socket, address: Address, backlog: int) -> None:
        self._kept = kept
        self._address = address
        self.url = f"kept://{address[0]}:{address[1]}"
        self.backlog = backlog

    def addr(self) -> Address:
        return self._address

    def create_and_bind(self) -> socket.socket:
        return self._kept.dup()


class SocketKeeper:
    """The RPC namespace `sockets`. supervisord is single-threaded, so nothing here needs a lock."""

    def __init__(self, supervisord: Any) -> None:
        self._supervisord = supervisord
        self._sockets: dict[Address, socket.socket] = {}
        self._users: dict[str, Address] = {}
        events.subscribe(events.ProcessGroupRemovedEvent, lambda event: self.release(event.group))
        events.subscribe(events.SupervisorStoppingEvent, lambda _: self._release_all())

    def open(self, group: str, host: str, port: int, backlog: int) -> str:
        """Give a configured group, before it is added, the address's socket. Returns: why not, or nothing."""
        config = next((c for c in self._supervisord.options.process_group_configs if c.name == group), None)
        if config is None:
            return f"{group} is not configured"
        address = (host, port)
        if address not in self._sockets:
            try:
                self._sockets[address] = _listen(address, backlog)
            except OSError as error:
                return errno.errorcode.get(error.errno or 0, "") or str(error)
        self._users[group] = address
        config.socket_config = _KeptSocketConfig(self._sockets[address], address, backlog)
        return ""

    def release(self, group: str) -> bool:
        """The group takes no more connections; its address is closed when no other group uses it. Whether it had one.

        Workers that are still finishing have duplicates: shutting the socket down closes it for these too, so that a
        peer is refused and does not wait for nobody.
        """
        address = self._users.pop(group, None)
        if address is None:
            return False
        if address not in self._users.values():
            kept = self._sockets.pop(address)
            kept.shutdown(socket.SHUT_RDWR)
            kept.close()
        return True

    def _release_all(self) -> None:
        for group in list(self._users):
            self.release(group)


def make_keeper(supervisord: Any) -> SocketKeeper:
    """What supervisord calls for `rpcinterface_factory`."""
    return SocketKeeper(supervisord)


def _listen(address: Address, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    return listening
