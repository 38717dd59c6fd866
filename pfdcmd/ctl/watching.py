"""Changes printed as they happen, until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime

from pfdcmd.ctl.screen import json_text
from pfdcmd.ctl.session import Session
from pfdcmd.ctl.subscribing import Event, follow


def watch_changes(session: Session, what: Mapping[str, str], *, as_json: bool) -> None:
    """Print the events of a {topic} or {path}: a line each.

    Raises: NoEvents, Unreachable, Refused: why not, or not any more.
    """
    asyncio.run(_print_all(session, what, as_json=as_json))


async def _print_all(session: Session, what: Mapping[str, str], *, as_json: bool) -> None:
    async for event in follow(session.settings.server, what):
        if as_json:
            session.screen.write(_document(event) + "\n")
        else:
            _print(session, event)


def _print(session: Session, event: Event) -> None:
    now = datetime.now().astimezone().strftime("%H:%M:%S")
    if event.kind == "snapshot":
        session.screen.note("Watching; Ctrl-C ends it.")
        return
    if event.kind == "lagged":
        session.screen.note(f"{now} Some changes were missed. It is now: {json.dumps(event.data)}", "yellow")
        return
    session.screen.line(f"{now} {_said(event)}")


def _said(event: Event) -> str:
    """A change of the tree as `path = value`; what is too large for that is to be asked for."""
    data = event.data if isinstance(event.data, Mapping) else {}
    path = data.get("path")
    if path is None:
        return f"{event.topic} {json.dumps(event.data, ensure_ascii=False)}"
    if data.get("is_missing"):
        return f"{path} is gone"
    if data.get("is_large"):
        return f"{path} has changed, and is large: pfdcmctl tree get {path}"
    return f"{path} = {json.dumps(data.get('value'), ensure_ascii=False)}"


def _document(event: Event) -> str:
    value = {"kind": event.kind, "number": event.number, "topic": event.topic, "data": event.data}
    return json_text(value, is_one_line=True)
