"""The body of a request: bounded in size and in time."""

from __future__ import annotations

import asyncio

from aiohttp import web

from pfdcmd.errors import MessageFault, MessageTooLarge
from pfdcmd.settings import Settings

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def read_body(request: web.BaseRequest, settings: Settings, *, may_continue: bool = True) -> bytes:
    """The whole body.

    Args:   may_continue: whether a caller that waits for 100 Continue is told so; a bare reply has no place for an
            interim response, and such a caller sends after its own short wait.
    Raises: MessageTooLarge: as soon as that is known. MessageFault: it is late, or breaks off.
    """
    limit = settings.max_body_bytes
    too_large = MessageTooLarge(f"The message is too large: at most {limit} bytes are taken.")
    if (request.content_length or 0) > limit:
        raise too_large
    if may_continue and request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0
    body = bytearray()
    try:
        if request.content.is_eof():
            # it came with its header: nothing to wait for, and so no clock to set
            return _bounded(request.content.read_nowait(), limit, too_large)
        async with asyncio.timeout(settings.request_seconds):
            async for chunk in request.content.iter_any():
                body += _bounded(chunk, limit - len(body), too_large)
    except TimeoutError as error:
        seconds = settings.request_seconds
        raise MessageFault(f"The message was not sent whole within {seconds:g} seconds.") from error
    except web.RequestPayloadError as error:
        raise MessageFault("The message's HTTP body is malformed or breaks off.") from error
    return bytes(body)


def _bounded(chunk: bytes, limit: int, too_large: MessageTooLarge) -> bytes:
    if len(chunk) > limit:
        raise too_large
    return chunk
