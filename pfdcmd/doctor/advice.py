"""From what went wrong to the line to change: pure, one function a step."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pfdcmd.doctor.step import Fault, Finding, Outcome
from pfdcmd.errors import KeysRefused, PacsFault, PeerAborted, PeerRefused, PeerTimeout
from pfdcmd.pacs.negotiation import MODEL_NAMES, Acceptance, Model, Rejection
from pfdcmd.pacs.outcome import MoveOutcome
from pfdcmd.pacs.peer import Peer

_DESTINATION_UNKNOWN = 0xA801
_NOT_AUTHORIZED = 0x0124
_SOP_CLASS_NOT_SUPPORTED = 0x0122


@dataclass(frozen=True)
class Entry:
    """The PACS under examination. own_address: ours in the connection to it; ports: those of our listeners."""

    name: str
    peer: Peer
    own_address: str = ""
    ports: tuple[str, ...] = ()

    def line(self, key: str, value: str) -> str:
        """The command that changes a key of the entry."""
        return f"pfdcmctl tree set {shlex.quote(f'/PACS/{self.name}/{key}')} {value}"

    @property
    def destination(self) -> str:
        """What has to be entered at the PACS, with the place where Orthanc has it."""
        ae, host = self.peer.move_destination, self.own_address or "OUR-HOST"
        port = self.ports[0] if self.ports else "10402"
        return (
            f"AE title {ae}, host {host} (as the PACS sees this machine), port {port}; "
            f'in Orthanc: "DicomModalities": {{"pfdcm": ["{ae}", "{host}", {port}]}}'
        )


def failed(fault: Fault, found: str, advice: str) -> Finding:
    return Finding(Outcome.FAILED, found, advice, fault)


def on_unresolved(entry: Entry, fault: PacsFault) -> Finding:
    return failed(
        Fault.HOST_UNKNOWN, fault.message, f"Correct the host name or give an address: {entry.line('serverIP', 'HOST')}"
    )


def on_no_connection(entry: Entry, fault: PacsFault) -> Finding:
    """Nobody takes the connection: a wrong port looks like a PACS that is down, a firewall like a wrong host."""
    port = entry.line("serverPort", "PORT")
    if "refused" in fault.cause.lower():
        advice = f"The machine is there, the port is not open: start the PACS, or correct the port: {port}"
    else:
        host = entry.line("serverIP", "HOST")
        advice = f"Check the host ({host}), the port ({port}), and a firewall between pfdcm and the PACS."
    return failed(Fault.NOT_REACHED, fault.message, advice)


def on_association(entry: Entry, answer: Acceptance | Rejection | None) -> Finding:
    """What the answer to the association request means."""
    peer = entry.peer
    if answer is None:
        return on_no_answer(entry, PeerAborted("The association request was aborted."), speaks_tls=False)
    if isinstance(answer, Acceptance):
        return _accepted(entry, answer)
    if answer.is_of_called_ae:
        return failed(
            Fault.CALLED_AE,
            f"The PACS says that it is not called {peer.called_ae} (called AE title not recognized).",
            f"Enter the AE title that the PACS has for itself: {entry.line('aec', 'AE')}",
        )
    if answer.is_of_calling_ae:
        return failed(
            Fault.CALLING_AE,
            f"The PACS does not know the caller {peer.calling_ae} (calling AE title not recognized).",
            f"Have pfdcm entered at the PACS: {entry.destination}; or call by a known title: {entry.line('aet', 'AE')}",
        )
    if answer.is_transient:
        return failed(
            Fault.BUSY, "The PACS takes no more associations for now.", "Try again later, or raise its limit."
        )
    return failed(
        Fault.NO_ANSWER,
        f"The PACS rejects the association (source {answer.source}, reason {answer.reason}).",
        f"Its log may say why; check both AE titles: {entry.line('aec', 'AE')}, {entry.line('aet', 'AE')}",
    )


def on_no_answer(entry: Entry, fault: PacsFault, *, speaks_tls: bool) -> Finding:
    """The connection was made, but no answer of DICOM came."""
    if entry.peer.tls is not None:
        return failed(
            Fault.NO_TLS,
            fault.message,
            f"The PACS may not encrypt at this port, or not trust our certificate: {entry.line('tls', 'false')}, "
            "or correct tlsCA, tlsCertificate and tlsKey of the entry.",
        )
    if speaks_tls:
        return failed(
            Fault.EXPECTS_TLS,
            f"{fault.message} Whoever listens there expects TLS.",
            f"Encrypt: {entry.line('tls', 'true')} (and tlsCA, tlsCertificate, tlsKey as the PACS wants them).",
        )
    if isinstance(fault, PeerAborted | PeerTimeout):
        return failed(
            Fault.NO_ANSWER,
            fault.message,
            f"Is {entry.peer.port} the DICOM port ({entry.line('serverPort', 'PORT')})? Some PACSs hang up "
            f"on a caller that they do not know: have {entry.peer.calling_ae} entered there.",
        )
    return failed(
        Fault.NO_DICOM,
        fault.message,
        f"Port {entry.peer.port} belongs to something else: {entry.line('serverPort', 'PORT')}",
    )


def on_echo(entry: Entry, fault: PacsFault) -> Finding:
    """C-ECHO failed; a PACS that queries and moves all the same can be used."""
    return Finding(
        Outcome.WARNING,
        fault.message,
        f"Have C-ECHO allowed for {entry.peer.calling_ae} at the PACS; queries may work without.",
        Fault.ECHO_REFUSED,
    )


def on_find(entry: Entry, level: str, fault: PacsFault) -> Finding:
    """C-FIND failed at a level. Without studies and series nothing can be retrieved; the other levels can be missed."""
    if isinstance(fault, KeysRefused):
        text = f"The PACS does not take our keys at {level} level."
        return Finding(Outcome.WARNING, text, "", Fault.FIND_REFUSED)
    ae = entry.peer.calling_ae
    advice = (
        f'Have C-FIND allowed for {ae} at the PACS; in Orthanc: DicomModalities, "AllowFind": true.'
        if isinstance(fault, PeerAborted | PeerRefused)
        else "See the log of the PACS."
    )
    if level in ("PATIENT", "IMAGE"):
        return Finding(Outcome.WARNING, fault.message, advice, Fault.FIND_REFUSED)
    return failed(Fault.FIND_REFUSED, fault.message, advice)


def on_move(entry: Entry, outcome: MoveOutcome) -> Finding:
    """A C-MOVE that failed: by its status and counts (PS3.4 Table C.4-2).

    "Unable to process" without counts is what Orthanc answers alike for a destination that it does not know and for
    one that it cannot reach; what has to be entered there mends both.
    """
    said = " ".join(line.partition(": ")[2] or line for line in outcome.error.splitlines()).rstrip(".")
    status, counts = outcome.status, outcome.counts
    if status == _DESTINATION_UNKNOWN:
        return _unknown_destination(entry, said)
    if counts.failed:
        return failed(
            Fault.DESTINATION_UNREACHABLE,
            f"{said}. The PACS knows {entry.peer.move_destination}, but could not send to it.",
            f"Correct its entry at the PACS: {entry.destination}; and see that no firewall stands between.",
        )
    if status is None or status in (_NOT_AUTHORIZED, _SOP_CLASS_NOT_SUPPORTED):
        return failed(
            Fault.MOVE_REFUSED,
            f"{said}. The PACS refuses C-MOVE.",
            f"Have C-MOVE allowed for {entry.peer.calling_ae} at the PACS; in Orthanc: DicomModalities, "
            f'"AllowMove": true. Or have images fetched by C-GET: {entry.line("retrieveBy", "get")}',
        )
    if status & 0xF000 == 0xC000:
        return failed(
            Fault.DESTINATION,
            f"{said}. The PACS does not know the destination {entry.peer.move_destination}, "
            "or cannot reach it at the host and port that it has for it.",
            f"Enter or correct it at the PACS: {entry.destination}",
        )
    return failed(Fault.MOVE_FAILED, said, f"See the log of the PACS. It must know our listener: {entry.destination}")


def on_refused_here(refused: str) -> Finding:
    """The PACS came to our listener, which would not have it. Args: refused: by which rules, and of which service."""
    service = refused.partition(":")[0]
    return failed(
        Fault.REFUSED_HERE,
        f"The PACS came to our own listener, which refused it ({refused}).",
        f"See why, and change the service's rules: pfdcmctl listener log {service}, pfdcmctl listener get {service}",
    )


def on_not_arrived(entry: Entry) -> Finding:
    """The PACS says that it has sent the image, and our listeners have not filed one."""
    return failed(
        Fault.NOT_ARRIVED,
        f"The PACS says that it has sent the image to {entry.peer.move_destination}, but it did not arrive here.",
        f"Whoever has that AE title got it. Correct what is entered at the PACS: {entry.destination}",
    )


def on_no_listener(services: dict[str, str]) -> Finding:
    """No listener of ours receives. Args: services: name -> state of those that there are."""
    if not services:
        return failed(
            Fault.LISTENER_DOWN, "pfdcm has no listener.", "Start it: pfdcmctl listener start, or pfdcm --startlistener"
        )
    states = ", ".join(f"{name} is {state}" for name, state in services.items())
    first = next(iter(services))
    return failed(
        Fault.LISTENER_DOWN,
        f"No listener of pfdcm receives: {states}.",
        f"Start it: pfdcmctl listener start {first}; if it does not come up: pfdcmctl listener log {first}",
    )


def _unknown_destination(entry: Entry, said: str) -> Finding:
    return failed(
        Fault.DESTINATION_UNKNOWN,
        f"{said}. The PACS does not know the destination {entry.peer.move_destination}, or may not send to it.",
        f"Have it entered at the PACS: {entry.destination}; "
        f"or name one that it knows: {entry.line('aet_listener', 'AE')}",
    )


def _accepted(entry: Entry, answer: Acceptance) -> Finding:
    names = ", ".join(MODEL_NAMES[model] for model in Model if model in answer.accepted) or "nothing that we asked for"
    found = f"{answer.version or 'The PACS'} accepts {names}."
    if Model.STUDY_FIND not in answer.accepted:
        return failed(
            Fault.NO_QUERY,
            f"{found} Study Root C-FIND is missing.",
            f"Have query/retrieve enabled at the PACS for {entry.peer.calling_ae}, or ask another of its titles: "
            f"{entry.line('aec', 'AE')}",
        )
    if Model.STUDY_MOVE not in answer.accepted and not entry.peer.prefers_get:
        return Finding(
            Outcome.WARNING,
            f"{found} Study Root C-MOVE is missing.",
            f"Fetch by C-GET: {entry.line('retrieveBy', 'get')}",
        )
    return Finding(Outcome.OK, found)
