"""A server of pynetdicom's for a test: on a free port, and nothing of it left open afterwards."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pynetdicom import AE, evt

HOST = "127.0.0.1"
_END_SECONDS = 10


@contextlib.contextmanager
def serving(
    entity: AE,
    handlers: Sequence[Any],
    sockets: list[socket.socket],
    *,
    end: Callable[[], None] = lambda: None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[int]:
    """Serve in threads; `end` has the handlers finish. Yields: the port.

    Args: sockets: takes those that are accepted, in order. All in it are closed at the end: pynetdicom's server leaves
          a connection open that its other side has reset.
    """
    opened = (evt.EVT_CONN_OPEN, lambda event: sockets.append(event.assoc.dul.socket.socket))
    server = entity.start_server((HOST, 0), block=False, ssl_context=tls, evt_handlers=[opened, *handlers])
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        end()
        deadline = time.monotonic() + _END_SECONDS
        while entity.active_associations and time.monotonic() < deadline:
            time.sleep(0.01)
        server.shutdown()
        for each in sockets:
            each.close()
