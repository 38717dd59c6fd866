"""What the workers of a service count together: open associations, by source, and the rate of connections.

One file for a service, mapped by every worker, changed under a lock (fcntl). Each worker has a place in it, held by a
lock on one byte for as long as its process lives; each open association has an entry that names its worker's place. A
killed worker's lock is gone with it, so its entries are known to be void and are dropped when they would count.

file = rate: began f64 | closed_until f64 | count u64 | from this entry on all are free u64
     | owners: u32 [ENTRIES], 0 free, else a worker's place + 1
     | sources: u64 [ENTRIES], the address or its digest
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import tempfile
import threading
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from listener.admission import INSTANCES, PER_SOURCE, RATE, Address, Rate, Refusal, count_connection

ENTRIES = 4096
PLACES = 512

_RATE = struct.Struct("=ddQ")
_HIGH = struct.Struct("=Q")
_HIGH_AT = _RATE.size
_RATE_BYTES = 64
_OWNERS = slice(_RATE_BYTES, _RATE_BYTES + 4 * ENTRIES)
_SOURCES = slice(_OWNERS.stop, _OWNERS.stop + 8 * ENTRIES)
_SIZE = _SOURCES.stop
# Bytes beyond the contents stand for locks: nobody reads or writes them.
_CHANGE_LOCK = _SIZE
_FIRST_PLACE = _SIZE + 1


class SharedCounts:
    """One worker's view of its service's counts. Any of its threads may use it."""

    def __init__(self, file: str, *, instances: int, per_source: int, connections: int, wait_seconds: int) -> None:
        """Limits of 0 stand for none. file: empty when this worker is the only one.

        Raises: OSError: the file cannot be made or used, or every place is taken.
        """
        self._instances, self._per_source = instances, per_source
        self._connections, self._wait_seconds = connections, wait_seconds
        self._fd = _open(file)
        self._mutex = threading.Lock()
        os.ftruncate(self._fd, _SIZE)
        self._map = mmap.mmap(self._fd, _SIZE)
        self._view = memoryview(self._map)
        self._owners = self._view[_OWNERS].cast("I")
        self._sources = self._view[_SOURCES].cast("Q")
        with self._changing():
            self._place = self._take_place()
            if not self._is_anybody_else():
                self._view[:_SIZE] = bytes(_SIZE)
            self._drop(self._place)

    def enter(self, source: Address, now: float) -> int | Refusal:
        """Count a connection. Returns: its entry, to be given to `leave`, or why it is refused."""
        key = _key(source)
        with self._changing():
            if self._connections and not self._admit_rate(now):
                return RATE
            high = self._lower_high()
            refusal = self._judge(key, high)
            if refusal is not None and self._drop_dead():
                refusal = self._judge(key, high)
            if refusal is not None:
                return refusal
            entry = _find_free(self._owners[:high])
            if entry == ENTRIES:
                return INSTANCES
            if entry == high:
                _HIGH.pack_into(self._view, _HIGH_AT, high + 1)
            self._owners[entry] = self._place + 1
            self._sources[entry] = key
            return entry

    def leave(self, entry: int) -> None:
        """The association of this entry is over."""
        # storing one word needs no lock: nobody else writes an entry that is taken, unless its owner is dead
        with suppress(ValueError):  # of a worker that is ending, and has let go of everything
            self._owners[entry] = 0

    def close(self) -> None:
        """Give up this worker's place and entries."""
        with self._changing():
            self._drop(self._place)
        self._owners.release()
        self._sources.release()
        self._view.release()
        self._map.close()
        os.close(self._fd)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        # the lock is the process's: among our own threads the mutex decides
        with self._mutex:
            fcntl.lockf(self._fd, fcntl.LOCK_EX, 1, _CHANGE_LOCK)
            try:
                yield
            finally:
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, _CHANGE_LOCK)

    def _lower_high(self) -> int:
        """The entry from which on all are free: what is looked at grows with what is open, not with the file."""
        (high,) = _HIGH.unpack_from(self._view, _HIGH_AT)
        while high and not self._owners[high - 1]:
            high -= 1
        _HIGH.pack_into(self._view, _HIGH_AT, high)
        return int(high)

    def _judge(self, key: int, high: int) -> Refusal | None:
        if not self._instances and not self._per_source:
            return None
        owners = array("I", self._owners[:high])
        if self._instances and high - owners.count(0) >= self._instances:
            return INSTANCES
        if self._per_source:
            same = sum(1 for each in _positions(self._sources[:high], key) if owners[each])
            if same >= self._per_source:
                return PER_SOURCE
        return None

    def _admit_rate(self, now: float) -> bool:
        began, closed_until, count = _RATE.unpack_from(self._view)
        rate, is_admitted = count_connection(
            Rate(began, count, closed_until), now, self._connections, self._wait_seconds
        )
        _RATE.pack_into(self._view, 0, rate.second_began, rate.closed_until, rate.count)
        return is_admitted

    def _take_place(self) -> int:
        for place in range(PLACES):
            with suppress(OSError):
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _FIRST_PLACE + place)
                return place
        raise OSError("every place in the service's counts is taken")

    def _is_anybody_else(self) -> bool:
        return any(not self._is_dead(place) for place in range(PLACES) if place != self._place)

    def _is_dead(self, place: int) -> bool:
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _FIRST_PLACE + place)
        except OSError:
            return False
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, _FIRST_PLACE + place)
        return True

    def _drop_dead(self) -> bool:
        """Drop the entries of workers that are no more. Returns: whether there were any."""
        places = {owner - 1 for owner in set(array("I", self._owners)) if owner} - {self._place}
        dead = [place for place in places if self._is_dead(place)]
        for place in dead:
            self._drop(place)
        return bool(dead)

    def _drop(self, place: int) -> None:
        for entry in _positions(self._owners, place + 1):
            self._owners[entry] = 0


def _open(file: str) -> int:
    if not file:
        with tempfile.TemporaryFile() as nameless:
            return os.dup(nameless.fileno())
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _key(source: Address) -> int:
    """A number for an address: an IPv4 address itself, the digest of an IPv6 one; never 0."""
    packed = source.packed
    if len(packed) == 4:
        return int.from_bytes(packed) + (1 << 32)
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest()) | 1 << 33


def _find_free(owners: memoryview) -> int:
    """The first free entry of these; the one after them when there is none."""
    try:
        return array("I", owners).index(0)
    except ValueError:
        return len(owners)


def _positions(words: memoryview, wanted: int) -> Iterator[int]:
    values = array(words.format, words)
    at = -1
    for _ in range(values.count(wanted)):
        at = values.index(wanted, at + 1)
        yield at
