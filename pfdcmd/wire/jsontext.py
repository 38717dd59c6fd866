"""JSON text, written as json.dumps(value, indent=4) writes it, at several times its speed.

The standard library indents in pure Python, one generator per level: the whole tree of 10,000 leaves would take longer
to write than everything else that a request does. Callers count on this exact layout (see wire.pfdialect).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from pfdcmd.errors import LocalError

INDENT = 4


def format_json(value: Any) -> str:
    """The value as ASCII JSON text: four spaces to a level, keys in their order.

    Args:   value: what JSON can say; any Mapping is an object, a list or tuple is an array.
    Raises: LocalError: something else is in it (NaN and infinity are something else).
    """
    parts: list[str] = []
    _append(value, "\n", parts)
    return "".join(parts)


def _append(value: Any, line: str, parts: list[str]) -> None:
    """Add the value's text to parts; line is a line feed and the indentation of where the value stands."""
    if isinstance(value, str):
        parts.append(quote(value))
    elif isinstance(value, Mapping):
        _append_object(value, line, parts)
    elif isinstance(value, list | tuple):
        _append_array(value, line, parts)
    else:
        parts.append(_format_scalar(value))


def _append_object(value: Mapping[Any, Any], line: str, parts: list[str]) -> None:
    if not value:
        parts.append("{}")
        return
    inner = line + " " * INDENT
    before = "{" + inner
    between = "," + inner
    for key, item in value.items():
        if not isinstance(key, str):
            raise LocalError(f"a key of a reply is {type(key).__name__}, not text")
        if isinstance(item, str):
            parts.append(f"{before}{quote(key)}: {quote(item)}")
        else:
            parts.append(f"{before}{quote(key)}: ")
            _append(item, inner, parts)
        before = between
    parts.append(line + "}")


def _append_array(value: list[Any] | tuple[Any, ...], line: str, parts: list[str]) -> None:
    if not value:
        parts.append("[]")
        return
    inner = line + " " * INDENT
    before = "[" + inner
    between = "," + inner
    for item in value:
        parts.append(before)
        _append(item, inner, parts)
        before = between
    parts.append(line + "]")


def _format_scalar(value: Any) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float) and math.isfinite(value):
        return float.__repr__(value)
    raise LocalError(f"a reply holds {type(value).__name__} {value!r:.40}, which JSON cannot say")
