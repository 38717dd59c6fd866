"""pacs: the PACSs that pfdcm knows, and whether they answer."""

from __future__ import annotations

import time
from typing import Any

import click

from pfdcmd.ctl.groups import Suggesting
from pfdcmd.ctl.options import complete_pacs, json_option
from pfdcmd.ctl.session import EXAMPLE_ENTRY, PACS_SECONDS, Session, with_session

_COLUMNS = {
    "PACS": "pacs",
    "HOST": "host",
    "PORT": "port",
    "CALLED": "aec",
    "CALLING": "aet",
    "SENDS TO": "aet_listener",
}


@click.group(cls=Suggesting)
def pacs() -> None:
    """The PACSs that pfdcm knows.

    \b
    pfdcmctl pacs add orthanc --host 127.0.0.1 --port 4242 --aec ORTHANC --aet CHIPS
    pfdcmctl pacs echo orthanc
    """


@pacs.command("list")
@json_option
@with_session
def list_pacs(session: Session, as_json: bool) -> None:
    """List the PACSs."""
    entries = session.call("pacs.list")
    if as_json:
        session.screen.json(entries)
        return
    known = [entry for entry in entries if entry["pacs"] != EXAMPLE_ENTRY]
    if not known:
        session.screen.note("There are none: pfdcmctl pacs add NAME --host HOST --port PORT --aec AE --aet AE")
        return
    session.screen.table(list(_COLUMNS), [[entry.get(key, "") for key in _COLUMNS.values()] for entry in known])


@pacs.command("add")
@click.argument("name")
@click.option("--host", required=True, metavar="HOST", help="Where the PACS is: a host name or an address.")
@click.option("--port", required=True, type=click.IntRange(1, 65_535), help="Its DICOM port; often 104, 11112 or 4242.")
@click.option("--aec", required=True, metavar="AE", help="What the PACS is called: its AE title.")
@click.option(
    "--aet", required=True, metavar="AE", help="What pfdcm is called there: the AE title that the PACS knows."
)
@click.option("--aet-listener", metavar="AE", help="The AE title that the PACS sends images to, when it is not --aet.")
@click.option("--set", "more", metavar="KEY=VALUE", multiple=True, help="Another key of the entry, such as tls=true.")
@json_option
@with_session
def add(
    session: Session,
    name: str,
    host: str,
    port: int,
    aec: str,
    aet: str,
    aet_listener: str | None,
    more: tuple[str, ...],
    as_json: bool,
) -> None:
    """Tell pfdcm of a PACS, or correct what it knows of one.

    The four values come from whoever runs the PACS, who has to enter pfdcm there as well: AE title (--aet, or
    --aet-listener), host and port of pfdcm's listener. `pfdcmctl doctor NAME` then says what is still amiss.

    \b
    pfdcmctl pacs add orthanc --host 127.0.0.1 --port 4242 --aec ORTHANC --aet CHIPS
    """
    entry: dict[str, Any] = {"pacs": name, "host": host, "port": port, "aec": aec, "aet": aet}
    if aet_listener:
        entry["aet_listener"] = aet_listener
    result = session.send("pacs.add", entry | dict(_pair(text) for text in more))
    if as_json:
        session.screen.json(result)
    else:
        session.screen.note(f"{name} is known. See whether it answers: pfdcmctl doctor {name}")


@pacs.command("remove")
@click.argument("name", shell_complete=complete_pacs)
@json_option
@with_session
def remove(session: Session, name: str, as_json: bool) -> None:
    """Have pfdcm forget a PACS. What has been retrieved from it stays."""
    result = session.call("pacs.remove", pacs=name)
    if as_json:
        session.screen.json(result)
    else:
        session.screen.note(f"{name} is forgotten.")


@pacs.command("echo")
@click.argument("name", required=False, shell_complete=complete_pacs)
@json_option
@with_session
def echo(session: Session, name: str | None, as_json: bool) -> None:
    """See whether a PACS answers C-ECHO."""
    name = session.pacs(name)
    began = time.monotonic()
    result = session.call("pacs.echo", pacs=name, seconds=PACS_SECONDS)
    if as_json:
        session.screen.json(result)
    else:
        session.screen.line(f"{name} answers C-ECHO, in {(time.monotonic() - began) * 1000:.0f} ms.")


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key.isidentifier():
        raise click.UsageError(f"--set {text!r} is not KEY=VALUE.")
    return key, value
