"""Where images go that come by C-GET: a listener, reached as any other sender reaches it."""

from __future__ import annotations

from dataclasses import dataclass

from pfdcmd.names import AETitle, Port
from pfdcmd.pacs.peertls import PeerTls


@dataclass(frozen=True)
class Delivery:
    """A storage SCP of ours; tls: how to encrypt, None for plain TCP."""

    host: str
    port: Port
    called_ae: AETitle
    tls: PeerTls | None = None
