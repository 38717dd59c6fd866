import asyncio
from datetime import datetime
from types import SimpleNamespace

import pytest

from pfdcmd.actions.hello import hello
from pfdcmd.actions.internalctl import internalctl
from pfdcmd.actions.ls import ls
from pfdcmd.actions.objpull import objpull
from pfdcmd.actions.objput import objput
from pfdcmd.actions.serverctl import serverctl
from pfdcmd.errors import ObjectStoreUnavailable, ParameterFault, TreeFault
from pfdcmd.settings import Settings
from pfdcmd.tree.store import Tree
from pfdcmd.wire.jsontext import format_json


class FakeHost:
    async def describe(self):
        return {"system": "Linux"}


def make_context(tree=None, **environ):
    context = SimpleNamespace(
        settings=Settings(),
        tree=Tree(tree or {}),
        environ=environ,
        host=FakeHost(),
        listeners=SimpleNamespace(listing=dict),
        now=lambda: datetime(2026, 11, 22, 11, 42, 24, 217160),
        has_quit=False,
    )
    context.quit = lambda: setattr(context, "has_quit", True)
    return context


def do(action, meta, context=None):
    return asyncio.run(action(meta, context or make_context()))


HELLO = {"name": "pfdcm", "version": ""}


@pytest.mark.parametrize(
    ("meta", "reply"),
    [
        ({}, {"d_ret": {}, "status": False}),
        ({"askAbout": "nothing"}, {"d_ret": HELLO, "status": False}),
        ({"askAbout": ["timestamp"]}, {"d_ret": HELLO, "status": False}),
        (
            {"askAbout": "timestamp"},
            {"d_ret": {**HELLO, "timestamp": {"now": "20261122114224.217160"}}, "status": True},
        ),
        ({"askAbout": "echoBack", "echoBack": None}, {"d_ret": {**HELLO, "echoBack": {"msg": None}}, "status": True}),
        ({"askAbout": "sysinfo"}, {"d_ret": {**HELLO, "sysinfo": {"system": "Linux"}}, "status": True}),
    ],
)
def test_hello(meta, reply):
    assert do(hello, meta) == reply


def test_hello_cannot_echo_nothing():
    with pytest.raises(ParameterFault, match="echoBack"):
        do(hello, {"askAbout": "echoBack"})


PACS = {"PACS": {"p": {"aec": "A", "ip": "%HOST_IP"}}, "n": None}


@pytest.mark.parametrize(
    ("meta", "answer"),
    [
        ({"var": "/PACS/p", "get": "value"}, {"PACS": {"p": {"aec": "A", "ip": "%HOST_IP"}}}),
        ({"var": "PACS/p/", "get": "value"}, {"PACS": {"p": {"aec": "A", "ip": "%HOST_IP"}}}),
        ({"var": "/", "get": 1}, PACS),
        ({"var": "", "get": None}, PACS),
        ({"var": "/PACS/p/aec", "get": "value"}, {"/PACS/p/aec": "A"}),
        ({"var": "PACS/p/aec/", "get": "value"}, {"PACS/p/aec/": "A"}),
        ({"var": "/n", "get": "value"}, {"/n": None}),
        ({"var": "/nope/nope", "get": "value"}, {"/nope/nope": False}),
        ({"var": "/PACS/p/aec", "set": "B"}, {"/PACS/p/aec": "B"}),
        ({"var": "/PACS", "set": {"q": {"aec": "C"}}}, {"q": {"aec": "C"}}),
        ({"var": "A", "valueReplace": "B"}, {"status": True, "l_fileChanged": ["/PACS/p/aec"], "hits": 1}),
        ({"var": "%HOST_IP", "valueReplace": "ENV"}, {"status": True, "l_fileChanged": ["/PACS/p/ip"], "hits": 1}),
    ],
)
def test_internalctl(meta, answer):
    reply = do(internalctl, meta, make_context(PACS, HOST_IP="10.0.0.1"))
    assert reply == {"d_ret": answer, "status": True}
    assert format_json(reply)


