"""Peers that hold a connection and nothing else: mute ones, ones that send a byte a second, ones that never read."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

HOST = "127.0.0.1"
PEERS = 500
RSS_BYTES = 200 * 2**20
"""More than this no process may take with PEERS of them."""
OTHERS = 8
"""Descriptors that a process may have come to need since it began."""
PUT_OUT_SECONDS = 90
_SECOND = 1.0
_SMALL = 4096


@dataclass(frozen=True)
class Manner:
    """How to stall: what is said at once, what follows a byte a second, what is said again and again and never read."""

    name: str
    at_once: bytes = b""
    bytewise: bytes = b""
    unread: bytes = b""


class Stalling(threading.Thread):
    """So many connections to a port, in the manners in turn, held until `stop`, whatever the other side does."""

    def __init__(self, count: int, port: int, manners: list[Manner]) -> None:
        super().__init__(daemon=True)
        self._stopping = threading.Event()
        self._peers = []
        for number in range(count):
            manner = manners[number % len(manners)]
            sock = socket.socket()
            if manner.unread:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
            sock.connect((HOST, port))
            sock.sendall(manner.at_once)
            sock.setblocking(False)
            self._peers.append((sock, manner))

    def stop(self) -> None:
        self._stopping.set()
        self.join(10)
        for sock, _ in self._peers:
            sock.close()

    def run(self) -> None:
        second = 0
        while not self._stopping.wait(_SECOND):
            for sock, manner in self._peers:
                # a connection that is over says so here, and is held all the same
                with contextlib.suppress(OSError):
                    if manner.unread:
                        sock.send(manner.unread)
                    elif manner.bytewise:
                        sock.send(manner.bytewise[second % len(manner.bytewise) :][:1])
            second += 1


def descriptors(pids: Iterable[int]) -> int:
    """How many the processes have open together."""
    return sum(psutil.Process(pid).num_fds() for pid in pids)


def rss_bytes(pids: Iterable[int]) -> int:
    """Of the largest of the processes."""
    return max(psutil.Process(pid).memory_info().rss for pid in pids)
