"""A socket that plays a script, and a service's directories: a whole connection without a network."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from dicomwire import CT, EXPLICIT_LITTLE, VERIFICATION, associate_rq, context_item, status_of

from listener.config import Config
from listener.connection import Connection
from listener.opening import open_archive
from listener.storage import Storage, open_receipts
from listener.underway import Underway

HEART_REQUEST = associate_rq(
    context_item(1, VERIFICATION, EXPLICIT_LITTLE),
    context_item(3, CT, EXPLICIT_LITTLE),
    called=b"HEART",
    calling=b"PACS",
)
SERIES = "P1-Doe.Jane/Head-20200102-1.2/Axial-no.value.provided-1.2.3"
"""Where dicomwire.data_set is filed, below the data directory."""


class ScriptedSocket:
    """Receives the pieces it was given, then the end of the stream, or a time-out for each None among them."""

    def __init__(self, pieces, before_each=None):
        """before_each: called with the number of the receive, 0 for the first."""
        self._pieces = list(pieces)
        self._before_each = before_each or (lambda number: None)
        self._received = 0
        self.sent = b""
        self.is_closed = False
        self.options = []

    def setsockopt(self, *option):
        self.options.append(option)

    def recv_into(self, buffer):
        self._before_each(self._received)
        self._received += 1
        if not self._pieces:
            return 0
        piece = self._pieces.pop(0)
        if piece is None:
            raise BlockingIOError
        size = min(len(piece), len(buffer))
        buffer[:size] = piece[:size]
        if size < len(piece):
            self._pieces.insert(0, piece[size:])
        return size

    def sendall(self, data):
        self.sent += data

    def shutdown(self, how):
        assert how == socket.SHUT_RDWR

    def close(self):
        self.is_closed = True


class Site:
    """One service's directories, and a worker's share in them."""

    def __init__(self, root: Path, **config):
        self.root = root
        self.config = Config(
            data_dir=str(root / "data"), log_dir=str(root / "log"), tmp_dir=str(root / "tmp"), **config
        )
        self.archive = open_archive(self.config)
        self.spool = self.archive.spool
        self.storage = Storage(self.config, self.archive, open_receipts(self.config), Underway(self.config.report_file))
        self.registry = self.storage.registry

    def close(self):
        self.storage.close()

    def series(self):
        return self.storage.series()

    def connect(self, *pieces, before_each=None):
        sock = ScriptedSocket(pieces, before_each)
        connection = Connection(sock, "192.0.2.1", self.storage)
        connection.serve()
        assert sock.is_closed
        return sock, connection

    def files(self, directory="data"):
        """Relative path -> bytes of every file."""
        base = self.root / directory
        return {str(each.relative_to(base)): each.read_bytes() for each in base.rglob("*") if each.is_file()}

    def images(self):
        return {name: data for name, data in self.files().items() if name.endswith(".dcm")}


def answers(sock):
    """The statuses of what was sent after the A-ASSOCIATE-AC."""
    statuses, offset = [], 0
    while offset < len(sock.sent):
        end = offset + 6 + int.from_bytes(sock.sent[offset + 2 : offset + 6], "big")
        if sock.sent[offset] == 4:
            statuses.append(status_of(sock.sent[offset:end]))
        offset = end
    return statuses


def run_all(*calls):
    """Run the calls at once, each in a thread of its own."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
