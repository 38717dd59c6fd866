"""A peer: one remote PACS, as an entry below /PACS declares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pfdcmd.errors import ParameterFault, PeerConfigurationFault
from pfdcmd.names import AETitle, Port, parse_ae_title, parse_port
from pfdcmd.pacs.peertls import PeerTls, parse_flag, parse_peer_tls

_HOST_MAX_LENGTH = 255
_MOST_ASSOCIATIONS = 1000


@dataclass(frozen=True)
class Peer:
    """Where a PACS listens, what it is called, what we are called, and where it shall send images.

    tls: how to encrypt, None for plain TCP; prefers_get: images are to come by C-GET; max_associations: how many it
    takes from us at once, None for the setting's default.
    """

    host: str
    port: Port
    called_ae: AETitle
    calling_ae: AETitle
    move_destination: AETitle
    tls: PeerTls | None = None
    prefers_get: bool = False
    max_associations: int | None = None


def parse_peer(entry: object) -> Peer:
    """Read an entry of the tree: `serverIP serverPort aec aet [aet_listener]`, or `server_ip server_port`.

    The move destination is `aet_listener` when set, else `aet`. A port may be a number or digits. Besides, each
    optional: `tls tlsCA tlsCertificate tlsKey tlsCheckHost` (pacs.peertls), `retrieveBy` ("move" or "get"),
    `maxAssociations`.

    Raises: PeerConfigurationFault: something is missing or cannot be used; the message names the key.
    """
    if not isinstance(entry, Mapping):
        raise PeerConfigurationFault("The PACS entry must hold serverIP, serverPort, aec and aet.")
    try:
        return Peer(
            host=_parse_host(_either(entry, "serverIP", "server_ip")),
            port=parse_port(_either(entry, "serverPort", "server_port"), "serverPort"),
            called_ae=parse_ae_title(entry.get("aec"), "aec"),
            calling_ae=parse_ae_title(entry.get("aet"), "aet"),
            move_destination=parse_ae_title(entry.get("aet_listener") or entry.get("aet"), "aet_listener"),
            tls=parse_peer_tls(entry) if parse_flag(entry.get("tls"), "tls") else None,
            prefers_get=_parse_retrieve_by(entry.get("retrieveBy")),
            max_associations=_parse_max_associations(entry.get("maxAssociations")),
        )
    except ParameterFault as fault:
        raise PeerConfigurationFault(f"The PACS entry cannot be used: {fault.message}") from fault


def _either(entry: Mapping[str, Any], key: str, older_key: str) -> object:
    return entry[key] if key in entry else entry.get(older_key)


def _parse_host(value: object) -> str:
    if isinstance(value, str):
        host = value.strip()
        if 0 < len(host) <= _HOST_MAX_LENGTH and host.isascii() and host.isprintable() and not set(host) & set(" /\\"):
            return host
    raise ParameterFault("serverIP must be an address or a host name.")


def _parse_retrieve_by(value: object) -> bool:
    text = value.strip().lower() if isinstance(value, str) else value
    if text in (None, "", "move"):
        return False
    if text == "get":
        return True
    raise ParameterFault('retrieveBy must be "move" or "get".')


def _parse_max_associations(value: object) -> int | None:
    if value is None or value == "":
        return None
    number = value
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        number = int(value[:10])
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= _MOST_ASSOCIATIONS:
        return number
    raise ParameterFault(f"maxAssociations must be a number, 1 to {_MOST_ASSOCIATIONS}.")
