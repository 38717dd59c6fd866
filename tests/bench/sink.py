"""A receiver that answers each C-STORE at once and keeps nothing: what is left is the sender's own time.

No storage listener can be faster with that sender than this one, whatever it does with the images.
"""

from __future__ import annotations

import socket
import threading

from listener.association import Association
from listener.dimse import SUCCESS
from listener.messages import StoreEnded

_MAX_PDU_BYTES = 1_048_576
_BUFFER_BYTES = 262_144


def main() -> None:
    """Serve the listening socket that descriptor 0 is, until the process ends."""
    with socket.socket(fileno=0) as listening:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_swallow, args=(connection,), daemon=True).start()


def _swallow(connection: socket.socket) -> None:
    association = Association(_MAX_PDU_BYTES)
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        while not association.is_over:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            size = connection.recv_into(buffer)
            events = association.receive(buffer[:size]) if size else association.lose_connection()
            for event in events:
                if isinstance(event, StoreEnded):
                    association.respond(SUCCESS)
            if output := association.take_output():
                connection.sendall(output)


if __name__ == "__main__":
    main()
