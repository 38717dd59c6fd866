"""A worker: takes connections from the listening socket and gives each a thread, until it is told to end."""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from listener.admission import FULL, TLS, Refusal
from listener.config import Config
from listener.doorkeeper import NO_ENTRY, Doorkeeper
from listener.journal import Journal
from listener.report import Report
from listener.serieslock import close_abandoned
from listener.storage import Storage
from listener.underway import receipt_of

if TYPE_CHECKING:
    from listener.connection import Connection
    from listener.tls import TlsDoor

_LOG = logging.getLogger("listener.server")
_BACKLOG = 512
# Python's frames are on the heap; what C code below needs stays far under this.
_THREAD_STACK_BYTES = 512 * 1024
# Beyond the associations' limit: peers that are being told so. Still more are closed unheard.
_REFUSING = 64
# The listening socket itself cannot be used; what else accept(2) reports is a peer's or the network's, or passes.
_LISTENING_LOST = frozenset({errno.EBADF, errno.ENOTSOCK})
_PAUSE_SECONDS = 0.1
# For threads to notice that their sockets have been shut down.
_LAST_SECONDS = 5.0
_REPORT_SECONDS = 1.0
_NO_DICOM = "protocol"


@dataclass
class _Open:
    """A connection that is being served, or told why it is not."""

    socket: socket.socket
    refusal: Refusal | None
    began: float
    connection: Connection | None = None


