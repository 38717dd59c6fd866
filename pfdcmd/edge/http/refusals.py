"""How a refusal looks in HTTP, whatever dialect its body is in: the status, and the headers that belong to it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web

from pfdcmd.errors import AccessRefused, NotAuthenticated, TooManyAttempts

Refuser = Callable[[AccessRefused], web.Response]
"""Writes a refusal's body in the dialect of its path; `mark` does the rest."""

_CHALLENGE = 'Bearer realm="pfdcm"'
_RETRY_SECONDS = "60"


def mark(response: web.Response, fault: AccessRefused) -> web.Response:
    """Give the response the status and the headers of the refusal. Source: RFC 6750 section 3, RFC 6585 section 4."""
    response.set_status(status_of(fault))
    if isinstance(fault, NotAuthenticated):
        response.headers["WWW-Authenticate"] = _CHALLENGE
    if isinstance(fault, TooManyAttempts):
        response.headers["Retry-After"] = _RETRY_SECONDS
    return response


def status_of(fault: AccessRefused) -> HTTPStatus:
    """401 for who is not known, 429 once that has been told too often, 403 for who is known and may not."""
    if isinstance(fault, TooManyAttempts):
        return HTTPStatus.TOO_MANY_REQUESTS
    return HTTPStatus.UNAUTHORIZED if isinstance(fault, NotAuthenticated) else HTTPStatus.FORBIDDEN
