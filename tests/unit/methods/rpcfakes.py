"""What the methods' unit tests need of a pfdcm: a context, a table of small methods, a call."""

import asyncio
import json
from types import SimpleNamespace

from pfdcmd.actions.caller import NOBODY_ASKED, Right
from pfdcmd.methods.method import Method
from pfdcmd.methods.perform import Rpc
from pfdcmd.settings import Settings
from pfdcmd.tree.store import Tree


def make_context(tree=None, settings=None, **ports):
    defaults = {
        "settings": settings or Settings(),
        "tree": Tree(tree or {}),
        "environ": {},
        "listeners": SimpleNamespace(listing=dict),
    }
    return SimpleNamespace(**{**defaults, **ports})


def make_method(name, function, *params, right=Right.READ, **facts):
    """A method whose parameters may be anything; the function is called with their values in this order."""

    async def run(given, _context, _caller):
        return function(*(given[param] for param in params))

    schemas = {param: {} for param in params}
    return Method(name, "", right, run, {}, **{"params": schemas, "required": params, **facts})


def make_rpc(*methods, context=None, saved=None):
    """saved: a list that gets the version of the tree that each save was asked for."""

    async def save_since(version):
        if saved is not None:
            saved.append(version)

    return Rpc({method.name: method for method in methods}, context or make_context(), save_since)


def perform(rpc, text, caller=NOBODY_ASKED, **options):
    """The response as JSON, or None."""
    content = text if isinstance(text, bytes) else (text if isinstance(text, str) else json.dumps(text)).encode()
    answer = asyncio.run(rpc.perform(content, caller, **options))
    return None if answer is None else json.loads(answer)


def call(rpc, method, params=None, **options):
    request = {"jsonrpc": "2.0", "method": method, "id": 1}
    return perform(rpc, request if params is None else {**request, "params": params}, **options)
