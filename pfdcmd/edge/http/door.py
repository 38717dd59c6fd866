"""The door of the HTTP port: who is let in, as whom, and from which web pages.

It decides on a request's head alone, before anything of its body is read.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from aiohttp import web

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.edge.http.attempts import Attempts
from pfdcmd.edge.http.requestid import current_request_id
from pfdcmd.edge.http.tls import HttpTls, open_tls
from pfdcmd.edge.http.tokens import Tokens
from pfdcmd.errors import AccessRefused, NotAuthenticated, OriginRefused, ParameterFault, TooManyAttempts
from pfdcmd.settings import Settings

CALLER = web.RequestKey("caller", Caller)
"""Where a request that was let in has its caller."""

ANY_ORIGIN = "*"
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Asked by machines that have no token; what they answer is no secret."""

_BEARER = re.compile(r"Bearer +([^ ]{1,520}) *", re.ASCII | re.IGNORECASE)


class Door:
    """Makes a request's Caller, or refuses."""

    def __init__(
        self,
        tokens: Tokens | None = None,
        origins: Collection[str] = (ANY_ORIGIN,),
        *,
        tls: HttpTls | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        """Without tokens whoever reaches the port may do everything, as in the original; without tls, in the clear."""
        self.tls = tls
        self._tokens = tokens
        self._origins = frozenset(origin.lower() for origin in origins)
        self._attempts = attempts or Attempts()

    def admit(self, request: web.BaseRequest) -> Caller:
        """Who calls.

        Raises: OriginRefused: a page that may not call sends it. NotAuthenticated: without a valid token.
                TooManyAttempts: either, once too often.
        """
        address = request.remote or ""
        request_id = current_request_id()
        if self.origin_for(request) is None:
            raise self._refusal(address, OriginRefused())
        if self._tokens is None:
            return Caller(address=address, request_id=request_id)
        if request.path in OPEN_PATHS:
            return Caller(right=Right.READ, address=address, request_id=request_id)
        presented = request.headers.getall("Authorization", [])
        match = _BEARER.fullmatch(presented[0]) if len(presented) == 1 else None
        token = self._tokens.find(match[1]) if match else None
        if token is None:
            raise self._refusal(address, NotAuthenticated())
        return Caller(token.name, token.right, address, request_id)

    def _refusal(self, address: str, fault: AccessRefused) -> AccessRefused:
        return fault if self._attempts.may_fail(address) else TooManyAttempts()

    def origin_for(self, request: web.BaseRequest) -> str | None:
        """What Access-Control-Allow-Origin shall say; empty without an Origin; None where it is refused.

        Source: Fetch standard, section 3.2 (CORS protocol); RFC 6454 section 7.
        """
        if ANY_ORIGIN in self._origins:
            return ANY_ORIGIN
        named = request.headers.getall("Origin", [])
        if not named:
            return ""
        return named[0] if len(named) == 1 and named[0].lower() in self._origins else None


def parse_origins(text: str) -> tuple[str, ...]:
    """The origins of the setting, parted by commas or spaces."""
    return tuple(text.replace(",", " ").split())


def open_door(settings: Settings) -> Door:
    """The door as the settings have it. Raises: ParameterFault: tokens or certificates cannot be used."""
    if settings.enable_token_auth and not settings.token_path:
        raise ParameterFault("--enableTokenAuth needs --tokenPath FILE; pfdcm --makeToken NAME RIGHT makes a token.")
    if settings.token_path and not settings.enable_token_auth:
        raise ParameterFault("--tokenPath without --enableTokenAuth would let everybody in; give both, or neither.")
    tokens = Tokens(Path(settings.token_path)) if settings.enable_token_auth else None
    return Door(tokens, parse_origins(settings.allowed_origins), tls=open_tls(settings))
