"""What the ledger knows of series and instances, as statements on an open transaction (see ledgerschema).

A function without words of its own does what the method of SqliteLedger says that is called like it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from pfdcmd.edge.retrieve.ledgerjobs import job_of_series
from pfdcmd.edge.retrieve.seriesdirectory import is_receiving, modified_ns, read_series_directory
from pfdcmd.retrieve.ledger import DirectoryRecord, Noted, SeriesRecord

# While images arrive the receipts tell of them; looking at the disk as well is for those without receipts.
_LOOK_AGAIN_SECONDS = 2.0
# Of map files: one a service, and what callers have set in the tree.
_MAX_DIRECTORIES = 10_000
_GONE = -1


class _Directory(NamedTuple):
    """A row of the table directory."""

    id: int
    path: str
    mtime_ns: int
    looked: float
    files: int


def series_id(connection: sqlite3.Connection, uid: str, study: str) -> int:
    """The row of a series, made when it is new; a study that was not known is noted."""
    row = connection.execute("SELECT id, study FROM series WHERE uid = ?", (uid,)).fetchone()
    if row is None:
        return int(connection.execute("INSERT INTO series (uid, study) VALUES (?, ?)", (uid, study)).lastrowid or 0)
    if study and not row[1]:
        connection.execute("UPDATE series SET study = ? WHERE id = ?", (study, row[0]))
    return int(row[0])


def directory_id(connection: sqlite3.Connection, path: str, series: int) -> int:
    """The row of a directory, made when it is new."""
    row = connection.execute("SELECT id FROM directory WHERE path = ?", (path,)).fetchone()
    if row is not None:
        return int(row[0])
    made = connection.execute("INSERT INTO directory (path, series) VALUES (?, ?)", (path, series))
    return int(made.lastrowid or 0)


def look(
    connection: sqlite3.Connection, uid: str, directories: Collection[str], *, seconds_a_file: float = 0.0
) -> list[DirectoryRecord]:
    """Compare the series' directories with the disk where they have changed. Raises: OSError."""
    series = series_id(connection, uid, "")
    for path in directories:
        directory_id(connection, path, series)
    known = _directories(connection, series)
    to_read = [row for row in known if _is_to_be_read(row, seconds_a_file)]
    is_any_gone = [_read_again(connection, series, row.id, row.path) for row in to_read]
    if any(is_any_gone) and len(known) > 1:
        # What is gone from one may be in another that holds the series as well.
        for row in known:
            _read_again(connection, series, row.id, row.path)
    rows = connection.execute("SELECT path, files FROM directory WHERE series = ?", (series,))
    return [DirectoryRecord(path, files) for path, files in rows]


def noted(connection: sqlite3.Connection, uid: str, directory: str) -> Noted:
    row = connection.execute(
        "SELECT mtime_ns, files FROM directory JOIN series ON series.id = directory.series"
        " WHERE path = ? AND series.uid = ?",
        (directory, uid),
    ).fetchone()
    return Noted(
        files=row[1] if row else None,
        is_current=row is not None and row[0] == modified_ns(directory),
        record=record(connection, uid),
        job=job_of_series(connection, uid),
    )


def record(connection: sqlite3.Connection, uid: str) -> SeriesRecord | None:
    row = connection.execute(
        "SELECT study, is_listed, listed, listed_present, counted, moved, present, size_bytes FROM series"
        " WHERE uid = ?",
        (uid,),
    ).fetchone()
    if row is None:
        return None
    study, is_listed, listed, listed_present, counted, moved, present, size_bytes = row
    return SeriesRecord(uid, study, listed if is_listed else None, listed_present, counted, moved, present, size_bytes)


def present(connection: sqlite3.Connection, uid: str) -> frozenset[str]:
    rows = connection.execute(
        "SELECT uid FROM instance WHERE series = (SELECT id FROM series WHERE uid = ?) AND directory != 0", (uid,)
    )
    return frozenset(row[0] for row in rows)


def troubles(connection: sqlite3.Connection, uid: str) -> dict[str, str]:
    return dict(connection.execute("SELECT instance, reason FROM trouble WHERE series = ?", (uid,)))


def series_of_study(connection: sqlite3.Connection, study: str) -> list[str]:
    rows = connection.execute("SELECT uid FROM series WHERE study = ? AND present ORDER BY uid", (study,))
    return [row[0] for row in rows]