class Server:
    """One worker of one service."""

    def __init__(
        self,
        listening: socket.socket,
        doorkeeper: Doorkeeper,
        report: Report,
        storage: Storage,
        tls: TlsDoor | None = None,
    ) -> None:
        """Everything that is given here is closed when `serve` ends."""
        self._config = storage.config
        self._listening = listening
        self._doorkeeper = doorkeeper
        self._report = report
        self._storage = storage
        self._tls = tls
        self._archive = storage.archive
        self._journal = Journal(self._config, self._archive)
        self._mutex = threading.Lock()
        self._open: dict[threading.Thread, _Open] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def wake_fd(self) -> int:
        """Writing to it ends `serve`: fit for signal.set_wakeup_fd."""
        return self._wake_write

    def stop(self) -> None:
        """End `serve` from any thread."""
        os.write(self._wake_write, b"\0")

    def serve(self) -> None:
        """Serve until `stop`; then take no more, let the open associations finish, and release everything."""
        threading.stack_size(_THREAD_STACK_BYTES)
        for transfer in self._storage.underway.abandoned:
            self._journal.note_abandoned(transfer)
            self._storage.receipts.write(receipt_of(transfer))
        self._clean()
        try:
            self._accept_until_stopped()
        finally:
            self._listening.close()
            self._drain()
            self._storage.close()
            self._doorkeeper.close()
            self._report.close()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _accept_until_stopped(self) -> None:
        # Workers share the socket: who is woken in vain must not block.
        self._listening.setblocking(False)
        poller = select.poll()
        poller.register(self._listening, select.POLLIN)
        poller.register(self._wake_read, select.POLLIN)
        next_cleaning = time.monotonic() + self._config.cleaning_seconds
        next_report = 0.0
        while True:
            if time.monotonic() >= next_report:
                self._write_report(is_draining=False)
                next_report = time.monotonic() + _REPORT_SECONDS
            ready = poller.poll(max(0.0, min(next_report, next_cleaning) - time.monotonic()) * 1000)
            if any(fd == self._wake_read for fd, _ in ready):
                return
            if ready and not self._accept():
                return
            if time.monotonic() >= next_cleaning:
                self._clean()
                next_cleaning = time.monotonic() + self._config.cleaning_seconds

    def _accept(self) -> bool:
        """Take one connection. Returns: False when the socket has been shut down: the service takes no more."""
        try:
            sock, address = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return True
        except OSError as error:
            if error.errno == errno.EINVAL:
                return False
            if error.errno in _LISTENING_LOST:
                raise
            _LOG.error("no connection can be taken: %s", error.strerror)
            time.sleep(_PAUSE_SECONDS)
            return True
        sock.setblocking(True)
        peer = str(address[0]) if isinstance(address, tuple) else "local"
        admitted = self._doorkeeper.admit(peer)
        if isinstance(admitted, Refusal):
            self._refuse(sock, peer, admitted)
        else:
            self._admit(sock, peer, admitted)
        return True

    def _admit(self, sock: socket.socket, peer: str, entry: int) -> None:
        with self._mutex:
            is_full = sum(each.refusal is None for each in self._open.values()) >= self._config.max_associations
        if is_full:
            self._doorkeeper.leave(entry)
            self._refuse(sock, peer, FULL)
            return
        self._report.numbers.associations += 1
        self._start(_Open(sock, None, time.monotonic()), peer, entry)

    def _refuse(self, sock: socket.socket, peer: str, refusal: Refusal) -> None:
        """Tell the peer, in a thread, unless there are many that are being told; or just close."""
        self._report.count_refused(refusal.word)
        with self._mutex:
            refusing = sum(each.refusal is not None for each in self._open.values())
        if refusal.is_told and refusing < _REFUSING:
            self._start(_Open(sock, refusal, time.monotonic()), peer, NO_ENTRY)
            return
        sock.close()
        self._journal.note_refusal(peer, refusal)

    def _start(self, opened: _Open, peer: str, entry: int) -> None:
        thread = threading.Thread(target=self._run, args=(opened, peer, entry), name=peer, daemon=True)
        with self._mutex:
            self._open[thread] = opened
        try:
            thread.start()
        except RuntimeError:
            _LOG.error("%s: no thread can be started", peer)
            self._let_go(thread, entry)
            opened.socket.close()

    def _run(self, opened: _Open, peer: str, entry: int) -> None:
        try:
            if self._tls is not None and not self._secure(self._tls, opened, peer):
                return
            # Not before the first peer: what negotiates and reads images takes 20 MB and a quarter of a second.
            from listener.connection import Connection  # noqa: PLC0415 - see above

            connection = Connection(
                opened.socket, peer, self._storage, opened.refusal, is_encrypted=self._tls is not None
            )
            opened.connection = connection
            connection.serve()
            self._count(opened, connection)
            self._journal.note_end(connection, peer, time.monotonic() - opened.began)
        finally:
            opened.socket.close()
            self._let_go(threading.current_thread(), entry)

    def _secure(self, tls: TlsDoor, opened: _Open, peer: str) -> bool:
        """Bring the connection's TLS about, within the time for an A-ASSOCIATE-RQ. Returns: whether it has come."""
        try:
            opened.socket = sock = tls.wrap(opened.socket)
            sock.settimeout(self._config.artim_seconds)
            sock.do_handshake()
        except OSError as error:
            # A peer that was to be refused anyway has been counted.
            if opened.refusal is None:
                self._report.count_refused(TLS.word)
            self._journal.note_refusal(peer, replace(TLS, text=f"TLS: {tls.explain(error)}"))
            return False
        return True

    def _let_go(self, thread: threading.Thread, entry: int) -> None:
        self._doorkeeper.leave(entry)
        with self._mutex:
            opened = self._open.pop(thread)
        if opened.connection is not None:
            self._report.count_ended(opened.connection.tally.images, opened.connection.tally.size_bytes)

    def _count(self, opened: _Open, connection: Connection) -> None:
        refusal = connection.association.refusal
        if refusal is not None and opened.refusal is None:
            self._report.count_refused(refusal.word)
        if connection.association.is_foreign:
            self._report.count_refused(_NO_DICOM)
        for word, count in connection.tally.refused_by.items():
            self._report.count_refused(word, count)

    def _write_report(self, *, is_draining: bool) -> None:
        with self._mutex:
            opened = [each for each in self._open.values() if each.refusal is None]
        tallies = [each.connection.tally for each in opened if each.connection is not None]
        self._report.write(
            open_associations=len(opened),
            images=sum(tally.images for tally in tallies),
            size_bytes=sum(tally.size_bytes for tally in tallies),
            is_draining=is_draining,
        )

    def _clean(self) -> None:
        """Remove and close what killed workers left."""
        try:
            self._archive.follow_paths()
            for spool in self._archive.spools:
                for leftover in spool.remove_leftovers():
                    if not leftover.was_filed:
                        _LOG.warning("removed %s, cut off after %d bytes", leftover.name, leftover.size_bytes)
            close_abandoned(self._archive, lambda name: _LOG.warning("closed a series that was abandoned, %s", name))
        except OSError as error:
            _LOG.error("cleaning failed: %s", error.strerror)

    def _drain(self) -> None:
        """Let the open associations finish; then cut them off."""
        self._join_until(time.monotonic() + self._config.drain_seconds)
        with self._mutex:
            left = list(self._open.values())
            for each in left:
                try:
                    # An encrypted one's own would forget its keys while its thread still uses them.
                    socket.socket.shutdown(each.socket, socket.SHUT_RDWR)
                except OSError:
                    continue
        if left:
            _LOG.warning("%d associations cut off after %g seconds", len(left), self._config.drain_seconds)
        self._join_until(time.monotonic() + _LAST_SECONDS)

    def _join_until(self, deadline: float) -> None:
        while True:
            self._write_report(is_draining=True)
            with self._mutex:
                thread = next(iter(self._open), None)
            seconds = deadline - time.monotonic()
            if thread is None or seconds <= 0:
                return
            thread.join(min(seconds, _REPORT_SECONDS))


def listening_socket(config: Config) -> tuple[socket.socket, bool]:
    """File descriptor 0 when it is a listening socket, as supervisord hands it over; else one bound as configured.

    Returns: the socket, and whether it was handed over. Raises: OSError: the address cannot be bound.
    """
    try:
        inherited = socket.socket(fileno=os.dup(0))
    except OSError:
        inherited = None
    if inherited is not None:
        if inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            # Closing ours must let go of it for good: other workers, and supervisord, have their own.
            nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            os.dup2(nothing, 0)
            os.close(nothing)
            return inherited, True
        inherited.close()
    family = socket.AF_INET6 if ":" in config.bind else socket.AF_INET
    return socket.create_server((config.bind, config.port), family=family, backlog=_BACKLOG), False
