"""retrieve: have a PACS send a study, or some of its series, and watch it arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pfdcmd.ctl.bars import Bars
from pfdcmd.ctl.jobtext import check_complete, show_job, show_records, size
from pfdcmd.ctl.options import Uid, json_option, pacs_option
from pfdcmd.ctl.problems import Interrupted, WrongUse
from pfdcmd.ctl.screen import Screen
from pfdcmd.ctl.session import PACS_SECONDS, Session, with_session


@click.command()
@click.option("--study", metavar="UID", type=Uid(), help="StudyInstanceUID, as `pfdcmctl find` shows it.")
@click.option("--series", metavar="UID", type=Uid(), multiple=True, help="Only this series of it; again for more.")
@pacs_option
@click.option("--wait", "is_waited", is_flag=True, help="Stay until it has ended, and show how far it has got.")
@click.option("--force", "is_forced", is_flag=True, help="Fetch what is here already, too.")
@click.option("--plan", "is_planned", is_flag=True, help="Only say what would be fetched, and how long it may take.")
@json_option
@with_session
def retrieve(
    session: Session,
    study: str | None,
    series: tuple[str, ...],
    pacs: str | None,
    is_waited: bool,
    is_forced: bool,
    is_planned: bool,
    as_json: bool,
) -> None:
    """Have a PACS send a study.

    Without --wait the retrieve goes on by itself: look after it with `pfdcmctl status`. With --wait, Ctrl-C asks the
    server to cancel it, a second Ctrl-C leaves at once; exit status 4 says that images are missing.

    \b
    pfdcmctl retrieve --study 1.2.840.113619.2.5 --wait
    pfdcmctl retrieve --study 1.2.840.113619.2.5 --series 1.2.840.113619.2.5.1 --plan
    """
    if not study and not series:
        raise WrongUse("There is nothing to retrieve.", "Say which: --study UID, from `pfdcmctl find`.")
    wanted: dict[str, Any] = {"pacs": session.pacs(pacs), "study": study, "series": list(series) or None}
    if is_forced:
        wanted["force"] = True
    if is_planned:
        _show_plan(session.screen, session.call("retrieve.plan", seconds=PACS_SECONDS, **wanted), as_json=as_json)
        return
    job = session.call("retrieve.start", seconds=PACS_SECONDS, **wanted)
    is_interrupted = False
    if is_waited:
        job, is_interrupted = _wait(session, job)
    if as_json:
        session.screen.json(job)
    elif is_waited:
        show_job(session.screen, job)
    else:
        session.screen.line(job["job"])
        session.screen.note(f"It is {job['state']}. See how far it has got: pfdcmctl status {job['job']}")
    if is_interrupted:
        raise Interrupted(f"The retrieve {job['job']} was cancelled. What has arrived stays.")
    if is_waited:
        check_complete(job)


def _wait(session: Session, job: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    from pfdcmd.ctl.following import follow_job  # noqa: PLC0415 - aiohttp takes longer to load than most calls

    with Bars(session.screen) as bars:
        return follow_job(session, job, bars.show)


def _show_plan(screen: Screen, plan: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        screen.json(plan)
        return
    for name, value in plan.items():
        if name.endswith("bytes"):
            screen.line(f"{name}: {size(value) or 'not known'}")
        elif not isinstance(value, dict | list):
            screen.line(f"{name}: {'not known' if value is None else value}")
    show_records(screen, plan.get("series", []))
