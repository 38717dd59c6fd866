"""What every response says of itself to browsers: whose pages may read it, and that it is no page.

Source: Fetch standard, section 3.2; OWASP REST Security Cheat Sheet, "Security Headers".
"""

from __future__ import annotations

import re
from http import HTTPStatus

from aiohttp import web

from pfdcmd.edge.http.connection import SECURITY_HEADERS
from pfdcmd.edge.http.door import ANY_ORIGIN

_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1024}\Z")
_PREFLIGHT_SECONDS = "86400"


def guard(response: web.StreamResponse, origin: str) -> None:
    """Add what the response lacks, unless its head has been sent; origin is who may read it, as the door has it."""
    if response.prepared:
        return
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    allow(response, origin)


def allow(response: web.StreamResponse, origin: str) -> None:
    """Say whose pages may read the response: everybody's, one origin's, or nobody's."""
    response.headers.pop("Access-Control-Allow-Origin", None)
    if origin:
        response.headers["Access-Control-Allow-Origin"] = origin
    if origin != ANY_ORIGIN:
        response.headers["Vary"] = "Origin"


def preflight(request: web.BaseRequest, origin: str | None) -> web.Response:
    """What a browser asks before it lets a page send: yes, with the headers that it names; 403 where it may not."""
    if origin is None:
        refusal = web.Response(status=HTTPStatus.FORBIDDEN, headers={"Server": "pfdcm"})
        allow(refusal, "")
        return refusal
    asked = request.headers.get("Access-Control-Request-Headers", "")
    response = web.Response(
        status=HTTPStatus.NO_CONTENT,
        headers={
            "Server": "pfdcm",
            "Access-Control-Allow-Methods": "POST, OPTIONS",
            "Access-Control-Allow-Headers": asked if _HEADER_NAMES.match(asked) else "*",
            "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
        },
    )
    allow(response, origin)
    return response
