"""The request's id: the caller's own where it can be used, else a fresh one; in every log line of that request.

It goes with whatever the request's task calls, in the variable below; a thread that works for the request is to be
given the context (contextvars.copy_context).
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

from aiohttp import web

HEADER = "X-Request-Id"
MAX_CHARACTERS = 64

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str] = ContextVar("request_id", default="")


def begin_request(request: web.BaseRequest) -> str:
    """Give the request and all that is done for it from here on an id. Returns: the id."""
    named = request.headers.getall(HEADER, [])
    request_id = named[0] if len(named) == 1 and _ID.fullmatch(named[0]) else fresh_request_id()
    set_request_id(request_id)
    return request_id


def name_request(response: web.StreamResponse, request_id: str) -> None:
    """Have the response say which request it answers, unless its head has been sent."""
    if not response.prepared:
        response.headers[HEADER] = request_id


def fresh_request_id() -> str:
    """An id that nobody can guess, short enough to be read out."""
    return secrets.token_hex(8)


def part_of(request_id: str, number: int) -> str:
    """The id of one call of several that came under one id."""
    part = f".{number}"
    return request_id[: MAX_CHARACTERS - len(part)] + part


def set_request_id(request_id: str) -> None:
    """Have what this task does from here on, and the tasks that it starts, go under the id."""
    _current.set(request_id)


def current_request_id() -> str:
    """The id that this is done under; empty for what pfdcm does by itself."""
    return _current.get()
