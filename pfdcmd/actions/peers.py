"""The entries below /PACS, one to a remote PACS: found by name, listed, put and taken away.

A name is one key below /PACS and never a path, whatever characters it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.errors import ParameterFault, PeerConfigurationFault
from pfdcmd.pacs.peer import Peer, parse_peer
from pfdcmd.retrieve.policy import MAX_ASSOCIATIONS, parse_policy
from pfdcmd.tree.path import format_path
from pfdcmd.tree.store import Tree

ENTRIES = "PACS"


def find_peer(name: str, tree: Tree) -> Peer:
    """The PACS of that name. Raises: ParameterFault: there is none. PeerConfigurationFault: it cannot be used."""
    entries = _entries(tree)
    if name not in entries:
        raise _no_such_pacs()
    return parse_peer(entries[name])


def list_peers(tree: Tree) -> list[dict[str, Any]]:
    """Each entry by one set of names: pacs host port aec aet aet_listener; fault: why it cannot be used, or nothing."""
    return [_listed(name, entry) for name, entry in _entries(tree).items()]


def put_peer(name: str, entry: Mapping[str, Any], tree: Tree) -> None:
    """Set the entry in place of one of that name.

    Raises: ParameterFault: the name has a /. PeerConfigurationFault: a query or a retrieve could not use it.
            TreeFault, TreeTooLarge: the tree cannot hold it.
    """
    if "/" in name:
        raise ParameterFault("The name of a PACS has no / in it.", parameter="pacs")
    _check(entry)
    tree.set(format_path((ENTRIES, name)), entry)


def delete_peer(name: str, tree: Tree) -> None:
    """Take the entry away. Raises: ParameterFault: there is none."""
    if name not in _entries(tree):
        raise _no_such_pacs()
    tree.delete(format_path((ENTRIES, name)))


def _entries(tree: Tree) -> Mapping[str, Any]:
    entries = tree.get(format_path((ENTRIES,)))
    return entries if isinstance(entries, Mapping) else {}


def _check(entry: object) -> None:
    """Raises: PeerConfigurationFault: a query, or a retrieve by its policy, would refuse the entry."""
    parse_peer(entry)
    parse_policy(entry, MAX_ASSOCIATIONS)


def _listed(name: str, entry: object) -> dict[str, Any]:
    fault = ""
    try:
        _check(entry)
    except PeerConfigurationFault as refusal:
        fault = refusal.message
    facts = entry if isinstance(entry, Mapping) else {}
    return {
        "pacs": name,
        "host": _text(facts.get("serverIP", facts.get("server_ip"))),
        "port": _text(facts.get("serverPort", facts.get("server_port"))),
        "aec": _text(facts.get("aec")),
        "aet": _text(facts.get("aet")),
        "aet_listener": _text(facts.get("aet_listener")),
        "fault": fault,
    }


def _text(value: object) -> str:
    """A port may be a number in the tree; anything stranger is nothing that could be shown in a list."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _no_such_pacs() -> ParameterFault:
    return ParameterFault("There is no PACS of this name; pacs.list tells those there are.", parameter="pacs")
