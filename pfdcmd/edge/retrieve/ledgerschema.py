"""The ledger's tables. Counts of a series are kept by triggers, so that they cannot differ from what they count."""

from __future__ import annotations

import sqlite3

VERSION = 1
"""PRAGMA user_version; a ledger of another version is set aside and rebuilt from the files."""

_TABLES = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    study TEXT NOT NULL DEFAULT '',
    is_listed INTEGER NOT NULL DEFAULT 0,       -- whether an IMAGE level C-FIND has answered
    counted INTEGER,                            -- NumberOfSeriesRelatedInstances
    moved INTEGER,                              -- sub-operations of a C-MOVE of the whole series
    listed INTEGER NOT NULL DEFAULT 0,
    listed_present INTEGER NOT NULL DEFAULT 0,
    present INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX series_by_study ON series (study);

CREATE TABLE instance (
    series INTEGER NOT NULL,
    uid TEXT NOT NULL,
    is_listed INTEGER NOT NULL DEFAULT 0,
    directory INTEGER NOT NULL DEFAULT 0,       -- in which the file is; 0: not on disk
    size_bytes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (series, uid)
) WITHOUT ROWID;

CREATE TRIGGER instance_added AFTER INSERT ON instance BEGIN
    UPDATE series SET
        listed = listed + NEW.is_listed,
        listed_present = listed_present + (NEW.is_listed AND NEW.directory != 0),
        present = present + (NEW.directory != 0),
        size_bytes = size_bytes + NEW.size_bytes * (NEW.directory != 0)
    WHERE id = NEW.series;
END;
CREATE TRIGGER instance_changed AFTER UPDATE ON instance BEGIN
    UPDATE series SET
        listed = listed + NEW.is_listed - OLD.is_listed,
        listed_present = listed_present
            + (NEW.is_listed AND NEW.directory != 0) - (OLD.is_listed AND OLD.directory != 0),
        present = present + (NEW.directory != 0) - (OLD.directory != 0),
        size_bytes = size_bytes + NEW.size_bytes * (NEW.directory != 0) - OLD.size_bytes * (OLD.directory != 0)
    WHERE id = NEW.series;
END;

CREATE TABLE directory (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    series INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL DEFAULT 0,        -- as of the last look; 0: look again
    looked REAL NOT NULL DEFAULT 0,             -- when, seconds since the epoch
    files INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX directory_by_series ON directory (series);

CREATE TABLE trouble (                          -- what the listener did not file
    series TEXT NOT NULL,
    instance TEXT NOT NULL,
    reason TEXT NOT NULL,
    time REAL NOT NULL,
    PRIMARY KEY (series, instance)
) WITHOUT ROWID;

CREATE TABLE destination (title TEXT PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE unsolicited (
    series TEXT PRIMARY KEY,
    study TEXT NOT NULL,
    images INTEGER NOT NULL,
    first REAL NOT NULL,
    last REAL NOT NULL,
    calling TEXT NOT NULL,
    directory TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX unsolicited_by_time ON unsolicited (last);

CREATE TABLE receipts_read (name TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE job (
    id TEXT PRIMARY KEY,
    number INTEGER NOT NULL,                    -- in the order of their beginning
    pacs TEXT NOT NULL,
    study TEXT NOT NULL,
    is_final INTEGER NOT NULL,
    created REAL NOT NULL,
    ended REAL,
    content TEXT NOT NULL                       -- the whole job, as JSON
) WITHOUT ROWID;
CREATE INDEX job_by_number ON job (number);
CREATE INDEX job_by_study ON job (study, created);
CREATE INDEX job_open ON job (number) WHERE NOT is_final;

CREATE TABLE job_series (series TEXT NOT NULL, number INTEGER NOT NULL, job TEXT NOT NULL,
    PRIMARY KEY (series, number)) WITHOUT ROWID;
CREATE INDEX job_series_by_number ON job_series (number);

CREATE TABLE rate (pacs TEXT PRIMARY KEY, images INTEGER NOT NULL, size_bytes INTEGER NOT NULL, seconds REAL NOT NULL)
    WITHOUT ROWID;
"""


# Ledgers of version 1 have had it only for some time: one without it has been made from no directory, and will be.
_MAP_DIRECTORY = "CREATE TABLE IF NOT EXISTS map_directory (path TEXT PRIMARY KEY) WITHOUT ROWID"


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables that are missing: all in a file that has none.

    Raises: sqlite3.DatabaseError: it is not a ledger, is damaged, or is of another version.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    is_empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if is_empty:
        connection.executescript(f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version = {VERSION};COMMIT;")
    elif version != VERSION:
        raise sqlite3.DatabaseError(f"it is of version {version}, not {VERSION}")
    else:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(str(found))
    connection.execute(_MAP_DIRECTORY)
