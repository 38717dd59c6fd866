"""What intruders try with HTTP and JSON themselves: refused or harmless, and pfdcm answers the next caller."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.acceptance

MEBIBYTE = 1024 * 1024
SMUGGLED_META = {"var": "/smuggled", "set": "yes"}


@pytest.fixture
def site(site_to_break_into):
    """The site; whatever a test has tried, all is well afterwards."""
    yield site_to_break_into
    site_to_break_into.check()
    assert site_to_break_into.ask("internalctl", {"var": "/smuggled", "get": 1})["d_ret"] == {"/smuggled": False}


def request_of(site, body, *headers, right="read"):
    """A whole request of a caller with this right."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = ["POST / HTTP/1.1", "Host: x", f"Authorization: Bearer {site.tokens[right]}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


def smuggled(site):
    """A request that must never be one: only what a proxy lets through by mistake has the administrator's token."""
    body = {"action": "internalctl", "meta": SMUGGLED_META}
    length = f"Content-Length: {len(json.dumps(body))}"
    return request_of(site, body, length, right="admin")


SMUGGLING = {
    "a length and chunks": (["Content-Length: 5", "Transfer-Encoding: chunked"], b"0\r\n\r\n{hidden}"),
    "chunks and a length": (["Transfer-Encoding: chunked", "Content-Length: 5"], b"0\r\n\r\n{hidden}"),
    "two lengths": (["Content-Length: 0", "Content-Length: {length}"], b"{hidden}"),
    "a list of lengths": (["Content-Length: 0, {length}"], b"{hidden}"),
    "a length with a sign": (["Content-Length: +0"], b"{hidden}"),
    "a negative length": (["Content-Length: -1"], b"{hidden}"),
    "a length in hexadecimal": (["Content-Length: 0x0"], b"{hidden}"),
    "a folded header": (["X: y", " Content-Length: 0"], b"{hidden}"),
    "a space before the colon": (["Content-Length : 0"], b"{hidden}"),
    "a zero byte in a header": (["X: a\0b", "Content-Length: 0"], b"{hidden}"),
    "a bare carriage return": (["X: a\rContent-Length: 0"], b"{hidden}"),
    "chunks by another name": (["Transfer-Encoding: xchunked"], b"0\r\n\r\n{hidden}"),
    "chunks twice": (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], b"0\r\n\r\n{hidden}"),
    "a chunk size with a sign": (["Transfer-Encoding: chunked"], b"-1\r\n\r\n{hidden}"),
    "a chunk size too large": (["Transfer-Encoding: chunked"], b"fffffffffffffffff0\r\n{hidden}"),
    "a chunk without an end": (["Transfer-Encoding: chunked"], b"2\r\nabX\r\n{hidden}"),
}


@pytest.mark.parametrize(("headers", "body"), SMUGGLING.values(), ids=SMUGGLING.keys())
def test_a_request_within_another(site, headers, body):
    """What is hidden stands where a proxy may see a body, and pfdcm must not see a request."""
    hidden = smuggled(site).replace(site.tokens["admin"].encode(), site.tokens["read"].encode())
    headers = [header.format(length=len(hidden)) for header in headers]
    answer = site.raw(request_of(site, body.replace(b"{hidden}", hidden), *headers))
    assert b"HTTP/1.1 200" not in answer or b'"status": false' in answer
    assert answer.count(b"HTTP/1.1 ") <= 1, "the second is never taken for a request"


@pytest.mark.parametrize("extension", [b";a=b", b";" + b"x" * 100_000, b"; \x00", b' ;a="\n"'])
def test_a_chunk_with_an_extension(site, extension):
    body = b"2" + extension + b"\r\n{}\r\n0\r\n\r\n"
    answer = site.raw(request_of(site, body, "Transfer-Encoding: chunked"))
    assert answer.count(b"HTTP/1.1 ") <= 1


def test_lines_that_end_in_a_line_feed_alone(site):
    answer = site.raw(smuggled(site).replace(b"\r\n", b"\n").replace(b"set", b"get"))
    assert answer.count(b"HTTP/1.1 ") <= 1


