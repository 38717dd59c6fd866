"""One call without waiting for it: for what goes on beside the events of a retrieve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp

from pfdcmd.ctl.configuration import Server
from pfdcmd.ctl.problems import Unreachable
from pfdcmd.ctl.transport import MAX_ANSWER_BYTES, encode_request, headers_of, result_of, unreachable

_SECONDS = 20.0


async def call(server: Server, method: str, params: Mapping[str, Any]) -> Any:
    """The result of one method, on a connection of its own. Raises: Unreachable, Refused: as Rpc.call."""
    context = server.tls_context()
    limit = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(headers=headers_of(server), timeout=limit) as http,
            http.post(
                f"{server.url}/rpc",
                data=encode_request(method, params),
                ssl=True if context is None else context,
            ) as response,
        ):
            body = await _read(response)
    except aiohttp.ClientConnectorError as error:
        raise unreachable(server, error.os_error, _SECONDS) from error
    except (aiohttp.ClientError, OSError) as error:
        raise unreachable(server, error if isinstance(error, OSError) else OSError(str(error)), _SECONDS) from error
    return result_of(server, method, response.status, body)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size_bytes = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size_bytes += len(part)
        if size_bytes > MAX_ANSWER_BYTES:
            raise Unreachable("The answer is larger than this program takes.")
    return b"".join(parts)
