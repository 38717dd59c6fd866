"""Jobs in the ledger, as statements on an open transaction (see ledgerschema).

A function without words of its own does what the method of SqliteLedger says that is called like it.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from pfdcmd.retrieve.estimate import Rates
from pfdcmd.retrieve.job import Job, JobState, RetrieveRequest, SeriesProgress

_MAX_FINAL_JOBS = 20_000
"""Older ones are forgotten; what is known of their series stays."""


def save_job(connection: sqlite3.Connection, job: Job) -> None:
    row = connection.execute("SELECT number FROM job WHERE id = ?", (job.id,)).fetchone()
    number = row[0] if row else connection.execute("SELECT coalesce(max(number), 0) + 1 FROM job").fetchone()[0]
    connection.execute(
        "INSERT OR REPLACE INTO job VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(job.id, number, job.request.pacs, job.request.study or ""),
            *(job.state.is_final, job.created, job.ended, _format(job)),
        ),
    )
    series = {*job.request.series, *(one.series for one in job.series)}
    connection.executemany(
        "INSERT OR IGNORE INTO job_series VALUES (?, ?, ?)", [(uid, number, job.id) for uid in series]
    )
    if row is None:
        old = number - _MAX_FINAL_JOBS
        connection.execute(
            "DELETE FROM job_series WHERE number < ? AND job IN (SELECT id FROM job WHERE is_final)", (old,)
        )
        connection.execute("DELETE FROM job WHERE number < ? AND is_final", (old,))


def job(connection: sqlite3.Connection, job_id: str) -> Job | None:
    row = connection.execute("SELECT content FROM job WHERE id = ?", (job_id,)).fetchone()
    return _parse(row[0]) if row else None


def jobs(connection: sqlite3.Connection, limit: int) -> list[Job]:
    rows = connection.execute("SELECT content FROM job ORDER BY number DESC LIMIT ?", (limit,))
    return [_parse(row[0]) for row in rows]


def open_jobs(connection: sqlite3.Connection) -> list[Job]:
    rows = connection.execute("SELECT content FROM job WHERE NOT is_final ORDER BY number")
    return [_parse(row[0]) for row in rows]


def job_of_series(connection: sqlite3.Connection, series: str) -> tuple[str, bool] | None:
    row = connection.execute(
        "SELECT job.id, is_final FROM job_series JOIN job ON job.id = job_series.job WHERE job_series.series = ?"
        " ORDER BY job_series.number DESC LIMIT 1",
        (series,),
    ).fetchone()
    return (row[0], bool(row[1])) if row else None


def note_rate(connection: sqlite3.Connection, pacs: str, rates: Rates) -> None:
    connection.execute(
        "INSERT INTO rate VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET images = images + excluded.images,"
        " size_bytes = size_bytes + excluded.size_bytes, seconds = seconds + excluded.seconds",
        (pacs, rates.images, rates.size_bytes, rates.seconds),
    )


def rates(connection: sqlite3.Connection, pacs: str) -> Rates:
    row = connection.execute("SELECT images, size_bytes, seconds FROM rate WHERE pacs = ?", (pacs,)).fetchone()
    return Rates(*row) if row else Rates()


def _format(job: Job) -> str:
    request = job.request
    return json.dumps(
        {
            "id": job.id,
            "request": [request.pacs, request.study, list(request.series), request.is_forced],
            "state": job.state.value,
            "created": job.created,
            "ended": job.ended,
            "attempts": job.attempts,
            "verdict": job.verdict,
            "series": [
                [s.series, s.state.value, s.expected, s.received, list(s.missing), list(s.reasons), s.size_bytes]
                for s in job.series
            ],
        }
    )


def _parse(text: str) -> Job:
    content = json.loads(text)
    pacs, study, series, is_forced = content["request"]
    return Job(
        id=content["id"],
        request=RetrieveRequest(pacs, study, tuple(series), is_forced),
        state=JobState(content["state"]),
        created=content["created"],
        ended=content["ended"],
        attempts=content["attempts"],
        series=tuple(_parse_series(row) for row in content["series"]),
        verdict=content["verdict"],
    )


def _parse_series(row: list[Any]) -> SeriesProgress:
    series, state, expected, received, missing, reasons, size_bytes = row
    return SeriesProgress(series, JobState(state), expected, received, tuple(missing), tuple(reasons), size_bytes)
