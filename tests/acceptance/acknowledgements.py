"""What a PACS was told: a relay between a sender and a listener that notes each instance answered with success."""

from __future__ import annotations

import contextlib
import io
import socket
import threading

from pydicom.filereader import read_dataset

from listener.pdu import Fragment, PduReader

HOST = "127.0.0.1"


class AcknowledgementRelay:
    """Passes connections on to `target_port`, byte by byte; `acknowledged` grows as C-STORE responses pass."""

    def __init__(self, port: int, target_port: int) -> None:
        self.acknowledged: set[str] = set()
        self._target_port = target_port
        self._server = socket.create_server((HOST, port))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._connections: list[socket.socket] = []
        self._threads[0].start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for connection in self._connections:
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sender, _ = self._server.accept()
                listener = socket.create_connection((HOST, self._target_port))
                for connection in (sender, listener):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections += [sender, listener]
                for source, target, note in ((sender, listener, None), (listener, sender, PduReader(2**32 - 1))):
                    thread = threading.Thread(target=self._pass_on, args=(source, target, note), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket, responses: PduReader | None) -> None:
        with contextlib.suppress(OSError):
            while data := _receive(source):
                target.sendall(data)
                if responses is not None:
                    self._note(responses, data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _note(self, responses: PduReader, data: bytes) -> None:
        for item in responses.feed(memoryview(data)):
            # The listener's responses are one fragment each: Orthanc takes PDUs of 16 KiB.
            if isinstance(item, Fragment) and item.is_last:
                command = read_dataset(io.BytesIO(bytes(item.data)), is_implicit_VR=True, is_little_endian=True)
                if "AffectedSOPInstanceUID" in command and command.Status == 0:
                    self.acknowledged.add(str(command.AffectedSOPInstanceUID))


def _receive(source: socket.socket) -> bytes:
    # The kernel clears the option by itself (tcp(7)); without it every image waits 40 ms.
    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    return source.recv(65536)
