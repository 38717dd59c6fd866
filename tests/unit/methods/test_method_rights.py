"""Who may call what: READ looks, OPERATE moves images, ADMIN changes what pfdcm is."""

import pytest
from rpcfakes import call, make_context, make_rpc

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.dispatch import ACTIONS
from pfdcmd.methods.table import METHODS

OPERATE = {
    *("retrieve.start", "retrieve.cancel", "files.copy", "listener.restart", "pacs.diagnose"),
}
ADMIN = {
    *("tree.set", "tree.delete", "tree.replace", "pacs.add", "pacs.remove", "system.shutdown"),
    *("listener.apply", "listener.start", "listener.stop", "listener.drain"),
}


@pytest.mark.parametrize("name", METHODS)
def test_each_method_needs_the_right_of_what_it_does(name):
    expected = Right.ADMIN if name in ADMIN else Right.OPERATE if name in OPERATE else Right.READ
    assert METHODS[name].right is expected


def test_the_names_above_are_methods():
    assert METHODS.keys() >= OPERATE | ADMIN | ACTIONS.keys()


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("internalctl", {"var": "/a", "set": 1}),
        ("xinetd", {"object": "service", "do": "everything"}),
        ("serverctl", {"ctl": {"serverCmd": "quit"}}),
        ("tree.set", {"path": "/a", "value": 1}),
    ],
)
def test_an_old_message_needs_what_it_needs_in_the_old_dialect(method, params):
    context = make_context()
    version = context.tree.version
    error = call(make_rpc(*METHODS.values(), context=context), method, params, caller=Caller(right=Right.READ))["error"]
    assert (error["code"], context.tree.version) == (500, version)
