"""The connection to a PACS, without the stall that two sides' defaults add up to, and with bounds on what it may send.

DCMTK and Orthanc write a DIMSE command and its data set as two small segments with Nagle's algorithm on: the second
waits for the acknowledgement of the first, which Linux delays by 40 ms. So every receive asks for an immediate
acknowledgement again (tcp(7): TCP_QUICKACK is not permanent), and nothing of ours is held back either (TCP_NODELAY).
"""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import T_CONNECT, AddressInformation, AssociationSocket

from pfdcmd.errors import LocalError
from pfdcmd.pacs.outcome import MoveCounts
from pfdcmd.pacs.pending import read_pending

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Between two messages of a query or a C-MOVE. The longest lists the images that could not be sent, 66 bytes each."""

# A PDU is at most as long as we announce (PS3.8 Annex D.1), 16 KiB here; peers that overdo it a little are let through.
_MAX_PDU_BYTES = 1024 * 1024
# Responses that wait for a slow reader; beyond these the PACS finds that its connection is full.
_MAX_WAITING_MESSAGES = 64


@dataclass(frozen=True)
class Wire:
    """What an association's connection goes by.

    max_waiting_messages: so many that nobody has read yet, after which no more are taken from the connection.
    tls: None for plain TCP; host: what a certificate must name, or "".
    """

    stall_seconds: float
    max_message_bytes: int = MAX_MESSAGE_BYTES
    max_waiting_messages: int = _MAX_WAITING_MESSAGES
    tls: ssl.SSLContext | None = None
    host: str = ""


def _acknowledge_at_once(connection: socket.socket) -> None:
    if hasattr(socket, "TCP_QUICKACK"):
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class PromptSocket(socket.socket):
    """A TCP socket that never waits for a delayed acknowledgement, and remembers why it could not connect."""

    failure: OSError | None = None
    is_connected = False

    def connect(self, address: tuple[object, ...]) -> None:  # type: ignore[override]  # typeshed's Any
        """As socket.connect; `failure` keeps the error, which pynetdicom only logs."""
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            super().connect(address)
        except OSError as error:
            self.failure = error
            raise
        self.is_connected = True
        _acknowledge_at_once(self)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        _acknowledge_at_once(self)
        return super().recv(bufsize, flags)

    def send(self, data: bytes, flags: int = 0, /) -> int:  # type: ignore[override]  # typeshed's buffer
        count = super().send(data, flags)
        # Sending takes a connection back to delayed acknowledgements, and the answer may come before the next recv.
        _acknowledge_at_once(self)
        return count


class PromptTlsSocket(ssl.SSLSocket):
    """The same, encrypted. Made by a context of which it is the sslsocket_class, of a socket without a connection."""

    failure: OSError | None = None
    is_connected = False

    def connect(self, addr: Any) -> None:
        """Connect, and come to terms; is_connected tells which of the two `failure` is of."""
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            super().connect(addr)
            self.is_connected = True
            self.do_handshake()
        except OSError as error:
            self.failure = error
            raise

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        _acknowledge_at_once(self)
        try:
            return super().recv(buflen, flags)
        except ssl.SSLError as error:
            self.failure = error  # by TLS 1.3 a server refuses our certificate after the handshake
            raise

    def send(self, data: Any, flags: int = 0) -> int:
        count = super().send(data, flags)
        _acknowledge_at_once(self)
        return count


class PeerSocket(AssociationSocket):
    """pynetdicom's view of the connection: bounded in size, in the time for one PDU, and always closed."""

    def __init__(self, assoc: Association, address: AddressInformation, wire: Wire) -> None:
        self._wire = wire
        self._received_bytes = 0
        super().__init__(assoc, address=address)

    @property
    def failure(self) -> OSError | None:
        """Why there is no connection, or why it ended: of TCP or, when is_connected, of TLS."""
        return self._prompt.failure

    @property
    def is_connected(self) -> bool:
        """Whether there was a TCP connection, whatever became of it."""
        return self._prompt.is_connected

    def _create_socket(self, address: AddressInformation) -> socket.socket:
        self._is_connected = False
        plain = PromptSocket(socket.AF_INET if address.is_ipv4 else socket.AF_INET6, socket.SOCK_STREAM)
        self._prompt: PromptSocket | PromptTlsSocket = plain
        if self._wire.tls is not None:
            host = self._wire.host or None
            encrypted = self._wire.tls.wrap_socket(plain, do_handshake_on_connect=False, server_hostname=host)
            if not isinstance(encrypted, PromptTlsSocket):
                raise LocalError("the TLS context makes sockets of another class")
            self._prompt = encrypted
        return self._prompt

    def connect(self, primitive: T_CONNECT) -> None:
        super().connect(primitive)
        if self.socket is not None:
            # pynetdicom takes every limit off a connected socket; half a PDU would then hold its thread for ever.
            self.socket.settimeout(self._wire.stall_seconds)

    @property
    def ready(self) -> bool:
        """Whether there is something to read, and somebody to read it: a slow reader makes the PACS wait."""
        return self.assoc.dimse.msg_queue.qsize() < self._wire.max_waiting_messages and super().ready

    def recv(self, nr_bytes: int) -> bytearray:
        self._received_bytes += nr_bytes
        if nr_bytes > _MAX_PDU_BYTES or self._received_bytes > self._wire.max_message_bytes:
            raise ConnectionAbortedError("the PACS sent more than a message may hold")
        return super().recv(nr_bytes)

    def start_message(self) -> None:
        """Begin to count the next message's bytes."""
        self._received_bytes = 0

    def cut(self) -> None:
        """End the connection at once, from any thread; whoever waits for it then notices."""
        with contextlib.suppress(OSError):
            # Not SSLSocket's own, which takes the encryption off what another thread may still send.
            socket.socket.shutdown(self._prompt, socket.SHUT_RDWR)

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

    The pending responses of a retrieve, one for each image, go to note_pending and no further: pynetdicom would make
    three objects of each, in two threads, which takes longer than to send the image.
    """

    def __init__(self, assoc: Association, note_pending: Callable[[MoveCounts], None] | None = None) -> None:
        super().__init__(assoc)
        self._note_pending = note_pending
        self._pending_responses = 0

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take what one P-DATA-TF PDU has brought."""
        counts = self._pending_counts(primitive)
        if counts is None or self._note_pending is None:
            super().receive_primitive(primitive)
        else:
            self._pending_responses += 1
            self._note_pending(counts)

    def _pending_counts(self, primitive: P_DATA) -> MoveCounts | None:
        values = primitive.presentation_data_value_list
        return read_pending(values[0][1]) if self.message is None and len(values) == 1 else None

    def get_msg(self, block: bool = False) -> tuple[int, Any] | tuple[None, None]:
        """The next message, for who waits for one; never one for who only looks.

        A pending response that went to note_pending is a word of the PACS too: after it, the time to wait begins anew.
        """
        while block:
            before = self._pending_responses
            with contextlib.suppress(queue.Empty):
                return self.msg_queue.get(timeout=self.dimse_timeout)
            if self._pending_responses == before:
                break
        return None, None


class PeerEntity(ApplicationEntity):
    """Our application entity for one association at a time."""

    def __init__(self, ae_title: str, wire: Wire, note_pending: Callable[[MoveCounts], None]) -> None:
        """note_pending: see ResponsesOnly."""
        super().__init__(ae_title)
        self.wire = wire
        self._note_pending = note_pending
        self.opened: PeerSocket | None = None

    def _create_socket(self, assoc: Association, address: AddressInformation, _tls_args: object) -> PeerSocket:
        assoc.dimse = ResponsesOnly(assoc, self._note_pending)
        self.opened = PeerSocket(assoc, address, self.wire)
        return self.opened
