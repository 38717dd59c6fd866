"""The tree as text and back: JSON, for --configFileSave and --configFileLoad.

What is below /this describes the run that wrote it and is not taken over by another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from pfdcmd.errors import TreeFault
from pfdcmd.tree.node import Node

RUN_KEY = "this"


def format_snapshot(root: Mapping[str, Node]) -> str:
    """The whole tree as JSON text, four spaces to a level, ending in a line feed."""
    return json.dumps(root, indent=4, default=dict) + "\n"


def parse_snapshot(text: str) -> dict[str, Any]:
    """The tree's content from such text, without /this.

    Raises: TreeFault: it is not JSON, or not an object; the message says where.
    """
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise TreeFault(f"The saved data tree is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise TreeFault("The saved data tree is not a JSON object.")
    return {key: value for key, value in content.items() if key != RUN_KEY}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
