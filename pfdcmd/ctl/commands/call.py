"""call: any method of the server, by its name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from pfdcmd.ctl.problems import WrongUse
from pfdcmd.ctl.session import PACS_SECONDS, Session, with_session


@click.command()
@click.argument("method")
@click.argument("params", default="{}")
@click.option("--json", "as_json", is_flag=True, help="As without it: the result is one JSON document.")
@with_session
def call(session: Session, method: str, params: str, as_json: bool) -> None:  # noqa: ARG001 - taken by all commands
    """Call any method of the server.

    PARAMS is a JSON object, or a list by position; the result is printed as JSON.

    \b
    pfdcmctl call rpc.discover                        every method there is, with its parameters
    pfdcmctl call tree.get '{"path": "/PACS"}'
    pfdcmctl call tree.get '["/PACS"]'
    """
    session.screen.json(session.send(method, parse_params(params), PACS_SECONDS))


def parse_params(text: str) -> Mapping[str, Any] | list[Any]:
    """Raises: WrongUse: it is no JSON, or neither an object nor a list."""
    do = 'Quote it for the shell, names in double quotes: \'{"path": "/PACS"}\''
    try:
        params = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"The parameters are no JSON: {error}.", do) from None
    if not isinstance(params, dict | list):
        raise WrongUse("The parameters are neither a JSON object nor a list.", do)
    return params
