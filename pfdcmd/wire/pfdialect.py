"""The pf dialect: the bytes of a message to a Call, and a reply to the bytes that its callers take apart.

A message is {"action": name, "meta": {...}}, bare or as the value of "payload", as JSON or as a jQuery-flattened form;
what the Content-Type says does not matter, as the original's callers send all sorts. A reply is JSON, and with
--httpResponse a second header stands before it, inside the body.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from pfdcmd.errors import MessageFault, NotJson
from pfdcmd.wire.jquery import parse_form
from pfdcmd.wire.jsontext import format_json

_INNER_HEADER = "200 OK\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: {length}\r\n\r\n"
_JSON_NAMES = {list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false"}


@dataclass(frozen=True)
class Call:
    """An action asked for, by name, and what it shall go by."""

    action: str
    meta: Mapping[str, Any]


def decode_message(body: bytes, *, max_nesting: int) -> Call:
    """Read a message, whatever its form.

    Args:   max_nesting: the levels of objects and lists that it may have, its own included.
    Raises: MessageFault: what is wrong with it, in words for the caller; nothing of the message is repeated.
    """
    message = _decode_value(body, max_nesting)
    if "payload" in message:
        message = message["payload"]
        if not isinstance(message, dict):
            raise MessageFault('"payload" must be an object that holds "action" and "meta".')
    meta = message.get("meta")
    if isinstance(meta, dict) and _is_server_command(meta):
        return Call("serverctl", meta)
    if "action" not in message:
        raise MessageFault('The message has no "action".')
    if "meta" not in message:
        raise MessageFault('The message has no "meta".')
    if not isinstance(message["action"], str):
        raise MessageFault('"action" must be text: the name of an action.')
    if not isinstance(meta, dict):
        raise MessageFault('"meta" must be an object.')
    return Call(message["action"], meta)


def encode_reply(reply: Mapping[str, Any], *, double_header: bool) -> bytes:
    """A reply's bytes: JSON indented by four and ASCII-escaped, with the inner header before it if asked for.

    With the inner header the whole has exactly four carriage returns, and the JSON is last: callers split there.

    Raises: LocalError: the reply holds what JSON cannot say.
    """
    content = format_json(reply).encode("ascii")
    return _INNER_HEADER.format(length=len(content)).encode("ascii") + content if double_header else content


def parse_json(text: str, *, max_nesting: int, is_strict: bool = False) -> Any:
    """A JSON value, by the letter of RFC 8259: no NaN, no infinity, no half of a surrogate pair.

    Args:   is_strict: an object that has the same name twice is refused; else the last one counts.
    Raises: NotJson: it is not that; the message says where. MessageFault: it is, beyond our limits.
    """
    try:
        value = (_STRICT_DECODER if is_strict else _DECODER).decode(text)
    except json.JSONDecodeError as error:
        where = f"{error.msg}, at line {error.lineno} column {error.colno}"
        raise NotJson(f"The message is not JSON, and not a form either: {where}.") from error
    except RecursionError as error:
        raise _too_deep(max_nesting) from error
    except ValueError as error:
        raise MessageFault("The message has a number that is too long.") from error
    if text.count("[") + text.count("{") > max_nesting and isinstance(value, dict | list):
        _check_nesting(value, max_nesting)
    if "\\ud" in text or "\\uD" in text:
        _check_surrogates(value)
    return value


def _decode_value(body: bytes, max_nesting: int) -> dict[str, Any]:
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise MessageFault(f"The message is not valid UTF-8 text (byte {error.start}).") from error
    if not text:
        raise MessageFault("The message is empty.")
    if _looks_like_form(text):
        form = parse_form(text, max_nesting=max_nesting)
        if form.keys() & {"payload", "action", "meta"}:
            return form
        raise MessageFault("The message is not JSON, and as a form it has neither payload, action nor meta.")
    value = parse_json(text, max_nesting=max_nesting)
    if value is None:
        raise MessageFault('The message is null; it must be an object with "action" and "meta".')
    if not isinstance(value, dict):
        raise MessageFault(f'The message is {_JSON_NAMES[type(value)]}; it must be an object with "action" and "meta".')
    return value


def _looks_like_form(text: str) -> bool:
    """No JSON value that is an object, a list or text starts without one of these, and no other holds a '='."""
    return text[0] not in '{["' and "=" in text


def _is_server_command(meta: dict[str, Any]) -> bool:
    ctl = meta.get("ctl")
    return isinstance(ctl, dict) and "serverCmd" in ctl


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson(f"The message holds {name}, which is not a JSON value.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MessageFault("The message has an object with the same name twice.")
    return found


def _parse_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise MessageFault("The message has a number that is too large.")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_parse_float)
_STRICT_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_parse_float, object_pairs_hook=_unique)


def _check_nesting(value: Any, max_nesting: int) -> None:
    level = [value]
    for _ in range(max_nesting):
        items = [item for node in level for item in (node.values() if isinstance(node, dict) else node)]
        level = [item for item in items if isinstance(item, dict | list)]
        if not level:
            return
    raise _too_deep(max_nesting)


def _check_surrogates(value: Any) -> None:
    """Half a surrogate pair passes as JSON's \\u escape but is no character: no file and no PACS could be told it."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise MessageFault("The message has half of a surrogate pair, which is not a character.") from error


def _too_deep(max_nesting: int) -> MessageFault:
    return MessageFault(f"The message is nested too deeply: more than {max_nesting} levels.")
