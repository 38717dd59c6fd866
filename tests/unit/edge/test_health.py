"""Readiness: every check's word, in one judgement at a time."""

import asyncio
import json
import threading

import pytest

from pfdcmd.edge.http.health import Readiness, directory_check, listeners_check, respond_alive
from pfdcmd.edge.runfile import Run
from pfdcmd.errors import StorageFault


def answer(readiness):
    response = asyncio.run(readiness.respond(None))
    return response.status, json.loads(response.body)


def test_alive():
    assert json.loads(asyncio.run(respond_alive(None)).body) == {"status": "alive"}


def test_it_is_ready_when_nothing_is_wrong():
    assert answer(Readiness({"a": lambda: "", "b": lambda: ""})) == (200, {"ready": True, "checks": {"a": "", "b": ""}})


def test_what_is_wrong_is_said():
    status, said = answer(Readiness({"a": lambda: "", "b": lambda: "It is full."}))
    assert (status, said) == (503, {"ready": False, "checks": {"a": "", "b": "It is full."}})


def test_many_askers_share_one_judgement():
    calls = []
    all_have_asked = threading.Event()

    def check():
        calls.append(1)
        all_have_asked.wait(10)
        return ""

    async def ask_often():
        readiness = Readiness({"a": check})
        asked = [asyncio.create_task(readiness.judge()) for _ in range(50)]
        await asyncio.sleep(0)
        asked[0].cancel()
        all_have_asked.set()
        await asyncio.gather(*asked[1:])
        await readiness.judge()

    asyncio.run(ask_often())
    assert calls == [1]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_state_directory(tmp_path, is_there):
    directory = tmp_path if is_there else tmp_path / "gone"
    said = directory_check(directory)()
    assert said == ("" if is_there else "The state directory cannot be used: No such file or directory.")
    assert str(tmp_path) not in said


def test_without_anything_that_must_serve_the_listeners_are_well(tmp_path):
    run = Run("127.0.0.1", 4055, 1, 0.0, True, False)
    assert listeners_check(tmp_path, lambda: run)() == ""


def test_a_listener_that_should_have_been_started_is_missed(tmp_path):
    run = Run("127.0.0.1", 4055, 1, 0.0, True, True)
    assert listeners_check(tmp_path, lambda: run)() == "The listener has not been started."


def test_a_pfdcm_that_is_not_announced_says_so(tmp_path):
    assert "announce" in listeners_check(tmp_path, lambda: None)()

    def unreadable():
        raise StorageFault("/secret/place cannot be read.")

    assert listeners_check(tmp_path, unreadable)() == "The run file cannot be read."