def test_internalctl_without_a_directive_does_nothing():
    context = make_context(PACS)
    assert do(internalctl, {"var": "/PACS"}, context) == {"d_ret": {}, "status": False}
    assert context.tree.version == 1


@pytest.mark.parametrize(
    "meta", [{"get": "value"}, {"var": 1, "get": "value"}, {"var": None, "set": 1}, {"var": [], "set": 1}]
)
def test_internalctl_needs_a_var(meta):
    with pytest.raises(ParameterFault, match='"var"'):
        do(internalctl, meta)


def test_internalctl_set_is_seen_by_a_get_in_the_same_message_and_answers_for_both():
    context = make_context(PACS)
    meta = {"var": "/PACS/p/aec", "get": "value", "set": "B", "valueReplace": "C"}
    assert do(internalctl, meta, context)["d_ret"] == {"status": True, "l_fileChanged": [], "hits": 0}
    assert context.tree.get("/PACS/p/aec") == "B"


def test_internalctl_keeps_what_it_was_sent_apart_from_the_tree():
    context, entries = make_context(), {"p": {"aec": "A"}}
    do(internalctl, {"var": "/PACS", "set": entries}, context)
    entries["p"]["aec"] = "changed"
    assert context.tree.get("/PACS/p/aec") == "A"


def test_internalctl_refuses_what_would_lose_a_directory():
    with pytest.raises(TreeFault):
        do(internalctl, {"var": "/PACS", "set": "x"}, make_context(PACS))


def test_serverctl():
    context = make_context()
    assert do(serverctl, {"ctl": {"serverCmd": "nothing"}}, context) == {"status": True, "msg": ""}
    assert not context.has_quit
    assert do(serverctl, {"ctl": {"serverCmd": "quit"}}, context) == {"msg": "Server shut down", "status": True}
    assert context.has_quit


@pytest.mark.parametrize("meta", [{}, {"ctl": "quit"}, {"ctl": {}}])
def test_serverctl_needs_a_command(meta):
    with pytest.raises(ParameterFault, match="serverCmd"):
        do(serverctl, meta)


@pytest.mark.parametrize("action", [ls, objpull, objput])
def test_object_storage_says_at_once_that_it_is_not_there(action):
    with pytest.raises(ObjectStoreUnavailable, match="object storage"):
        do(action, {"path": "/"})


def test_of_the_environment_callers_get_what_is_for_them():
    context = make_context(PACS, HOST_IP="10.0.0.1", AWS_SECRET_ACCESS_KEY="s3cret")
    none = {"status": True, "l_fileChanged": [], "hits": 0}
    for name in ("%AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "%NOPE"):
        do(internalctl, {"var": "/site/leaf", "set": name}, context)
        assert do(internalctl, {"var": name, "valueReplace": "ENV"}, context)["d_ret"] == none
    assert do(internalctl, {"var": "%HOST_IP", "valueReplace": "ENV"}, make_context(PACS))["d_ret"] == none


def test_secrets_are_not_shown_and_survive_being_sent_back():
    context = make_context({"swift": {"key": "s3cret", "username": "u"}})
    shown = do(internalctl, {"var": "/swift", "get": "value"}, context)["d_ret"]["swift"]
    assert dict(shown) == {"key": "****", "username": "u"}
    assert do(internalctl, {"var": "/swift/key", "get": "value"}, context)["d_ret"] == {"/swift/key": "****"}
    reply = do(internalctl, {"var": "/swift", "set": {**shown, "username": "v"}}, context)
    assert reply["d_ret"] == {"key": "****", "username": "v"}
    assert dict(context.tree.get("/swift")) == {"key": "s3cret", "username": "v"}
    do(internalctl, {"var": "/swift/key", "set": "****"}, context)
    assert context.tree.get("/swift/key") == "s3cret"
    reply = do(internalctl, {"var": "/swift/key", "set": "new"}, context)
    assert reply["d_ret"] == {"/swift/key": "****"}
    assert context.tree.get("/swift/key") == "new"
