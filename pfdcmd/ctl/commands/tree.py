"""tree: read and change the data tree, where pfdcm keeps its PACS entries, directories and listeners."""

from __future__ import annotations

import json
from typing import Any

import click

from pfdcmd.ctl.groups import Suggesting
from pfdcmd.ctl.options import json_option
from pfdcmd.ctl.problems import WrongUse
from pfdcmd.ctl.session import Session, with_session


@click.group(cls=Suggesting)
def tree() -> None:
    """Read and change what pfdcm is set to.

    The tree holds the PACS entries, the directories and the listeners.

    \b
    pfdcmctl tree list /
    pfdcmctl tree get /PACS
    pfdcmctl tree set /xinetd/servicePort 11112
    """


@tree.command("get")
@click.argument("path", default="/")
@json_option
@with_session
def get(session: Session, path: str, as_json: bool) -> None:
    """Print what is at PATH: a value, or everything below it as JSON."""
    value = session.call("tree.get", path=path)
    if as_json or isinstance(value, dict | list):
        session.screen.json(value)
    else:
        session.screen.line("" if value is None else _shown(value))


@tree.command("set")
@click.argument("path")
@click.argument("value")
@click.option("--text", "is_text", is_flag=True, help="VALUE is text even if it begins as JSON does.")
@click.option("--as-json", "is_json", is_flag=True, help="VALUE is JSON: 5 a number, true a boolean, null nothing.")
@json_option
@with_session
def set_value(session: Session, path: str, value: str, is_text: bool, is_json: bool, as_json: bool) -> None:
    """Put VALUE at PATH. It is text, unless it begins with { or [, which makes it JSON; a dictionary is merged.

    \b
    pfdcmctl tree set /xinetd/servicePort 11112
    pfdcmctl tree set /PACS/orthanc '{"aet": "CHIPS"}'
    """
    if is_text and is_json:
        raise WrongUse("--text and --as-json exclude each other.")
    parsed = _parse(value) if is_json or (not is_text and value.lstrip()[:1] in ("{", "[")) else value
    result = session.call("tree.set", path=path, value=parsed)
    if as_json:
        session.screen.json(result)
    else:
        session.screen.note(f"{path} is set.")


@tree.command("delete")
@click.argument("path")
@json_option
@with_session
def delete(session: Session, path: str, as_json: bool) -> None:
    """Take PATH and everything below it out of the tree."""
    result = session.call("tree.delete", path=path)
    if as_json:
        session.screen.json(result)
    else:
        session.screen.note(f"{path} is gone.")


@tree.command("list", short_help="Print the names below PATH.")
@click.argument("path", default="/")
@json_option
@with_session
def list_names(session: Session, path: str, as_json: bool) -> None:
    """Print the names below PATH; those with more below them end in a slash."""
    names = session.call("tree.list", path=path)
    if as_json:
        session.screen.json(names)
        return
    for entry in names:
        session.screen.line(f"{entry['name']}{'/' if entry['is_directory'] else ''}")


@tree.command("watch", short_help="Print each change below PATH as it happens.")
@click.argument("path", default="/")
@json_option
@with_session
def watch(session: Session, path: str, as_json: bool) -> None:
    """Print each change below PATH as it happens, until Ctrl-C; with --json, one document a line.

    After a broken connection it goes on where it was, and says so when changes were missed.
    """
    from pfdcmd.ctl.watching import watch_changes  # noqa: PLC0415 - aiohttp takes longer to load than most calls

    watch_changes(session, {"path": path}, as_json=as_json)


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongUse(
            f"The value is no JSON: {error}.", 'Quote it for the shell: \'{"key": "value"}\'; or add --text.'
        ) from None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
