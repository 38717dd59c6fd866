"""health: whether the server is well."""

from __future__ import annotations

from collections.abc import Mapping

import click

from pfdcmd.ctl.options import json_option
from pfdcmd.ctl.problems import EXIT_OK, EXIT_REFUSED
from pfdcmd.ctl.session import Session, with_session


@click.command()
@json_option
@with_session
def health(session: Session, as_json: bool) -> int:
    """See whether pfdcm is well.

    Looked at are its listeners, their supervisor, its state directory. Exit status 1: it is not.

    \b
    pfdcmctl health
    pfdcmctl --server https://pfdcm.example.org:4055 health --json
    """
    report = session.call("system.health")
    is_well = report["status"] == "ok"
    if as_json:
        session.screen.json(report)
    else:
        session.screen.line(f"pfdcm at {session.settings.server.url} " + ("is well." if is_well else "is not well:"))
        _show(session, report["checks"])
    return EXIT_OK if is_well else EXIT_REFUSED


def _show(session: Session, checks: Mapping[str, str]) -> None:
    for name, fault in checks.items():
        session.screen.line(f"  {name}: {fault or 'well'}", "red" if fault else "")
