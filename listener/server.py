"""A worker: takes connections from the listening socket and gives each a thread, until it is told to end."""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import threading
import time
from datetime import datetime

from listener.config import Config
from listener.connection import Connection
from listener.runlog import append_line, format_line
from listener.series import Archive, SeriesOfAssociation, SeriesRegistry, close_abandoned
from listener.spool import Spool, spool_directory

_LOG = logging.getLogger("listener.server")
_BACKLOG = 512
# Python's frames are on the heap; what C code below needs stays far under this.
_THREAD_STACK_BYTES = 512 * 1024
# Beyond the associations' limit: peers that are being told so. Still more are closed unheard.
_REFUSING = 64
_OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_SECONDS = 0.1
# For threads to notice that their sockets have been shut down.
_LAST_SECONDS = 5.0


class Server:
    """One worker of one service."""

    def __init__(self, config: Config, listening: socket.socket) -> None:
        """Raises: OSError: the directories cannot be made or used."""
        self._config = config
        self._listening = listening
        self._spool = Spool(spool_directory(config.tmp_dir, config.data_dir))
        self._archive = Archive(config.data_dir, config.log_dir, self._spool, is_durable=config.is_durable)
        self._registry = SeriesRegistry(self._archive)
        self._mutex = threading.Lock()
        self._sockets: dict[threading.Thread, socket.socket] = {}
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
        self._clean()
        try:
            self._accept_until_stopped()
        finally:
            self._listening.close()
            self._drain()
            self._archive.close()
            self._spool.close()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _accept_until_stopped(self) -> None:
        # Workers share the socket: who is woken in vain must not block.
        self._listening.setblocking(False)
        poller = select.poll()
        poller.register(self._listening, select.POLLIN)
        poller.register(self._wake_read, select.POLLIN)
        next_cleaning = time.monotonic() + self._config.cleaning_seconds
        while True:
            ready = poller.poll(max(0.0, next_cleaning - time.monotonic()) * 1000)
            if any(fd == self._wake_read for fd, _ in ready):
                return
            if ready:
                self._accept()
            if time.monotonic() >= next_cleaning:
                self._clean()
                next_cleaning = time.monotonic() + self._config.cleaning_seconds

    def _accept(self) -> None:
        try:
            sock, address = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno not in _OUT_OF_DESCRIPTORS:
                raise
            _LOG.error("no connection can be taken: %s", error.strerror)
            time.sleep(_PAUSE_SECONDS)
            return
        sock.setblocking(True)
        peer = str(address[0]) if isinstance(address, tuple) else "local"
        with self._mutex:
            count = len(self._sockets)
            if count >= self._config.max_associations + _REFUSING:
                sock.close()
                return
            is_full = count >= self._config.max_associations
            thread = threading.Thread(target=self._run, args=(sock, peer, is_full), name=peer, daemon=True)
            self._sockets[thread] = sock
        try:
            thread.start()
        except RuntimeError:
            _LOG.error("%s: no thread can be started", peer)
            with self._mutex:
                del self._sockets[thread]
            sock.close()

    def _run(self, sock: socket.socket, peer: str, is_full: bool) -> None:
        series = SeriesOfAssociation(self._registry, self._config.max_open_series)
        connection = Connection(sock, peer, self._config, self._spool, series, is_full=is_full)
        try:
            connection.serve()
            self._write_run_log(connection, peer)
        finally:
            with self._mutex:
                del self._sockets[threading.current_thread()]

    def _write_run_log(self, connection: Connection, peer: str) -> None:
        association, tally = connection.association, connection.tally
        line = format_line(
            now=datetime.now().astimezone(),
            service=self._config.service,
            peer=peer,
            calling_ae=association.calling_ae,
            called_ae=association.called_ae,
            images=tally.images,
            size_bytes=tally.size_bytes,
            refused=tally.refused,
            outcome=tally.outcome,
        )
        _LOG.info("%s", line.rstrip("\n"))
        try:
            append_line(self._archive.log_fd, line, self._config.run_log_bytes)
        except OSError as error:
            _LOG.error("the run log cannot be written: %s", error.strerror)

    def _clean(self) -> None:
        """Remove and close what killed workers left."""
        try:
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
            left = list(self._sockets.values())
            for sock in left:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
        if left:
            _LOG.warning("%d associations cut off after %g seconds", len(left), self._config.drain_seconds)
        self._join_until(time.monotonic() + _LAST_SECONDS)

    def _join_until(self, deadline: float) -> None:
        with self._mutex:
            threads = list(self._sockets)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


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