def note_listed(connection: sqlite3.Connection, study: str, uid: str, instances: Collection[str]) -> None:
    series = series_id(connection, uid, study)
    rows = connection.execute("SELECT uid FROM instance WHERE series = ? AND is_listed", (series,))
    before = {row[0] for row in rows}
    now = set(instances)
    connection.executemany(
        "UPDATE instance SET is_listed = 0 WHERE series = ? AND uid = ?", [(series, each) for each in before - now]
    )
    connection.executemany(
        "INSERT INTO instance (series, uid, is_listed) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET is_listed = 1",
        [(series, each) for each in now - before],
    )
    connection.execute("UPDATE series SET is_listed = 1 WHERE id = ?", (series,))


def note_counts(connection: sqlite3.Connection, study: str, uid: str, counted: int | None, moved: int | None) -> None:
    connection.execute(
        "UPDATE series SET counted = coalesce(?, counted), moved = coalesce(?, moved) WHERE id = ?",
        (counted, moved, series_id(connection, uid, study)),
    )


def knows_destination(connection: sqlite3.Connection, title: str) -> bool:
    query = "SELECT NOT EXISTS (SELECT 1 FROM destination) OR EXISTS (SELECT 1 FROM destination WHERE title = ?)"
    return bool(connection.execute(query, (title,)).fetchone()[0])


def note_destination(connection: sqlite3.Connection, title: str) -> None:
    connection.execute("INSERT OR IGNORE INTO destination VALUES (?)", (title,))


def unsolicited(connection: sqlite3.Connection, limit: int) -> Sequence[Mapping[str, Any]]:
    rows = connection.execute(
        "SELECT series, study, images, first, last, calling, directory FROM unsolicited ORDER BY last DESC LIMIT ?",
        (limit,),
    )
    names = ("series", "study", "images", "first", "last", "calling", "directory")
    return [dict(zip(names, row, strict=True)) for row in rows]


def map_directories(connection: sqlite3.Connection) -> frozenset[str]:
    return frozenset(row[0] for row in connection.execute("SELECT path FROM map_directory"))


def note_map_directory(connection: sqlite3.Connection, path: str) -> None:
    # Reading them once more costs time only.
    connection.execute("DELETE FROM map_directory WHERE (SELECT count(*) FROM map_directory) >= ?", (_MAX_DIRECTORIES,))
    connection.execute("INSERT OR IGNORE INTO map_directory VALUES (?)", (path,))


def _read_again(connection: sqlite3.Connection, series: int, directory: int, path: str) -> bool:
    """Note what is in the directory now. Returns: whether anything is gone from it."""
    rows = connection.execute("SELECT uid, directory FROM instance WHERE series = ? AND directory != 0", (series,))
    here = {uid: where for uid, where in rows}  # noqa: C416 - dict() would let nobody else go on meanwhile
    content = read_series_directory(path, here.keys())
    gone = [uid for uid, where in here.items() if where == directory and uid not in content.instances]
    connection.executemany(
        "UPDATE instance SET directory = 0 WHERE series = ? AND uid = ?", [(series, uid) for uid in gone]
    )
    connection.executemany(
        "INSERT INTO instance (series, uid, directory, size_bytes) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET directory = excluded.directory, size_bytes = excluded.size_bytes",
        [(series, uid, directory, size) for uid, size in content.instances.items() if uid not in here],
    )
    mtime_ns = _GONE if modified_ns(path) is None else content.mtime_ns
    connection.execute(
        "UPDATE directory SET mtime_ns = ?, files = ?, looked = ? WHERE id = ?",
        (mtime_ns, content.files, time.time(), directory),
    )
    return bool(gone)


def _directories(connection: sqlite3.Connection, series: int) -> list[_Directory]:
    query = "SELECT id, path, mtime_ns, looked, files FROM directory WHERE series = ?"
    return [_Directory(*row) for row in connection.execute(query, (series,))]


def _is_to_be_read(directory: _Directory, seconds_a_file: float) -> bool:
    modified = modified_ns(directory.path)
    if directory.mtime_ns == (_GONE if modified is None else modified):
        return False
    pause = _LOOK_AGAIN_SECONDS + directory.files * seconds_a_file
    return modified is None or not is_receiving(directory.path) or not 0 <= time.time() - directory.looked < pause
