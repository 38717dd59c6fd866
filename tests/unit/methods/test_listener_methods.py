from contextlib import asynccontextmanager

import pytest
from rpcfakes import call, make_context, make_rpc

from pfdcmd.errors import ServiceFault
from pfdcmd.methods.listener import METHODS
from pfdcmd.service.plan import Difference, Reload


class FakeListeners:
    """One service, `a`, and what has been asked for; a change is seen only within `exclusive`."""

    def __init__(self, failed=None, is_drained=True):
        self.asked = []
        self.failed = failed or {}
        self.is_drained = is_drained
        self.is_held = False

    @asynccontextmanager
    async def exclusive(self):
        self.is_held = True
        yield
        self.is_held = False

    def listing(self):
        return {"a": {"state": "RUNNING", "pids": [7]}, ".reload": {}, ".faults": []}

    async def change(self, name, changes):
        assert self.is_held
        self.asked.append(("change", name, changes))

    async def reload(self, renewed=()):
        assert self.is_held
        self.asked.append(("reload", list(renewed)))
        return Reload(Difference(changed=tuple(renewed), failed=self.failed), ())

    async def drained(self, name):
        assert not self.is_held, "others would wait for as long as a sender takes"
        self.asked.append(("drained", name))
        return self.is_drained

    async def log(self, name, lines):
        self.asked.append(("log", name, lines))
        return ["a line"]


def ask(method, params=None, listeners=None):
    listeners = listeners or FakeListeners()
    return call(make_rpc(*METHODS, context=make_context(listeners=listeners)), method, params), listeners.asked


SHOWN = {"service": "a", "state": "RUNNING", "pids": [7]}


@pytest.mark.parametrize(
    ("method", "params", "result", "asked"),
    [
        ("listener.list", None, [SHOWN], []),
        ("listener.get", ["a"], SHOWN, []),
        ("listener.start", ["a"], SHOWN, [("change", "a", {"disable": ["no"]})]),
        ("listener.stop", ["a"], SHOWN, [("change", "a", {"disable": ["yes"]})]),
        ("listener.drain", ["a"], SHOWN, [("change", "a", {"disable": ["yes"]}), ("drained", "a")]),
        ("listener.restart", ["a"], SHOWN, [("reload", ["a"])]),
        ("listener.log", ["a", 5], ["a line"], [("log", "a", 5)]),
        ("listener.apply", ["a", {"workers": 3}], SHOWN, [("change", "a", {"workers": ["3"]})]),
    ],
)
def test_each_does_its_one_thing(method, params, result, asked):
    answer, seen = ask(method, params)
    assert (answer.get("result"), seen) == (result, asked)


def test_apply_without_parameters_reads_all_files_anew():
    answer, seen = ask("listener.apply")
    assert seen == [("reload", [])]
    assert answer["result"].keys() == {"added", "changed", "removed", "unchanged", "failed", "faults"}


@pytest.mark.parametrize("method", ["get", "start", "stop", "drain", "restart", "log"])
@pytest.mark.parametrize("service", ["b", ".reload", ".faults"])
def test_what_is_no_service_is_told_so_and_not_made(method, service):
    answer, seen = ask(f"listener.{method}", [service])
    assert answer["error"]["data"]["parameter"] == "service"
    assert seen == []


@pytest.mark.parametrize("params", [{"service": "a"}, {"attributes": {"workers": 3}}])
def test_apply_wants_both_or_neither(params):
    answer, seen = ask("listener.apply", params)
    assert (answer["error"]["code"], seen) == (-32602, [])


def test_a_restart_that_fails_says_why():
    answer, _ = ask("listener.restart", ["a"], FakeListeners(failed={"a": "a does not start: no"}))
    assert answer["error"]["message"] == "a does not start: no"


def test_a_sender_that_does_not_end_is_told():
    answer, _ = ask("listener.drain", ["a"], FakeListeners(is_drained=False))
    assert answer["error"]["data"]["fault"] == "SupervisorFault"


def test_a_log_that_is_gone_is_a_fault_of_its_service():
    class Gone(FakeListeners):
        async def log(self, name, lines):
            raise ServiceFault("There is no service 'a'.", parameter="service")

    answer, _ = ask("listener.log", ["a"], Gone())
    assert (answer["error"]["code"], answer["error"]["data"]["parameter"]) == (300, "service")
