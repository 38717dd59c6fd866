"""A retrieve in words and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pfdcmd.ctl.bars import STYLES
from pfdcmd.ctl.problems import Incomplete
from pfdcmd.ctl.screen import Screen

Job = Mapping[str, Any]

_MISSING_SHOWN = 5
_TIMES = ("first", "last")


def show_job(screen: Screen, job: Job) -> None:
    """One job: its verdict, its series, and what is missing of them."""
    screen.line(f"{job['job']}  {job['state']}", STYLES.get(str(job["state"]), ""))
    if job.get("verdict"):
        screen.line(str(job["verdict"]))
    series = job.get("series", [])
    if series:
        rows = [
            [one["series"], one["state"], one["received"], _number(one["expected"]), one["missing"], size(one["bytes"])]
            for one in series
        ]
        screen.table(["SERIES", "STATE", "HERE", "EXPECTED", "MISSING", "SIZE"], rows, styles=STYLES, whole="SERIES")
    for one in series:
        for reason in one.get("reasons", []):
            screen.line(f"{one['series']}: {reason}", "yellow")
        missing = one.get("missing_instances", [])
        for uid in missing[:_MISSING_SHOWN]:
            screen.line(f"  missing: {uid}")
        if len(missing) > _MISSING_SHOWN:
            screen.line(f"  and {one['missing'] - _MISSING_SHOWN} more; all of them with --json.")


def show_jobs(screen: Screen, jobs: Sequence[Job]) -> None:
    """A line a job."""
    rows = [
        [job["job"], job["state"], _when(job.get("created")), job["pacs"], _progress(job), job.get("study") or ""]
        for job in jobs
    ]
    screen.table(["JOB", "STATE", "BEGUN", "PACS", "IMAGES", "STUDY"], rows, styles=STYLES, whole="STUDY")


def show_records(screen: Screen, records: Sequence[Mapping[str, Any]]) -> None:
    """A line a record, a column a key of the first; what is a list is left to --json."""
    columns = [key for key, value in records[0].items() if not isinstance(value, list | dict)] if records else []
    if not columns:
        screen.note("There are none.")
        return
    rows = [[_when(record.get(name)) if name in _TIMES else record.get(name) for name in columns] for record in records]
    screen.table([column.upper() for column in columns], rows, whole="SERIES")


def check_complete(job: Job) -> None:
    """Raises: Incomplete: the job has ended otherwise."""
    if job["state"] != "complete":
        again = f"pfdcmctl retrieve --pacs {job['pacs']} --study {job.get('study') or 'UID'} --wait"
        verdict = str(job.get("verdict") or "not all images have arrived.")
        raise Incomplete(
            f"The retrieve {job['job']} has ended, {job['state']}: {verdict}",
            f"What has arrived stays. To fetch the rest: {again}; if it stays away: pfdcmctl doctor {job['pacs']}",
        )


def size(count: object) -> str:
    """A number of bytes as people read it, in units of 1,024."""
    if not isinstance(count, int):
        return ""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def _progress(job: Job) -> str:
    progress = job.get("progress", {})
    return f"{progress.get('received', 0)}/{_number(progress.get('expected'))}"


def _number(expected: object) -> object:
    return "?" if expected is None else expected


def _when(seconds: object) -> str:
    if not isinstance(seconds, int | float):
        return ""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
