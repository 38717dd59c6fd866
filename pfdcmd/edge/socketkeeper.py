"""Runs inside supervisord: keeps each group's listening socket open while none of its workers is alive.

supervisord by itself closes a group's socket when the last worker has died, and opens it again for the next one: who
connects in between is refused. Loaded as an RPC interface, which is the place that supervisord has for additions, this
holds a reference to the socket of every group from when the group is added until it is removed or released.
Source: Supervisor's manual, "Extending Supervisor's XML-RPC API".
"""

from __future__ import annotations

from typing import Any

from supervisor import events


class SocketKeeper:
    """The RPC namespace `sockets`. supervisord is single-threaded, so nothing here needs a lock."""

    def __init__(self, supervisord: Any) -> None:
        self._supervisord = supervisord
        self._held: dict[str, object] = {}
        for group in supervisord.process_groups:
            self._hold(group)
        events.subscribe(events.ProcessGroupAddedEvent, lambda event: self._hold(event.group))
        events.subscribe(events.ProcessGroupRemovedEvent, lambda event: self.release(event.group))
        events.subscribe(events.SupervisorStoppingEvent, lambda _: self._held.clear())

    def release(self, group: str) -> bool:
        """Let a group's socket close with its last worker; whether it was held."""
        return self._held.pop(group, None) is not None

    def _hold(self, group: str) -> None:
        manager = getattr(self._supervisord.process_groups[group], "socket_manager", None)
        if manager is not None:
            self._held[group] = manager.get_socket()


def make_keeper(supervisord: Any) -> SocketKeeper:
    """What supervisord calls for `rpcinterface_factory`."""
    return SocketKeeper(supervisord)
