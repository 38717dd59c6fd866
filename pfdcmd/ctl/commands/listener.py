"""listener: the services that receive images."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from pfdcmd.ctl.groups import Suggesting
from pfdcmd.ctl.options import complete_service, json_option
from pfdcmd.ctl.problems import Problem
from pfdcmd.ctl.session import Session, with_session

_COLUMNS = {
    "SERVICE": "service",
    "STATE": "state",
    "ADDRESS": "address",
    "PORT": "port",
    "OPEN": "associations_open",
    "IMAGES": "images",
    "LAST ERROR": "last_error",
}
_STYLES = {
    "RUNNING": "green",
    "STARTING": "cyan",
    "FATAL": "red",
    "BACKOFF": "red",
    "DISABLED": "dim",
    "STOPPED": "yellow",
}
_LOG_SECONDS = 1.0
_LOG_LINES = 1000

_service = click.argument("service", shell_complete=complete_service)


@click.group(cls=Suggesting)
def listener() -> None:
    """The services that receive images.

    \b
    pfdcmctl listener list
    pfdcmctl listener log -f dicomlistener
    """


@listener.command("list")
@json_option
@with_session
def list_services(session: Session, as_json: bool) -> None:
    """List the services, and whether they receive."""
    services = session.call("listener.list")
    if as_json:
        session.screen.json(services)
        return
    if not services:
        session.screen.note("There are none, so no image can arrive. To start one: pfdcmctl listener start")
        return
    rows = [[one.get(key, "") for key in _COLUMNS.values()] for one in services]
    session.screen.table(list(_COLUMNS), rows, styles=_STYLES)


@listener.command("get")
@_service
@json_option
@with_session
def get(session: Session, service: str, as_json: bool) -> None:
    """Show a service: how it is set, and what it has received."""
    shown = session.call("listener.get", service=service)
    if as_json:
        session.screen.json(shown)
    else:
        session.screen.table(["WHAT", "IS"], list(_flat(shown)))


@listener.command("apply")
@click.argument("service", required=False, shell_complete=complete_service)
@click.argument("settings", nargs=-1, metavar="[ATTRIBUTE=VALUE]...")
@json_option
@with_session
def apply(session: Session, service: str | None, settings: Sequence[str], as_json: bool) -> None:
    """Set attributes of a service, in its file and in fact.

    ATTRIBUTE= takes one away. Without any, the service files are read anew.

    \b
    pfdcmctl listener apply dicomlistener workers=4 only_from=10.0.0.0/8
    """
    pairs = [text.partition("=") for text in settings]
    if not all(sign and key for key, sign, _ in pairs):
        raise click.UsageError("An attribute is written as workers=4.")
    attributes = {key: value or None for key, _, value in pairs} or None
    result = session.call("listener.apply", service=service, attributes=attributes)
    if as_json:
        session.screen.json(result)
    else:
        session.screen.note("Applied.")


def _control(name: str, done: str, text: str) -> None:
    """Add a command that does one thing to a service."""

    @listener.command(name, help=text)
    @_service
    @json_option
    @with_session
    def control(session: Session, service: str, as_json: bool) -> None:
        result = session.call(f"listener.{name}", service=service)
        if as_json:
            session.screen.json(result)
        else:
            session.screen.note(f"{service} {done}.")


@listener.command("start")
@click.argument("service", required=False, shell_complete=complete_service)
@json_option
@with_session
def start(session: Session, service: str | None, as_json: bool) -> None:
    """Have a service receive. Without SERVICE: the one that /xinetd describes.

    The latter is declared and started as by `pfdcm --startlistener`.
    """
    if service is not None:
        result = session.call("listener.start", service=service)
    else:
        result = session.call("xinetd", object="service", do="everything")
        if not result["status"]:
            raise Problem("The listener cannot be started.", "See the log of pfdcm, and pfdcmctl tree get /xinetd.")
    if as_json:
        session.screen.json(result)
    elif service is not None:
        session.screen.note(f"{service} receives.")
    else:
        session.screen.note("The listener is started. See it: pfdcmctl listener list")


_control("stop", "is stopped", "Have a service receive no more; who is sending now may finish.")
_control("restart", "has been started again", "Give a service new workers; who is sending now may finish.")
_control("drain", "takes no more associations", "Have a service take no new associations, and end those it has.")


@listener.command("log")
@_service
@click.option("-f", "--follow", "is_followed", is_flag=True, help="Go on printing what is new, until Ctrl-C.")
@click.option(
    "-n", "--lines", type=click.IntRange(1, _LOG_LINES), default=20, show_default=True, help="The last so many."
)
@json_option
@with_session
def log(session: Session, service: str, is_followed: bool, lines: int, as_json: bool) -> None:
    """Print the end of a service's log."""
    printed = _lines(session, service, lines)
    if as_json:
        session.screen.json(printed)
        return
    for line in printed:
        session.screen.line(line)
    while is_followed:
        time.sleep(_LOG_SECONDS)
        latest = _lines(session, service, _LOG_LINES)
        for line in new_lines(printed, latest):
            session.screen.line(line)
        printed = latest


def _lines(session: Session, service: str, lines: int) -> list[str]:
    return [str(line) for line in session.call("listener.log", service=service, lines=lines)]


def new_lines(printed: Sequence[str], latest: Sequence[str]) -> list[str]:
    """What of the latest lines of a log comes after those that were printed: all, when these are not there any more."""
    for end in range(len(latest), 0, -1):
        count = min(end, len(printed))
        if count and list(latest[end - count : end]) == list(printed[-count:]):
            return list(latest[end:])
    return list(latest)


def _flat(value: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, item in value.items():
        if isinstance(item, Mapping):
            rows += _flat(item, f"{above}{key}/")
        else:
            text = " ".join(map(str, item)) if isinstance(item, list) else str(item)
            rows.append((f"{above}{key}", text))
    return rows
