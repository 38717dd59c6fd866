"""The connection to a PACS, without the stall that two sides' defaults add up to, and with bounds on what it may send.

DCMTK and Orthanc write a DIMSE command and its data set as two small segments with Nagle's algorithm on: the second
waits for the acknowledgement of the first, which Linux delays by 40 ms. So every receive asks for an immediate
acknowledgement again (tcp(7): TCP_QUICKACK is not permanent), and nothing of ours is held back either (TCP_NODELAY).
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.transport import T_CONNECT, AddressInformation, AssociationSocket

# A PDU is at most as long as we announce (PS3.8 Annex D.1), 16 KiB here; peers that overdo it a little are let through.
_MAX_PDU_BYTES = 1024 * 1024
# Between two messages. The longest lists the images that a C-MOVE could not send, at 66 bytes each.
_MAX_MESSAGE_BYTES = 16 * 1024 * 1024


class PromptSocket(socket.socket):
    """A TCP socket that never waits for a delayed acknowledgement, and remembers why it could not connect."""

    failure: OSError | None = None

    def connect(self, address: tuple[object, ...]) -> None:  # type: ignore[override]
        """As socket.connect; `failure` keeps the error, which pynetdicom only logs."""
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            super().connect(address)
        except OSError as error:
            self.failure = error
            raise
        self._acknowledge_at_once()

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        self._acknowledge_at_once()
        return super().recv(bufsize, flags)

    def send(self, data: bytes, flags: int = 0, /) -> int:  # type: ignore[override]
        count = super().send(data, flags)
        # Sending takes a connection back to delayed acknowledgements, and the answer may come before the next recv.
        self._acknowledge_at_once()
        return count

    def _acknowledge_at_once(self) -> None:
        if hasattr(socket, "TCP_QUICKACK"):
            with contextlib.suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class PeerSocket(AssociationSocket):
    """pynetdicom's view of the connection: bounded in size, in the time for one PDU, and always closed."""

    def __init__(self, assoc: Association, address: AddressInformation, stall_seconds: float) -> None:
        self._stall_seconds = stall_seconds
        self._received_bytes = 0
        super().__init__(assoc, address=address)

    @property
    def failure(self) -> OSError | None:
        """Why the TCP connection could not be made."""
        return self._prompt.failure

    def _create_socket(self, address: AddressInformation) -> socket.socket:
        self._is_connected = False
        self._prompt = PromptSocket(socket.AF_INET if address.is_ipv4 else socket.AF_INET6, socket.SOCK_STREAM)
        return self._prompt

    def connect(self, primitive: T_CONNECT) -> None:
        super().connect(primitive)
        if self.socket is not None:
            # pynetdicom takes every limit off a connected socket; half a PDU would then hold its thread for ever.
            self.socket.settimeout(self._stall_seconds)

    def recv(self, nr_bytes: int) -> bytearray:
        self._received_bytes += nr_bytes
        if nr_bytes > _MAX_PDU_BYTES or self._received_bytes > _MAX_MESSAGE_BYTES:
            raise ConnectionAbortedError("the PACS sent more than a message may hold")
        return super().recv(nr_bytes)

    def start_message(self) -> None:
        """Begin to count the next message's bytes."""
        self._received_bytes = 0

    def cut(self) -> None:
        """End the connection at once, from any thread; whoever waits for it then notices."""
        with contextlib.suppress(OSError):
            self._prompt.shutdown(socket.SHUT_RDWR)

    def dispose(self) -> None:
        """Close it for good; nobody uses it any more."""
        self.cut()
        self._prompt.close()

    def _shutdown_socket(self) -> None:
        # pynetdicom leaves a socket open that was never connected.
        self.dispose()


class ResponsesOnly(DIMSEServiceProvider):
    """The messages of an association on which only we make requests.

    An association's own thread looks for requests of the other side. pynetdicom pauses it while a response is awaited,
    but not always in time: it then takes the response, says that it was unexpected, and a match is lost unnoticed.
    """

    def get_msg(self, block: bool = False) -> tuple[int, Any] | tuple[None, None]:
        """The next message, for who waits for one; never one for who only looks."""
        return super().get_msg(block) if block else (None, None)


class PeerEntity(ApplicationEntity):
    """Our application entity for one association at a time."""

    def __init__(self, ae_title: str, stall_seconds: float) -> None:
        super().__init__(ae_title)
        self._stall_seconds = stall_seconds
        self.opened: PeerSocket | None = None

    def _create_socket(self, assoc: Association, address: AddressInformation, tls_args: object) -> PeerSocket:  # noqa: ARG002
        assoc.dimse = ResponsesOnly(assoc)
        self.opened = PeerSocket(assoc, address, self._stall_seconds)
        return self.opened
