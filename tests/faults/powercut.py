"""What a power cut would leave: the durable part of a directory tree, at any moment, from recorder.c's record.

A file has the bytes that it had when its last fsync or fdatasync began that has ended; a directory has the entries that
it had when its last fsync began that has ended. Nothing else is there: this is the least that POSIX promises. `Disk`
can also add some of what happened since, chosen at random, as a disk may have got to it: names given and taken away, in
any order between directories; files that were never synced are then empty.

What it can show: that an acknowledgement was sent before something that it promises had been asked of the kernel and
granted; that a name became durable before what it names. What it cannot: a kernel, file system or disk that does not
keep its promise of fsync; what a disk's write cache loses; an order that only one file system has. It follows names and
contents, and neither modes nor times.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FILE, DIRECTORY, LINKED, UNLINKED, SENT = b"FDLUA"
_HEAD = struct.Struct("=B7xQQQQ")
_INODE = struct.Struct("=QB")


@dataclass(frozen=True)
class Record:
    """One call; begun and ended are ns of CLOCK_MONOTONIC."""

    kind: int
    begun: int
    ended: int
    inode: int
    content: bytes


@dataclass(frozen=True)
class Entry:
    """What a name in a directory means."""

    inode: int
    is_directory: bool


def read_record(file: Path) -> list[Record]:
    """All records in the order in which their calls ended."""
    data = file.read_bytes()
    records = []
    offset = 0
    while offset < len(data):
        kind, begun, ended, inode, size = _HEAD.unpack_from(data, offset)
        offset += _HEAD.size
        records.append(Record(kind, begun, ended, inode, data[offset : offset + size]))
        offset += size
    return sorted(records, key=lambda record: record.ended)


@dataclass
class _Listing:
    """The entries of a directory when a sync of it began, and the records of changes since."""

    begun: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)
    since: list[Record] = field(default_factory=list)


class Disk:
    """The durable state below one directory, whose own place is durable; feed it records in their order."""

    def __init__(self, root_inode: int) -> None:
        self._root = root_inode
        self._files: dict[int, tuple[int, bytes]] = {}
        self._listings: dict[int, _Listing] = {}

    def take(self, record: Record) -> None:
        if record.kind == FILE:
            if record.begun >= self._files.get(record.inode, (0, b""))[0]:
                self._files[record.inode] = record.begun, record.content
        elif record.kind == DIRECTORY:
            listing = self._listing(record.inode)
            if record.begun >= listing.begun:
                listing.begun, listing.entries = record.begun, dict(_entries(record.content))
                listing.since = [each for each in listing.since if each.ended > record.begun]
        elif record.kind in (LINKED, UNLINKED):
            self._listing(record.inode).since.append(record)

    def files(self, chance: random.Random | None = None) -> dict[str, bytes]:
        """Path below the root -> contents. With `chance`, some of what was not synced is there as well."""
        return {path: content for path, content in self._walk(self._root, "", chance) if content is not None}

    def write(self, target: Path, chance: random.Random | None = None) -> None:
        """Make such a tree, directories included, in an empty directory."""
        for path, content in self._walk(self._root, "", chance):
            if content is None:
                (target / path).mkdir()
            else:
                (target / path).write_bytes(content)

    def _listing(self, inode: int) -> _Listing:
        return self._listings.setdefault(inode, _Listing())

    def _walk(self, inode: int, path: str, chance: random.Random | None) -> Iterator[tuple[str, bytes | None]]:
        for name, entry in self._entries_of(inode, chance).items():
            if not entry.is_directory:
                yield path + name, self._files.get(entry.inode, (0, b""))[1]
                continue
            yield path + name, None
            yield from self._walk(entry.inode, f"{path}{name}/", chance)

    def _entries_of(self, inode: int, chance: random.Random | None) -> dict[str, Entry]:
        listing = self._listings.get(inode, _Listing())
        entries = dict(listing.entries)
        if chance is None:
            return entries
        # both halves of a rename within one directory have the same beginning: they happen together or not at all
        got_to = {begun for begun in {each.begun for each in listing.since} if chance.random() < 0.5}
        for each in listing.since:
            if each.begun not in got_to:
                continue
            if each.kind == LINKED:
                entries.update(_entries(each.content))
            else:
                entries.pop(each.content[:-1].decode(), None)
        return entries


def _entries(content: bytes) -> Iterator[tuple[str, Entry]]:
    offset = 0
    while offset < len(content):
        inode, is_directory = _INODE.unpack_from(content, offset)
        offset += _INODE.size
        end = content.index(b"\0", offset)
        yield content[offset:end].decode(), Entry(inode, bool(is_directory))
        offset = end + 1
