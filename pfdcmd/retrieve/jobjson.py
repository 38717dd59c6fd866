"""A job as JSON: what callers of retrieve.* and subscribers of jobs/<id> get."""

from __future__ import annotations

from typing import Any

from pfdcmd.retrieve.job import Job, SeriesProgress

MAX_MISSING_INSTANCES = 1_000
"""How many of a series' missing instances are named; the count beside them is of all."""


def job_json(job: Job) -> dict[str, Any]:
    """Every field of the job. Times are seconds since the epoch; what is not known is null."""
    expected = [one.expected for one in job.series]
    return {
        "job": job.id,
        "pacs": job.request.pacs,
        "study": job.request.study,
        "state": job.state.value,
        "progress": {
            "expected": sum(number or 0 for number in expected) if any(n is not None for n in expected) else None,
            "received": sum(one.received for one in job.series),
            "missing": sum(missing_count(one) for one in job.series),
        },
        "attempts": job.attempts,
        "verdict": job.verdict,
        "created": job.created,
        "ended": job.ended,
        "series": [_series_json(one) for one in job.series],
    }


def missing_count(series: SeriesProgress) -> int:
    """How many images are known to be missing, also those that nobody can name."""
    return len(series.missing) if series.expected is None else max(series.expected - series.received, 0)


def _series_json(series: SeriesProgress) -> dict[str, Any]:
    return {
        "series": series.series,
        "state": series.state.value,
        "expected": series.expected,
        "received": series.received,
        "missing": missing_count(series),
        "missing_instances": list(series.missing[:MAX_MISSING_INSTANCES]),
        "reasons": list(series.reasons),
        "bytes": series.size_bytes,
    }
