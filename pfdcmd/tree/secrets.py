"""What of the data tree is shown to nobody, and how a caller sends it back unchanged.

Secret is what is called so (password, secret, token, credentials, a key of an account), with all below it; a private
key in PEM, whatever it is called; and the password in a URL. The name of a file with a key in it is none. Who sends
back what was shown (a directory that was read, changed and set) changes nothing of what was hidden.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from pfdcmd.errors import TreeFault
from pfdcmd.tree.node import Node, directory, freeze

HIDDEN = "****"

PUBLISHED = frozenset({"testing"})
"""The key at /swift/key that the original has in its source, and its callers find there."""

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "tokens", "credential", "credentials",
     "apikey", "authorization"}
)  # fmt: skip
# In nearly no directory, and quick to tell of all that is in one: a large tree is looked through whenever it is shown.
_STEMS = ("pass", "pwd", "secret", "token", "credential", "key", "authorization")
_TRACES = ("{", "://", "PRIVATE KEY-----")
_WITH_ITEMS = (MappingProxyType, tuple)
_KEY_OF = frozenset({"api", "access", "account", "auth", "private", "encryption", "signing", "hmac", "shared"})
_URL_PASSWORD = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]{0,31}://[^/@:\s]{0,256}:)[^/@\s]{1,1024}@")
_PRIVATE_KEY = "PRIVATE KEY-----"


def is_secret_name(key: str) -> bool:
    """Whether what is called so is secret: by the words that the name consists of."""
    return _holds(key.lower(), _STEMS) and _has_secret_words(key)


@lru_cache(maxsize=4096)
def _has_secret_words(key: str) -> bool:
    words = [word.lower() for word in _WORD.findall(key)]
    if not words or words[-1] in ("path", "file"):
        return False
    if _SECRET_WORDS.intersection(words):
        return True
    return words == ["key"] or (words[-1] == "key" and words[-2] in _KEY_OF)


def conceal(node: Node, keys: tuple[str, ...] = ()) -> Node:
    """The node, which is at these keys, with every secret in it hidden; the node itself where there is none."""
    if any(is_secret_name(key) for key in keys):
        return _hide(node)
    return _conceal(node)


def keep_hidden(value: Any, before: Any, keys: tuple[str, ...]) -> Any:
    """The value that is to be set where `before` is: what was hidden in what was shown stays what it is."""
    if isinstance(value, Mapping):
        below = before if isinstance(before, Mapping) else {}
        return {key: keep_hidden(item, below.get(key), (*keys, str(key))) for key, item in value.items()}
    if before is None or isinstance(before, Mapping) or not _may_be_hidden(value):
        return value
    try:
        is_as_shown = freeze(value) == conceal(before, keys)
    except TreeFault:
        return value
    return before if is_as_shown else value


def _conceal(node: Node) -> Node:
    if isinstance(node, str):
        return _conceal_text(node)
    if isinstance(node, tuple):
        items = tuple(_conceal(item) for item in node)
        return items if any(item is not old for item, old in zip(items, node, strict=True)) else node
    if not isinstance(node, Mapping):
        return node
    entries = node.items()
    if not _holds(" ".join(node).lower(), _STEMS) and not _holds(" ".join(_texts(node)), _TRACES):
        entries = {key: item for key, item in entries if isinstance(item, _WITH_ITEMS)}.items()
    hidden: dict[str, Node] = {}
    for key, item in entries:
        shown = _hide(item) if is_secret_name(key) else _conceal(item)
        if shown is not item:
            hidden[key] = shown
    return directory({**node, **hidden}) if hidden else node


def _holds(text: str, parts: tuple[str, ...]) -> bool:
    return any(part in text for part in parts)


def _texts(node: Mapping[str, Node]) -> list[str]:
    return [item for item in node.values() if isinstance(item, str)]


def _hide(node: Node) -> Node:
    """Nothing of a secret but whether there is one."""
    if isinstance(node, Mapping):
        return directory({key: _hide(item) for key, item in node.items()})
    if node is None or isinstance(node, bool) or node in ("", ()) or node in PUBLISHED:
        return node
    return HIDDEN


def _conceal_text(text: str) -> str:
    if _PRIVATE_KEY in text:
        return HIDDEN
    if text.startswith("{"):
        text = _conceal_json(text)
    return _URL_PASSWORD.sub(rf"\g<1>{HIDDEN}@", text) if "://" in text else text


def _conceal_json(text: str) -> str:
    """Text that holds JSON, as callers set it: itself, unless there is a secret in it."""
    try:
        node = freeze(json.loads(text))
    except (ValueError, RecursionError, TreeFault):
        return text
    shown = _conceal(node)
    return text if shown is node else json.dumps(shown, default=dict)


def _may_be_hidden(value: Any) -> bool:
    """Quick to tell for nearly all that is set."""
    return HIDDEN in value if isinstance(value, str) else isinstance(value, list | tuple)
