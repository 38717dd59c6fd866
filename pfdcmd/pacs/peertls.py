"""How a connection to a PACS is encrypted, as its entry below /PACS says.

tls            true: TLS by the BCP 195 profile (PS3.15 section B.12); without it, plain TCP
tlsCA          file of certificates (PEM) that the PACS's must lead to; without it, the system's
tlsCertificate our certificate (PEM), for a PACS that asks for one; tlsKey its key, when in a file of its own
tlsCheckHost   true: the PACS's certificate must name serverIP; it always must when there is no tlsCA
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pfdcmd.errors import ParameterFault

_PATH_MAX_LENGTH = 4096
_FLAGS = {"": False, "false": False, "no": False, "0": False, "true": True, "yes": True, "1": True}


@dataclass(frozen=True)
class PeerTls:
    """Files are absolute paths of the server, "" for none."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    checks_host: bool = True


def parse_peer_tls(entry: Mapping[str, Any]) -> PeerTls:
    """Read the entry's TLS keys, whether `tls` is set or not. Raises: ParameterFault: naming the key."""
    ca, certificate, key = (_parse_path(entry.get(name), name) for name in ("tlsCA", "tlsCertificate", "tlsKey"))
    if key and not certificate:
        raise ParameterFault("tlsKey is of no use without tlsCertificate.")
    # A certificate that any public authority gave to anyone proves nothing unless it is for this host.
    checks_host = parse_flag(entry.get("tlsCheckHost"), "tlsCheckHost") or not ca
    return PeerTls(ca=ca, certificate=certificate, key=key, checks_host=checks_host)


def parse_flag(value: object, key: str) -> bool:
    """True or false, also as text; absent is false. Raises: ParameterFault."""
    if value is None or isinstance(value, bool):
        return bool(value)
    flag = _FLAGS.get(value.strip().lower()) if isinstance(value, str) else None
    if flag is None:
        raise ParameterFault(f"{key} must be true or false.")
    return flag


def _parse_path(value: object, key: str) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, str) and value.startswith("/") and len(value) <= _PATH_MAX_LENGTH and value.isprintable():
        return value
    raise ParameterFault(f"{key} must be the absolute path of a file.")
