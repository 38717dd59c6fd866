"""doctor: what is wrong between pfdcm and a PACS, and which line to change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pfdcmd.ctl.options import complete_pacs, json_option
from pfdcmd.ctl.problems import EXIT_OK, EXIT_REFUSED
from pfdcmd.ctl.screen import Screen
from pfdcmd.ctl.session import PACS_SECONDS, Session, with_session

_WORTH_TELLING_SECONDS = 0.005
_MARKS = {"ok": ("ok", "green"), "failed": ("FAILED", "bold red"), "warning": ("!", "yellow"), "skipped": ("-", "dim")}


@click.command()
@click.argument("pacs", required=False, shell_complete=complete_pacs)
@click.option("--no-image", "is_without_image", is_flag=True, help="Do not have an image sent to pfdcm's listener.")
@json_option
@with_session
def doctor(session: Session, pacs: str | None, is_without_image: bool, as_json: bool) -> int:
    """Examine a PACS step by step, and say what to change.

    It connects, associates, sends C-ECHO, queries at each level, and has one image sent back to pfdcm's listener.
    Exit status 1: a step has failed.

    \b
    pfdcmctl doctor orthanc
    """
    report = session.call(
        "pacs.diagnose", pacs=session.pacs(pacs), image_back=not is_without_image, seconds=PACS_SECONDS
    )
    if as_json:
        session.screen.json(report)
    else:
        for step in report["steps"]:
            _show(session.screen, step)
        session.screen.line("")
        session.screen.line(report["conclusion"], "green" if report["ok"] else "bold red")
    return EXIT_OK if report["ok"] else EXIT_REFUSED


def _show(screen: Screen, step: Mapping[str, Any]) -> None:
    mark, style = _MARKS.get(str(step["outcome"]), ("?", ""))
    seconds = f" ({step['seconds']:.2f} s)" if (step["seconds"] or 0) >= _WORTH_TELLING_SECONDS else ""
    screen.line(f"{mark:>6}  {step['name']}{seconds}: {step['found']}", style if mark != "ok" else "")
    if step.get("advice"):
        screen.line(f"        {step['advice']}", "yellow")
