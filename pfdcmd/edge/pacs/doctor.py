"""The network of an examination, step by step so that each can be told apart: the ProbePort of actions.context."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Sequence

from pfdcmd.edge.pacs.peertls import make_context, why_not_encrypted
from pfdcmd.errors import PeerAborted, PeerTimeout, PeerUnreachable
from pfdcmd.pacs.negotiation import Acceptance, Reached, Rejection
from pfdcmd.pacs.peer import Peer
from pfdcmd.settings import Settings
from pfdcmd.wire.associate import PDU_HEADER_BYTES, RELEASE_REQUEST, decode_answer, decode_header, encode_request

_RELEASE_SECONDS = 1.0
_MAX_ADDRESSES = 4

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Probe:
    """Connects and associates, and does nothing else with it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def addresses(self, host: str) -> list[str]:
        """See ProbePort.addresses."""
        loop = asyncio.get_running_loop()
        seconds = self._settings.pacs_connect_seconds
        try:
            async with asyncio.timeout(seconds):
                found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except TimeoutError:
            raise PeerTimeout(f"The name {host} was not resolved within {seconds:g} s.") from None
        except (OSError, UnicodeError) as error:
            cause = getattr(error, "strerror", None) or "Unknown host"
            raise PeerUnreachable(f"The name {host} cannot be resolved: {cause}.", cause=cause) from error
        return list(dict.fromkeys(str(address[4][0]) for address in found))[:_MAX_ADDRESSES]

    async def connect(self, addresses: Sequence[str], port: int) -> Reached:
        """See ProbePort.connect."""
        failure: OSError | None = None
        for address in addresses:
            try:
                async with self._connection(address, port) as (_, writer):
                    return Reached(address, str(writer.get_extra_info("sockname")[0]))
            except OSError as error:
                failure = error
        cause = _cause(failure)
        raise PeerUnreachable(f"Nobody takes a connection at port {port}: {cause}.", cause=cause) from failure

    async def associate(
        self, peer: Peer, address: str, abstract_syntaxes: Sequence[str]
    ) -> Acceptance | Rejection | None:
        """See ProbePort.associate."""
        context = None if peer.tls is None else await asyncio.to_thread(make_context, peer.tls)
        seconds = self._settings.pacs_association_seconds
        request = encode_request(peer.called_ae, peer.calling_ae, abstract_syntaxes)
        try:
            async with self._connection(address, peer.port, context, peer.host) as connection:
                async with asyncio.timeout(seconds):
                    kind, body = await _ask(connection, request)
                answer = decode_answer(kind, body, abstract_syntaxes)
                if isinstance(answer, Acceptance):
                    await _release(connection)
                return answer
        except ssl.SSLError as error:
            raise why_not_encrypted(error) from error
        except TimeoutError:
            raise PeerTimeout(f"The association request was not answered within {seconds:g} s.") from None
        except (asyncio.IncompleteReadError, OSError) as error:
            if context is not None:
                raise why_not_encrypted(ConnectionResetError(str(error))) from error
            raise PeerAborted("The connection was closed without an answer.", cause=str(error)) from error

    async def speaks_tls(self, address: str, port: int) -> bool:
        """See ProbePort.speaks_tls."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # whether it is encrypted is asked, not by whom; nothing is sent
        try:
            async with self._connection(address, port, context):
                return True
        except ssl.SSLError as error:
            # One that wants our certificate has spoken TLS all the same.
            return "ALERT" in (error.reason or "") and "CERTIFICATE" in (error.reason or "")
        except OSError:
            return False

    @contextlib.asynccontextmanager
    async def _connection(
        self, address: str, port: int, context: ssl.SSLContext | None = None, host: str = ""
    ) -> AsyncIterator[Connection]:
        """An open connection, closed on leaving. Raises: OSError, TimeoutError among them."""
        async with asyncio.timeout(self._settings.pacs_connect_seconds):
            reader, writer = await asyncio.open_connection(
                address, port, ssl=context, server_hostname=(host or address) if context is not None else None
            )
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


def _cause(failure: OSError | None) -> str:
    """The system's own words: asyncio's name the address instead."""
    number = None if failure is None else failure.errno
    return "Connection timed out" if number is None else os.strerror(number)


async def _ask(connection: Connection, request: bytes) -> tuple[int, bytes]:
    """Send a PDU, and receive one: its type and its body."""
    reader, writer = connection
    writer.write(request)
    header = await reader.readexactly(PDU_HEADER_BYTES)
    return header[0], await reader.readexactly(decode_header(header))


async def _release(connection: Connection) -> None:
    """End the association as it should be; a PACS that does not answer to that is left."""
    reader, writer = connection
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(_RELEASE_SECONDS):
            writer.write(RELEASE_REQUEST)
            await reader.read(PDU_HEADER_BYTES)