LARGE = {
    "a header": lambda site: request_of(site, b"", "X: " + "x" * MEBIBYTE),
    "many headers": lambda site: request_of(site, b"", *(f"X-{number}: y" for number in range(50_000))),
    "a path": lambda site: request_of(site, b"").replace(b"POST /", b"POST /" + b"x" * MEBIBYTE, 1),
    "a method": lambda site: b"X" * MEBIBYTE + b" / HTTP/1.1\r\n\r\n",
    "a header name": lambda site: request_of(site, b"", "x" * MEBIBYTE + ": y"),
    "a token": lambda site: request_of(site, b"").replace(b"Bearer ", b"Bearer " + b"x" * MEBIBYTE, 1),
    "a body": lambda site: request_of(site, b"x" * (5 * MEBIBYTE), f"Content-Length: {5 * MEBIBYTE}"),
    "a body that is not there": lambda site: request_of(site, b"", "Content-Length: 99999999999999999999"),
    "a chunk": lambda site: request_of(
        site, b"500000\r\n" + b"x" * (5 * MEBIBYTE) + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"
    ),
}


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE.keys())
def test_more_than_anybody_needs(site, make):
    answer = site.raw(make(site))
    assert b'"status": true' not in answer
    assert len(answer) < 10_000


def nested(levels):
    return '{"action": "internalctl", "meta": {"var": "/x", "set": ' + "[" * levels + "]" * levels + "}}"


BOMBS = {
    "lists in lists": nested(1_000_000),
    "lists in lists, just too many": nested(70),
    "objects in objects": '{"a":' * 500_000 + "1" + "}" * 500_000,
    "a form that nests": "payload" + "[a]" * 200_000 + "=1",
    "a huge number": '{"action": "hello", "meta": {"n": ' + "9" * 1_000_000 + "}}",
    "a huge exponent": '{"action": "hello", "meta": {"n": 1e999999}}',
    "half a surrogate pair": '{"action": "internalctl", "meta": {"var": "/x", "set": "\\ud800"}}',
    "half of one in a key": '{"action": "internalctl", "meta": {"var": "/x", "set": {"\\udfff": 1}}}',
    "bytes that are no text": b'{"action": "\xc3\x28"}',
    "another encoding": json.dumps({"action": "hello"}).encode("utf-16"),
    "not a number": '{"action": "hello", "meta": {"n": NaN}}',
    "a text without an end": '{"action": "' + "x" * MEBIBYTE,
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb(site, body):
    for path in ("/", "/rpc"):
        headers = {**site.headers("admin"), "Content-Type": "application/json"}
        answer = site.pfdcm.raw(body, path=path, headers=headers)
        assert b'"status": true' not in answer
        assert b'"result"' not in answer
    assert site.ask("internalctl", {"var": "/x", "get": 1})["d_ret"] == {"/x": False}


def test_a_key_twice_is_the_latter_for_the_right_too(site):
    """Nobody asks for a right by one reading of the message, and for an action by another."""
    body = '{"action": "hello", "meta": {}, "action": "internalctl", "meta": {"var": "/smuggled", "set": 1}}'
    assert site.status(body, headers=site.headers("read")) == 403
    body = '{"action": "internalctl", "meta": {"var": "/", "get": 1, "get": 2, "set": 1, "set": 2}}'
    assert site.status(body, headers=site.headers("read")) == 403


def test_a_million_keys(site):
    """As many as the largest message holds; the tree takes at most 100,000."""
    keys = {f"{number:x}": 0 for number in range(300_000)}
    reply = site.ask("internalctl", {"var": "/many", "set": keys})
    assert reply["status"] is False
    assert "full" in reply["msg"]
    text = '{"action": "hello", "meta": {' + ",".join(f'"{number:x}":0' for number in range(400_000)) + "}}"
    assert site.status(text, headers=site.headers("read")) == 200
    assert site.ask("internalctl", {"var": "/many", "get": 1})["d_ret"] == {"/many": False}
