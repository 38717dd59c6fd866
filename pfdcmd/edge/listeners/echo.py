"""C-ECHO to a listener: the proof that a service serves, not only that a port is open."""

from __future__ import annotations

import socket
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made as it is loaded

_CALLING_AE = "PFDCM"


def answers_echo(address: tuple[str, int], timeout_seconds: float) -> bool:
    """Whether a storage SCP at host and port accepts an association and answers C-ECHO with success. Blocking.

    Source: DICOM PS3.4 annex A; PS3.7 section 9.1.5.
    """
    entity = AE(ae_title=_CALLING_AE)
    entity.connection_timeout = timeout_seconds
    entity.acse_timeout = timeout_seconds
    entity.dimse_timeout = timeout_seconds
    entity.network_timeout = timeout_seconds
    entity.add_requested_context(Verification)
    connections: list[socket.socket] = []
    opened: list[Any] = [(evt.EVT_CONN_OPEN, lambda event: connections.append(event.assoc.dul.socket.socket))]
    try:
        association = entity.associate(*address, evt_handlers=opened)
        if not association.is_established:
            return False
        status = association.send_c_echo()
        association.release()
        return "Status" in status and status.Status == 0
    except (RuntimeError, ValueError):
        return False  # the association ended between two calls
    finally:
        for connection in connections:
            connection.close()  # pynetdicom leaves one that was reset open
