"""Which pages may call, and what every response says to browsers."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from pfdcmd.actions.caller import Right
from pfdcmd.edge.http.door import Door, parse_origins
from pfdcmd.edge.http.headers import guard, preflight
from pfdcmd.errors import NotAuthenticated, OriginRefused, TooManyAttempts

OURS, THEIRS = "https://viewer.example.org", "https://evil.example.org"


def request(*headers, method="POST", path="/"):
    return make_mocked_request(method, path, headers=CIMultiDict(headers))


class NoTokens:
    def find(self, presented):
        return None


@pytest.fixture
def door():
    return Door(origins=parse_origins(f"{OURS}, http://localhost:3000"))


@pytest.mark.parametrize("origin", [OURS, OURS.upper(), "http://localhost:3000"])
def test_a_page_that_may_call(door, origin):
    assert door.admit(request(("Origin", origin))).right is Right.ADMIN
    assert door.origin_for(request(("Origin", origin))) == origin


@pytest.mark.parametrize(
    "origins",
    [
        [THEIRS],
        ["null"],
        [""],
        [f"{OURS}.evil.org"],
        [f"{OURS}:8443"],
        ["http://viewer.example.org"],
        [OURS, THEIRS],
        [OURS, OURS],
    ],
)
def test_a_page_that_may_not(door, origins):
    foreign = request(*(("Origin", origin) for origin in origins))
    with pytest.raises(OriginRefused):
        door.admit(foreign)
    assert door.origin_for(foreign) is None


def test_a_program_has_no_origin(door):
    assert door.admit(request()).right is Right.ADMIN
    assert door.origin_for(request()) == ""


def test_without_a_list_every_page_may():
    door = Door()
    assert door.admit(request(("Origin", THEIRS)))
    assert door.origin_for(request(("Origin", THEIRS))) == "*"


def test_an_origin_is_no_token():
    door = Door(NoTokens(), (OURS,))
    for _ in range(10):
        with pytest.raises(NotAuthenticated):
            door.admit(request(("Origin", OURS)))
    with pytest.raises(TooManyAttempts):
        door.admit(request(("Origin", OURS)))
    for path in ("/healthz", "/readyz"):
        assert door.admit(request(path=path)).right is Right.READ


@pytest.mark.parametrize(("origin", "allowed"), [("*", "*"), (OURS, OURS), ("", None)])
def test_what_a_response_says_to_browsers(origin, allowed):
    response = web.Response(body=b"{}", headers={"Access-Control-Allow-Origin": "*", "Cache-Control": "max-age=1"})
    guard(response, origin)
    assert response.headers.get("Access-Control-Allow-Origin") == allowed
    assert (response.headers.get("Vary") == "Origin") is (origin != "*")
    assert response.headers["Cache-Control"] == "max-age=1", "who sets one knows better"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_browser_asks_first():
    asked = request(("Access-Control-Request-Headers", "authorization, x-y"), method="OPTIONS")
    response = preflight(asked, OURS)
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == OURS
    assert response.headers["Access-Control-Allow-Headers"] == "authorization, x-y"
    for asked_for in ("", "a\x7fb", "x" * 2000):
        odd = request(("Access-Control-Request-Headers", asked_for), method="OPTIONS")
        assert preflight(odd, "*").headers["Access-Control-Allow-Headers"] == "*"
    refused = preflight(asked, None)
    assert refused.status == 403
    assert "Access-Control-Allow-Origin" not in refused.headers
