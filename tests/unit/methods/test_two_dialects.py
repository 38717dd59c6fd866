"""The same changes, told in the old dialect and in the new one, give the same trees and the same values."""

import asyncio
import json
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rpcfakes import make_context, make_rpc

from pfdcmd.actions.caller import NOBODY_ASKED
from pfdcmd.dispatch import dispatch
from pfdcmd.methods.table import METHODS
from pfdcmd.settings import Settings
from pfdcmd.tree.store import Tree
from pfdcmd.wire.pfdialect import decode_message, encode_reply

INITIAL = {"PACS": {"help": {"aet": "X", "aec": "Y"}}, "xinetd": {"servicePort": "10402", "on": True}, "n": None}

# Few names, so that paths meet; some that are odd.
KEYS = st.sampled_from(["PACS", "help", "aet", "xinetd", "servicePort", "a", "b", "Ä b", ".", "%HOST_IP"])
PATHS = st.lists(KEYS, max_size=4).map("/".join) | st.lists(KEYS, max_size=3).map(
    lambda keys: "/" + "//".join(keys) + "/"
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=16)
TEXTS = st.sampled_from(["X", "10402", "%HOST_IP", "", '{"json": 1}', "\U0001f600"])
LEAVES = st.none() | st.booleans() | st.integers(-2, 2) | FLOATS | TEXTS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.sampled_from(["", "x/y"]), inner, max_size=3),
    max_leaves=6,
)
CHANGES = st.one_of(
    st.tuples(st.just("get"), PATHS, st.none()),
    st.tuples(st.just("set"), PATHS, VALUES),
    st.tuples(st.just("replace"), st.sampled_from(["X", "10402", "%HOST_IP", ""]), LEAVES | st.just("ENV") | VALUES),
)


def content(tree):
    return json.dumps(tree.snapshot().root, default=dict)


def make():
    return make_context(tree=INITIAL, settings=Settings(), environ={"HOST_IP": "10.0.0.7"})


def tell_in_the_old_dialect(context, change):
    """What internalctl answers: the value, or None for a fault."""
    kind, path, value = change
    name = {"get": "get", "set": "set", "replace": "valueReplace"}[kind]
    message = json.dumps({"action": "internalctl", "meta": {"var": path, name: value}}).encode()
    call = decode_message(message, max_nesting=64)
    reply = json.loads(encode_reply(asyncio.run(dispatch(call, context)), double_header=False))
    return reply["d_ret"] if reply["status"] else None


def tell_in_the_new_one(rpc, change):
    """What tree.* answers: the value, or None for a fault."""
    kind, path, value = change
    params = {"get": {"path": path}, "set": {"path": path, "value": value}, "replace": {"old": path, "new": value}}[
        kind
    ]
    request = {"jsonrpc": "2.0", "method": f"tree.{kind}", "params": params, "id": 1}
    answer = json.loads(asyncio.run(rpc.perform(json.dumps(request).encode(), NOBODY_ASKED)))
    return {"value": answer["result"]} if "result" in answer else None


def in_the_new_words(change, told):
    """internalctl's answer as tree.* would give it."""
    kind, path, value = change
    if told is None:
        return None
    if kind == "replace":
        return {"value": told["l_fileChanged"]}
    if kind == "set":
        return {"value": value}
    keys = [key for key in path.split("/") if key]
    if path in told and not (len(keys) == 1 and isinstance(told[path], Mapping)):
        # a leaf stands under the path as it was sent, false where there is nothing: tree.get makes a fault of that
        return {"value": told[path]}
    for key in keys:
        told = told[key]
    return {"value": told}


@settings(max_examples=200, deadline=None)
@given(st.lists(CHANGES, max_size=12))
def test_the_same_changes_give_the_same_trees_and_values(changes):
    old, new = make(), make()
    rpc = make_rpc(*METHODS.values(), context=new)
    for change in changes:
        before = content(old.tree)
        said = in_the_new_words(change, tell_in_the_old_dialect(old, change))
        answered = tell_in_the_new_one(rpc, change)
        if said == {"value": False} and answered is None:
            # nothing is there: false in the old dialect, a fault in the new one
            assert change[0] == "get"
            assert content(old.tree) == before
        else:
            assert json.dumps(answered) == json.dumps(said), change
        assert content(old.tree) == content(new.tree), change


@pytest.mark.parametrize("path", ["/n", "/xinetd/on"])
def test_false_and_null_are_values_and_not_nothing(path):
    context = make()
    context.tree.set("/xinetd/on", False)
    rpc = make_rpc(*METHODS.values(), context=context)
    assert tell_in_the_new_one(rpc, ("get", path, None)) == {"value": Tree({"v": context.tree.get(path)}).get("/v")}
