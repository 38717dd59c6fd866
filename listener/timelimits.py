"""How long one receive and one send on a connection may take, for plain and for encrypted ones."""

from __future__ import annotations

import socket
import struct
from typing import Protocol

_TIMEVAL = struct.Struct("ll")


class TimeLimits(Protocol):
    """A receive beyond its limit raises BlockingIOError or a TimeoutError without number; a send raises OSError."""

    def limit_receive(self, seconds: float) -> None: ...

    def limit_send(self, seconds: float) -> None: ...

    def send(self, data: bytes) -> None:
        """Send all of it."""
        ...


class PlainLimits:
    """The kernel's own (socket(7), SO_RCVTIMEO, SO_SNDTIMEO): a receive is one call, Python's would poll first."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def limit_receive(self, seconds: float) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(seconds))

    def limit_send(self, seconds: float) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(seconds))

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)


class EncryptedLimits:
    """Python's: OpenSSL takes the kernel's for an error after which a connection cannot go on.

    A receive yields one record, at most 16 KiB; a peer that sends more slowly than one record in the limit is idle.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._receive_seconds: float | None = None
        self._send_seconds: float | None = None

    def limit_receive(self, seconds: float) -> None:
        self._receive_seconds = seconds
        self._socket.settimeout(seconds)

    def limit_send(self, seconds: float) -> None:
        self._send_seconds = seconds

    def send(self, data: bytes) -> None:
        self._socket.settimeout(self._send_seconds)
        try:
            self._socket.sendall(data)
        finally:
            self._socket.settimeout(self._receive_seconds)


def _timeval(seconds: float) -> bytes:
    return _TIMEVAL.pack(int(seconds), int(seconds % 1 * 1_000_000))
