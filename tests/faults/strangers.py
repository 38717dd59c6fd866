"""Connections of peers that speak something else, or not to the end: port scans, half proposals, the wrong protocol."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import struct
import threading
from collections import Counter

from .targets import PROPOSAL

HOST = "127.0.0.1"
_ANSWER_SECONDS = 20
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_LISTENED_TO = 0.25
_MESSAGE = b'{"action": "hello", "meta": {"askAbout": "timestamp"}}'
_REQUEST = b"POST /api/v1/cmd HTTP/1.1\r\nHost: pfdcm\r\nContent-Length: %d\r\n\r\n" % len(_MESSAGE) + _MESSAGE


def _client_hello() -> bytes:
    """The first bytes of a TLS client."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="pfdcm")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


_TLS = _client_hello()


def said(choices: random.Random) -> tuple[str, bytes]:
    """What a stranger says: its kind, and the bytes."""
    kind = choices.choice(
        ("nothing", "noise", "half a proposal", "noise after a proposal", "half a request", "HTTP", "DICOM", "TLS")
    )
    match kind:
        case "nothing":
            return kind, b""
        case "noise":
            return kind, choices.randbytes(choices.randrange(1, 2000))
        case "half a proposal":
            return kind, PROPOSAL[: choices.randrange(1, len(PROPOSAL))]
        case "noise after a proposal":
            return kind, PROPOSAL + choices.randbytes(choices.randrange(1, 400))
        case "half a request":
            return kind, _REQUEST[: choices.randrange(1, len(_REQUEST))]
        case "HTTP":
            return kind, _REQUEST
        case "DICOM":
            return kind, PROPOSAL
        case _:
            return kind, _TLS[: choices.choice((len(_TLS), choices.randrange(1, len(_TLS))))]


class Strangers(threading.Thread):
    """So many connections, one after the other, to one of the ports each."""

    def __init__(self, count: int, ports: list[int], choices: random.Random) -> None:
        super().__init__(daemon=True)
        self._count, self._ports, self._choices = count, ports, choices
        self.made: Counter[str] = Counter()
        self.refused = 0
        self.stuck = 0

    def run(self) -> None:
        for _ in range(self._count):
            kind, content = said(self._choices)
            try:
                self._connect(content)
            except ConnectionRefusedError:
                self.refused += 1
            except TimeoutError:
                self.stuck += 1
            except OSError:
                # the other side had enough, which is its right
                self.made[kind] += 1
            else:
                self.made[kind] += 1

    def _connect(self, content: bytes) -> None:
        """Say it, and listen for the answer, close, or reset the connection."""
        manner = self._choices.random()
        with socket.create_connection((HOST, self._choices.choice(self._ports)), timeout=_ANSWER_SECONDS) as sock:
            if manner > 0.5:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            sock.sendall(content)
            if manner < _LISTENED_TO:
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
