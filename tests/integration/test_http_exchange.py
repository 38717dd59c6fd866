"""Good requests: framing, connections kept and ended, many at once, callers who go away, the end of the server."""

import asyncio
import json

import pytest
from rawhttp import ask, exchange, parse, post, run, serving

HELLO = {"action": "hello", "meta": {"a": "ü"}}
REPLY = {"status": True, **HELLO}


def test_without_http_response_the_reply_is_bare():
    async def scenario():
        async with serving(http_response=False) as (port, _):
            assert await exchange(port, post(HELLO)) == json.dumps(REPLY, indent=4).encode()

    run(scenario())


def test_a_connection_can_be_used_again():
    async def scenario():
        async with serving(http_response=True) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for number in range(3):
                writer.write(post({"action": "hello", "meta": {"number": number}}))
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                assert parse(head + await reader.readexactly(length))[2]["meta"] == {"number": number}
            writer.close()

    run(scenario())


@pytest.mark.parametrize(
    ("asked", "allowed"), [("content-type, mode", "content-type, mode"), ("", "*"), ("x\x0by", "*")]
)
def test_a_browser_may_send(asked, allowed):
    async def scenario():
        async with serving(http_response=True) as (port, _):
            fields = f"Host: x\r\nConnection: close\r\nOrigin: http://page\r\nAccess-Control-Request-Headers: {asked}"
            answer = (await exchange(port, f"OPTIONS / HTTP/1.1\r\n{fields}\r\n\r\n".encode())).decode()
            if "\x0b" in asked:
                assert answer.startswith("HTTP/1.0 400")
                return
            assert answer.startswith("HTTP/1.1 204")
            assert "\r\nAccess-Control-Allow-Origin: *\r\n" in answer
            assert "\r\nAccess-Control-Allow-Methods: POST, OPTIONS\r\n" in answer
            assert f"\r\nAccess-Control-Allow-Headers: {allowed}\r\n" in answer

    run(scenario())


def test_a_slow_action_holds_up_nobody():
    go_on = asyncio.Event()

    async def answer(call, caller):
        if call.action == "slow":
            await go_on.wait()
        return {"status": True, "action": call.action}

    async def scenario():
        async with serving(answer, http_response=True) as (port, _):
            slow = asyncio.create_task(ask(port, {"action": "slow", "meta": {}}))
            fast = await asyncio.gather(*(ask(port, HELLO) for _ in range(32)))
            assert [reply["action"] for _, _, reply in fast] == ["hello"] * 32
            assert not slow.done()
            go_on.set()
            assert (await slow)[2]["action"] == "slow"

    run(scenario())


def test_a_caller_who_goes_away_cancels_the_action():
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def answer(call, caller):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def scenario():
        async with serving(answer, http_response=True) as (port, _):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(post(HELLO))
            await started.wait()
            writer.close()
            await cancelled.wait()

    run(scenario())


@pytest.mark.parametrize("double_header", [True, False])
def test_the_end_lets_quick_actions_finish_and_tells_the_others(double_header):
    started = asyncio.Semaphore(0)

    async def answer(call, caller):
        started.release()
        await asyncio.sleep(call.meta["seconds"])
        return {"status": True}

    async def scenario():
        async with serving(answer, http_response=double_header) as (port, server):
            calls = [
                asyncio.create_task(
                    ask(port, {"action": "x", "meta": {"seconds": seconds}}, double_header=double_header)
                )
                for seconds in (0.2, 3600)
            ]
            await started.acquire()
            await started.acquire()
            await server.stop(1.0)
            (_, _, quick), (_, _, slow) = await asyncio.gather(*calls)
            assert quick == {"status": True}
            assert slow == {"status": False, "msg": "pfdcm is shutting down."}
            with pytest.raises(ConnectionRefusedError):
                await ask(port, HELLO)

    run(scenario())


def test_only_a_post_counts_as_the_one_request():
    counted = []

    async def scenario():
        async with serving(answered=lambda: counted.append(1), http_response=True) as (port, _):
            await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await exchange(port, b"OPTIONS / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert counted == []
            await ask(port, b"rubbish")
            await ask(port, HELLO)
            assert counted == [1, 1]

    run(scenario())
