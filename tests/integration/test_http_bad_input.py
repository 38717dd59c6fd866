"""Whatever is wrong with a request, it is answered, at once, in the framing of all replies."""

import asyncio
import json
import logging

import pytest
from rawhttp import ask, exchange, parse, post, run, serving

HELLO = {"action": "hello", "meta": {}}
FRAMINGS = pytest.mark.parametrize("double_header", [True, False], ids=["httpResponse", "bare"])
BAD_BODIES = {
    "not JSON": (b"this is not json", "not JSON"),
    "list": (b"[1,2,3]", "a list"),
    "null": (b"null", "is null"),
    "empty": (b"", "is empty"),
    "no meta": (b'{"action": "hello"}', '"meta"'),
    "no action": (b'{"payload": {"meta": {}}}', '"action"'),
    "UTF-8": (b'{"action": "\xff\xfe"}', "UTF-8"),
    "deep": (b"[" * 1_000_000, "deep"),
    "NaN": (b'{"action": "hello", "meta": {"a": NaN}}', "NaN"),
}


@FRAMINGS
@pytest.mark.parametrize(("body", "words"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_bad_messages(double_header, body, words):
    async def scenario():
        async with serving(http_response=double_header) as (port, _):
            status, headers, reply = await ask(port, body, double_header=double_header)
            assert reply["status"] is False
            assert words in reply["msg"]
            if double_header:
                assert status == 200
                assert headers["access-control-allow-origin"] == "*"
                assert headers["content-type"] == "text/plain; charset=UTF-8"
                assert headers["x-content-type-options"] == "nosniff"
                assert "content-encoding" not in headers

    run(scenario())


@FRAMINGS
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods(double_header, method):
    async def scenario():
        async with serving(http_response=double_header) as (port, _):
            request = f"{method} /?action=hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            _, _, reply = parse(await exchange(port, request), double_header)
            assert reply == {"status": False, "msg": "Messages are sent by POST."}

    run(scenario())


@FRAMINGS
@pytest.mark.parametrize(
    "request_bytes",
    [
        b"RUBBISH\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nxx\r\n",
    ],
    ids=["rubbish", "TLS", "negative length", "two lengths", "long header", "chunk size"],
)
def test_what_is_not_http_is_told_so_without_a_traceback(double_header, request_bytes, caplog):
    async def scenario():
        async with serving(http_response=double_header) as (port, _):
            status, _, reply = parse(await exchange(port, request_bytes), double_header)
            assert reply["status"] is False
            assert "HTTP" in reply["msg"]
            assert status in {400, None}
            assert (await ask(port, HELLO, double_header=double_header))[2]["status"] is True

    with caplog.at_level(logging.INFO):
        run(scenario())
    assert not any(record.exc_info for record in caplog.records)


@FRAMINGS
@pytest.mark.parametrize("is_chunked", [False, True], ids=["declared", "chunked"])
def test_a_body_of_100_megabytes_gets_its_answer(double_header, is_chunked):
    megabyte = b"x" * (1024 * 1024)

    async def scenario():
        async with serving(http_response=double_header) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {100 * len(megabyte)}"
            writer.write(f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{length}\r\n\r\n".encode())
            for _ in range(100):
                writer.write(b"100000\r\n" + megabyte + b"\r\n" if is_chunked else megabyte)
                await writer.drain()
            if is_chunked:
                writer.write(b"0\r\n\r\n")
            _, _, reply = parse(await reader.read(), double_header)
            writer.close()
            assert reply["status"] is False
            assert "too large" in reply["msg"]
            assert (await ask(port, HELLO, double_header=double_header))[2]["status"] is True

    run(scenario())


@FRAMINGS
def test_a_declared_length_is_refused_before_anything_is_sent(double_header):
    async def scenario():
        async with serving(http_response=double_header) as (port, _):
            head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100000000\r\n\r\n"
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            start = await reader.read(4096)
            writer.close()
            assert b"100 Continue" not in start
            assert b"too large" in start

    run(scenario())


def test_a_caller_that_asks_may_go_on():
    async def scenario():
        async with serving(http_response=True) as (port, _):
            body = json.dumps(HELLO).encode()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"Host: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: {len(body)}"
            writer.write(f"POST / HTTP/1.1\r\n{head}\r\n\r\n".encode())
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(body)
            assert parse(await reader.read())[2]["status"] is True
            writer.close()

    run(scenario())


@FRAMINGS
def test_a_body_that_does_not_come_is_answered_in_time(double_header):
    async def scenario():
        async with serving(http_response=double_header, request_seconds=0.3) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            start = await reader.read(4096)
            writer.close()
            assert b"0.3 seconds" in start

    run(scenario())


@pytest.mark.parametrize("header", [b"", b"POST / HTTP/1.1\r\nHost: "], ids=["silent", "half a header"])
def test_a_header_that_does_not_come_ends_the_connection(header):
    async def scenario():
        async with serving(http_response=True, request_seconds=0.3) as (port, _):
            assert await exchange(port, header) == b""

    run(scenario())


def test_many_stalled_callers_do_not_hold_up_another():
    async def scenario():
        async with serving(http_response=True, request_seconds=20) as (port, _):
            stalled = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
            for number, (_, writer) in enumerate(stalled):
                writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"[: number % 60])
            assert (await asyncio.wait_for(ask(port, HELLO), 5))[2]["status"] is True
            for _, writer in stalled:
                writer.close()

    run(scenario())


@FRAMINGS
def test_one_connection_too_many_is_told_so(double_header):
    async def scenario():
        async with serving(http_response=double_header, max_connections=2) as (port, _):
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            _, _, reply = await ask(port, HELLO, double_header=double_header)
            assert reply["status"] is False
            assert "too many connections" in reply["msg"]
            for _, writer in held:
                writer.close()
                await writer.wait_closed()
            async with asyncio.timeout(10):
                while not (await ask(port, HELLO, double_header=double_header))[2]["status"]:
                    await asyncio.sleep(0.05)

    run(scenario())


@FRAMINGS
def test_a_reply_that_cannot_be_written_is_an_internal_error(double_header, caplog):
    async def answer(call, caller):
        return {"status": True, "data": object()}

    async def scenario():
        async with serving(answer, http_response=double_header) as (port, _):
            _, _, reply = await ask(port, HELLO, double_header=double_header)
            assert reply["msg"].startswith("Internal error, reference ")

    run(scenario())
    assert "object" in caplog.text


def test_what_a_caller_writes_does_not_forge_a_line_of_the_log(caplog):
    async def scenario():
        async with serving(http_response=True) as (port, _):
            await ask(port, {"action": "x" * 1000, "meta": {"PatientName": "SECRET^NAME"}})

    with caplog.at_level(logging.DEBUG):
        run(scenario())
    assert "SECRET^NAME" not in caplog.text
    assert "x" * 41 not in caplog.text


def test_a_post_on_any_path_with_any_content_type():
    async def scenario():
        async with serving(http_response=True) as (port, _):
            for path in ("/", "/api/v1/cmd/", "/a/b?c=d", "//"):
                for kind in ("text/plain", "application/json", "multipart/form-data", "nonsense"):
                    request = post(HELLO, f"Content-Type: {kind}", "Mode: control", "Connection: close", path=path)
                    assert parse(await exchange(port, request))[2] == {"status": True, **HELLO}

    run(scenario())
