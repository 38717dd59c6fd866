"""status, jobs, cancel: the retrieves that have been asked for."""

from __future__ import annotations

import click

from pfdcmd.ctl.jobtext import show_job, show_jobs, show_records
from pfdcmd.ctl.options import Uid, json_option
from pfdcmd.ctl.problems import WrongUse
from pfdcmd.ctl.session import Session, with_session


@click.command()
@click.argument("job", required=False)
@click.option("--series", metavar="UID", type=Uid(), help="Of a series, whoever has asked for it.")
@json_option
@with_session
def status(session: Session, job: str | None, series: str | None, as_json: bool) -> None:
    """Say how far a retrieve has got, and what is missing. JOB is what `pfdcmctl retrieve` printed.

    \b
    pfdcmctl status 4f2a91c0
    pfdcmctl status --series 1.2.840.113619.2.5.1
    """
    if bool(job) == bool(series):
        raise WrongUse("Name a JOB or --series UID.", "`pfdcmctl jobs` lists the jobs.")
    report = session.call("retrieve.status", job=job, series=series)
    if as_json:
        session.screen.json(report)
    elif "job" in report and "state" in report:
        show_job(session.screen, report)
    else:
        for name, value in report.items():
            session.screen.line(f"{name}: {value}")


@click.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="The latest so many.")
@click.option(
    "--unsolicited", "is_unsolicited", is_flag=True, help="The series that came without any retrieve, instead."
)
@json_option
@with_session
def jobs(session: Session, limit: int, is_unsolicited: bool, as_json: bool) -> None:
    """List the latest retrieves."""
    listed = session.call("retrieve.unsolicited" if is_unsolicited else "retrieve.list", limit=limit)
    if as_json:
        session.screen.json(listed)
    elif is_unsolicited:
        show_records(session.screen, listed)
    elif listed:
        show_jobs(session.screen, listed)
    else:
        session.screen.note("Nothing has been retrieved yet: pfdcmctl retrieve --study UID")


@click.command()
@click.argument("job")
@json_option
@with_session
def cancel(session: Session, job: str, as_json: bool) -> None:
    """End a retrieve. What has arrived stays."""
    ended = session.call("retrieve.cancel", job=job)
    if as_json:
        session.screen.json(ended)
    else:
        show_job(session.screen, ended)
