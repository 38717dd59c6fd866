"""jQuery-flattened forms: `payload[meta][on][PatientID]=4` is {"payload": {"meta": {"on": {"PatientID": "4"}}}}.

The encoding is jQuery.param's (api.jquery.com/jQuery.param): a key in brackets for each level, a number for an item
of a list, `[]` for the next item of one. The original also took `_` for a level (`payload_meta_do`). That is understood
in keys without brackets; a name of ours that has a `_` in it (`series_uid`) stays whole, which the original broke.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from pfdcmd.errors import MessageFault

MAX_FIELDS = 10_000
"""Of one form: a message that sets more than that is better sent as JSON."""

_BRACKETED = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)\Z")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_LEVELS_START = re.compile(r"(payload|action|meta)_")
_WHOLE = re.compile(r"(series_uid|server_ip|server_port|aet_listener)(?=_|\Z)")
_MARK = "\0"


def parse_form(text: str, *, max_nesting: int) -> dict[str, Any]:
    """The nested dictionary that a flattened form stands for; every value is text.

    Raises: MessageFault: too many fields, too deep, bytes that are not UTF-8, or two fields that contradict each other.
    """
    try:
        fields = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError as error:
        raise MessageFault("The form is not valid UTF-8 text.") from error
    except ValueError as error:
        raise MessageFault(f"The form has more than {MAX_FIELDS} fields.") from error
    form: dict[str, Any] = {}
    for key, value in fields:
        levels = split_key(key)
        if len(levels) > max_nesting:
            raise MessageFault(f"The message is nested too deeply: more than {max_nesting} levels.")
        _put(form, levels, value)
    return {key: _as_lists(item) for key, item in form.items()}


def split_key(key: str) -> list[str]:
    """The levels that a form's key stands for; '' is "the next item"."""
    bracketed = _BRACKETED.match(key)
    if bracketed:
        return [bracketed[1], *_BRACKETS.findall(bracketed[2])]
    if _LEVELS_START.match(key):
        marked = _WHOLE.sub(lambda match: match[1].replace("_", _MARK), key)
        return [level.replace(_MARK, "_") for level in marked.split("_")]
    return [key]


def _put(form: dict[str, Any], levels: list[str], value: str) -> None:
    node = form
    for level in levels[:-1]:
        below = node.setdefault(level or str(len(node)), {})
        if not isinstance(below, dict):
            raise MessageFault("Two fields of the form contradict each other: a key has a value and keys below it.")
        node = below
    last = levels[-1] or str(len(node))
    if isinstance(node.get(last), dict):
        raise MessageFault("Two fields of the form contradict each other: a key has a value and keys below it.")
    node[last] = value


def _as_lists(node: Any) -> Any:
    """Dictionaries whose keys are 0, 1, 2 and so on, in order, are lists."""
    if not isinstance(node, dict):
        return node
    items = {key: _as_lists(item) for key, item in node.items()}
    if items and list(items) == [str(number) for number in range(len(items))]:
        return list(items.values())
    return items
