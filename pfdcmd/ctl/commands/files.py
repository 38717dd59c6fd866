"""tags, copy: what has arrived."""

from __future__ import annotations

from pathlib import Path

import click

from pfdcmd.ctl.options import Uid, json_option
from pfdcmd.ctl.session import Session, with_session


@click.command()
@click.option(
    "--series", metavar="UID", type=Uid(), required=True, help="SeriesInstanceUID of a series that has arrived."
)
@click.option("-k", "--key", "keys", metavar="KEYWORD", multiple=True, help="Only this element; again for more.")
@json_option
@with_session
def tags(session: Session, series: str, keys: tuple[str, ...], as_json: bool) -> None:
    """Show the elements of a series that has arrived.

    They are those of its first image.

    \b
    pfdcmctl tags --series 1.2.840.113619.2.5.1
    pfdcmctl tags --series 1.2.840.113619.2.5.1 -k PatientID -k EchoTime
    """
    elements = session.call("files.tags", series=series)
    if keys:
        elements = {key: elements.get(key, "") for key in keys}
    if as_json:
        session.screen.json(elements)
    else:
        session.screen.table(["ELEMENT", "VALUE"], list(elements.items()))


@click.command()
@click.option(
    "--series", metavar="UID", type=Uid(), required=True, help="SeriesInstanceUID of a series that has arrived."
)
@click.argument("directory")
@json_option
@with_session
def copy(session: Session, series: str, directory: str, as_json: bool) -> None:
    """Copy a series that has arrived.

    It is put into DIRECTORY, on the machine that pfdcm runs on, below its UID.

    \b
    pfdcmctl copy --series 1.2.840.113619.2.5.1 /data/study-7
    """
    target = str(Path(directory).absolute()) if session.settings.server.is_this_machine else directory
    result = session.call("files.copy", series=series, path=target)
    if as_json:
        session.screen.json(result)
    else:
        session.screen.note(f"The series is in {result['target']}.")
