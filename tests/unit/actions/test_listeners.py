"""The branch /listeners of internalctl, with a fake super-server."""

import asyncio
import contextlib
import dataclasses

import pytest

from pfdcmd.actions.context import Context
from pfdcmd.actions.internalctl import internalctl
from pfdcmd.errors import ParameterFault, PathRefused, ServiceFault
from pfdcmd.settings import Settings
from pfdcmd.tree.store import Tree

LISTING = {"a": {"state": "RUNNING", "port": "104", "configuration": {"port": "104", "instances": "3"}}}


class FakeListeners:
    def __init__(self):
        self.shown = LISTING
        self.changes = []
        self.is_held = False

    @contextlib.asynccontextmanager
    async def exclusive(self):
        self.is_held = True
        yield
        self.is_held = False

    async def change(self, name, changes):
        assert self.is_held
        if name == "bad":
            raise ServiceFault("Nothing is changed: services.d/bad:3: no.")
        self.changes.append((name, changes))

    def listing(self):
        return self.shown


@pytest.fixture
def context():
    return Context(
        Settings(), Tree({"PACS": {"x": 1}}), None, FakeListeners(), None, None, {}, None, None, None, None, None, None
    )


def call(context, **meta):
    return asyncio.run(internalctl(meta, context))


def test_get_answers_as_for_the_rest_of_the_tree(context):
    assert call(context, var="/listeners", get=1) == {"d_ret": {"listeners": LISTING}, "status": True}
    assert call(context, var="/listeners/a/configuration", get=1)["d_ret"] == {
        "listeners": {"a": {"configuration": {"port": "104", "instances": "3"}}}
    }
    assert call(context, var="listeners/a/state/", get=1)["d_ret"] == {"listeners/a/state/": "RUNNING"}
    for nothing in ("/listeners/b", "/listeners/a/state/deeper"):
        assert call(context, var=nothing, get=1)["d_ret"] == {nothing: False}


def test_the_root_shows_it_once_there_is_a_service(context):
    assert list(call(context, var="/", get=1)["d_ret"]) == ["PACS", "listeners"]
    context.listeners.shown = {}
    assert list(call(context, var="/", get=1)["d_ret"]) == ["PACS"]
    assert call(context, var="/listeners", get=1)["d_ret"] == {"/listeners": False}


@pytest.mark.parametrize(
    ("var", "value", "changes"),
    [
        ("/listeners/a/instances", 5, {"instances": ["5"]}),
        ("/listeners/a/configuration/instances", "5", {"instances": ["5"]}),
        ("/listeners/a/only_from", "10.0.0.1  10.0.0.2\n", {"only_from": ["10.0.0.1", "10.0.0.2"]}),
        ("/listeners/a/only_from", ["10.0.0.1", "10.0.0.2"], {"only_from": ["10.0.0.1", "10.0.0.2"]}),
        ("/listeners/a/only_from", "", {"only_from": []}),
        ("/listeners/a/only_from", None, {"only_from": None}),
        ("/listeners/a/disable", True, {"disable": ["yes"]}),
        ("/listeners/a/max_load", 2.5, {"max_load": ["2.5"]}),
        ("/listeners/new", {"port": 104, "configuration": {"ae_title": "X"}}, {"port": ["104"], "ae_title": ["X"]}),
    ],
)
def test_set_is_a_change_of_one_service(context, var, value, changes):
    reply = call(context, var=var, set=value)
    assert reply == {"d_ret": value if isinstance(value, dict) else {var: value}, "status": True}
    assert context.listeners.changes == [(var.split("/")[2], changes)]
    assert "listeners" not in context.tree.snapshot().root


@pytest.mark.parametrize(
    ("var", "value", "says"),
    [
        ("/listeners", {"a": {"port": 1}}, "one service at a time"),
        ("/", {"listeners": {"a": {}}}, "one at a time"),
        ("/listeners/a", "x", "dictionary"),
        ("/listeners/a", {}, "nothing to set"),
        ("/listeners/a", {"configuration": 1}, "dictionary"),
        ("/listeners/a/state", "RUNNING", "no attribute 'state'"),
        ("/listeners/a/x y\n}", "1", "no attribute"),
        ("/listeners/a/port/deeper", "1", "not a directory"),
        ("/listeners/a/port", {"x": 1}, "port must be text"),
        ("/listeners/a/port", [{"x": 1}], "port must be text"),
        ("/listeners/a/port", "9" * 20_000, "moderate length"),
    ],
)
def test_what_cannot_be_set_is_refused_before_anything_happens(context, var, value, says):
    with pytest.raises(ParameterFault, match=says):
        call(context, var=var, set=value)
    assert context.listeners.changes == []


def test_a_change_that_is_refused_says_why(context):
    with pytest.raises(ServiceFault, match="Nothing is changed"):
        call(context, var="/listeners/bad/port", set="none")


class FakeFiles:
    def __init__(self):
        self.checked = []

    async def check_paths(self, paths):
        self.checked += paths
        if any(path.startswith("/etc") for path in paths):
            raise PathRefused


@pytest.mark.parametrize(
    ("attributes", "checked"),
    [
        ({"data_dir": "/data/x", "only_from": "10.0.0.0/8"}, ["/data/x"]),
        ({"server_args": "-t /tmp/x -d/data/y --log=/log -e /bin/z"}, ["/tmp/x", "/data/y", "/log", "/bin/z"]),
        ({"instances": 4, "log_dir": None}, []),
    ],
)
def test_directories_of_a_service_are_looked_at(context, attributes, checked):
    files = FakeFiles()
    call(dataclasses.replace(context, files=files), var="/listeners/a", set=attributes)
    assert files.checked == checked


def test_a_directory_out_of_the_roots_changes_nothing(context):
    with pytest.raises(PathRefused):
        call(dataclasses.replace(context, files=FakeFiles()), var="/listeners/a/data_dir", set="/etc")
    assert context.listeners.changes == []
