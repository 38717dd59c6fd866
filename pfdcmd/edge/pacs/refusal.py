"""Why there is no association with a PACS, in the words of what to look at."""

from __future__ import annotations

from pynetdicom.association import Association

from pfdcmd.edge.pacs.peersocket import PeerSocket
from pfdcmd.edge.pacs.peertls import why_not_encrypted
from pfdcmd.errors import PacsFault, PeerAborted, PeerLacksService, PeerRefused, PeerTLSFailed, PeerUnreachable
from pfdcmd.pacs.peer import Peer

_REJECTED_TRANSIENT = 2


def peer_name(peer: Peer) -> str:
    """How a PACS is called in messages."""
    return f"The PACS {peer.called_ae} at {peer.host}:{peer.port}"


def is_transient(association: Association | None) -> bool:
    """Whether the PACS rejected the association for now only (PS3.8 Table 9-21)."""
    answer = association.acceptor.primitive if association is not None else None
    return answer is not None and answer.result == _REJECTED_TRANSIENT


def tls_fault(opened: PeerSocket | None) -> PeerTLSFailed | None:
    """The fault of a connection that was there and failed since; only an encrypted one notes such."""
    failure = opened.failure if opened is not None and opened.is_connected else None
    return why_not_encrypted(failure) if failure is not None else None


def why_not_established(peer: Peer, opened: PeerSocket | None, association: Association | None) -> PacsFault:
    """The fault of an association request that failed: no connection, no encryption, a rejection or no word."""
    encryption = tls_fault(opened)
    if encryption is not None:
        return encryption
    failure = opened.failure if opened is not None else None
    if failure is not None:
        cause = "Connection timed out" if isinstance(failure, TimeoutError) else failure.strerror or str(failure)
        return PeerUnreachable(
            f"{peer_name(peer)} cannot be reached: {cause}. Check serverIP and serverPort.", cause=cause
        )
    answer = association.acceptor.primitive if association is not None else None
    if answer is None:
        hint = "Check aec and aet." if peer.tls else "Check aec and aet, and whether the PACS wants tls."
        return PeerAborted(f"{peer_name(peer)} broke off the association request. {hint}")
    if answer.result:
        reason = str(answer.reason_str)
        hint = "Try again later." if is_transient(association) else "Check aec and aet."
        return PeerRefused(f"{peer_name(peer)} rejected the association: {reason}. {hint}", cause=reason)
    return PeerLacksService(f"{peer_name(peer)} does not offer what is asked of it.")
