import asyncio
import logging

import pytest

from pfdcmd import dispatch as module
from pfdcmd.dispatch import ACTIONS, dispatch
from pfdcmd.errors import ParameterFault
from pfdcmd.wire.pfdialect import Call


def run_with(monkeypatch, action):
    monkeypatch.setattr(module, "ACTIONS", {"it": action})
    return asyncio.run(dispatch(Call("it", {"name": "SECRET^PATIENT"}), None))


def test_the_table_names_every_action_of_the_original():
    assert set(ACTIONS) == {
        "hello",
        "internalctl",
        "xinetd",
        "PACSinteract",
        "internalDB",
        "ls",
        "objPull",
        "objPut",
        "serverctl",
    }


def test_an_unknown_action_is_told_the_known_ones():
    reply = asyncio.run(dispatch(Call("nosuch", {}), None))
    assert reply["status"] is False
    assert all(name in reply["msg"] for name in ACTIONS)
    assert "nosuch" not in reply["msg"]


def test_a_fault_tells_the_caller_and_its_cause_the_log(monkeypatch, caplog):
    async def action(meta, context):
        raise ParameterFault("That is wrong.", cause="for the operator")

    assert run_with(monkeypatch, action) == {"status": False, "msg": "That is wrong."}
    assert "for the operator" in caplog.text


def test_what_is_unexpected_is_a_reference_that_the_log_has_too(monkeypatch, caplog):
    async def action(meta, context):
        raise KeyError("inner detail")

    reply = run_with(monkeypatch, action)
    assert reply["status"] is False
    assert "inner detail" not in reply["msg"]
    record = caplog.records[-1]
    assert record.levelno == logging.ERROR
    assert reply["msg"].removeprefix("Internal error, reference ") in record.getMessage()
    assert record.exc_info[0] is KeyError
    assert "SECRET^PATIENT" not in caplog.text


def test_cancellation_passes(monkeypatch):
    async def action(meta, context):
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run_with(monkeypatch, action)
