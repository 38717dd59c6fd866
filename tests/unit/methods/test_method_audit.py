"""Each call of a method is one entry of the audit, whatever comes of it."""

from contextlib import contextmanager

import pytest
from rpcfakes import call, make_context, make_method

from pfdcmd.actions.audited import Entry
from pfdcmd.actions.caller import Caller, Right
from pfdcmd.errors import AuditFault, StorageFault
from pfdcmd.methods.oldmessages import METHODS as OLD_MESSAGES
from pfdcmd.methods.perform import Rpc


def failing(_path):
    raise StorageFault


class Recorded:
    """An audit in memory."""

    def __init__(self):
        self.lines = []

    @contextmanager
    def __call__(self, caller, name):
        entry = Entry()
        try:
            yield entry
        finally:
            self.lines.append((caller.name, name, entry.outcome, entry.details))


async def save_since(_version):
    """There is no tree to save."""


@pytest.fixture
def recorded():
    return Recorded()


@pytest.fixture
def rpc(recorded):
    methods = (
        make_method("look", lambda path: path, "path"),
        make_method("fail", failing, "path"),
        make_method("rule", lambda path: path, "path", right=Right.ADMIN),
        *OLD_MESSAGES,
    )
    return Rpc({method.name: method for method in methods}, make_context(), save_since, recording=recorded)


def test_each_call_is_an_entry(rpc, recorded):
    caller = Caller("ward", Right.READ)
    for method in ("look", "fail", "rule"):
        call(rpc, method, {"path": "/x"}, caller=caller)
    call(rpc, "look", {"wrong": 1}, caller=caller)
    call(rpc, "internalctl", {"var": "/x", "set": 1}, caller=caller)
    assert recorded.lines == [
        ("ward", "look", "done", {"path": "/..."}),
        ("ward", "fail", "failed", {"path": "/..."}),
        ("ward", "rule", "failed", {}),
        ("ward", "look", "failed", {}),
        ("ward", "internalctl", "failed", {"path": "/...", "asked": "set"}),
    ]


def test_nothing_is_done_that_must_be_recorded_and_cannot():
    done = []

    @contextmanager
    def broken(_caller, _name):
        raise AuditFault
        yield

    methods = {"look": make_method("look", done.append, "path")}
    answer = call(Rpc(methods, make_context(), save_since, recording=broken), "look", {"path": "/x"})
    assert answer["error"]["code"] == AuditFault.number
    assert done == []
