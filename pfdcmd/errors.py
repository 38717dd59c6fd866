"""Faults: what can go wrong, as types with a number and a message fit for the caller.

A fault's number is its family and its place in it: 0xx the message itself, 1xx the tree, 2xx a PACS, 3xx a listener
service, 4xx files, 5xx access. A class's docstring is its default message, `do` what the caller can do about it. The
message goes to the caller and so never holds secrets or patients' data; `cause` goes to the log.
"""

from __future__ import annotations


class Fault(Exception):
    """Something was wrong with the call."""

    number = 0
    do = "See rpc.discover or docs/api.md for what can be called."
    """What the caller can do about it."""

    def __init__(self, message: str | None = None, *, cause: str = "", parameter: str = "") -> None:
        """parameter: which one of the call's, where it is one."""
        super().__init__(message if message is not None else (type(self).__doc__ or "").strip())
        self.cause = cause
        self.parameter = parameter

    @property
    def message(self) -> str:
        """What the caller is told."""
        return str(self.args[0])


class LocalError(Exception):
    """A fault in pfdcm itself: the caller is told "internal error" and a reference, the log has the rest."""


class MessageFault(Fault):
    """The message could not be understood."""

    number = 1


class MessageTooLarge(MessageFault):
    """The message is too large."""

    number = 2
    do = "Send less at once, or have --maxBodyBytes raised."


class UnknownAction(MessageFault):
    """There is no such action."""

    number = 3


class ParameterFault(MessageFault):
    """A parameter is missing or has a value that cannot be used."""

    number = 4
    do = "Correct the parameter; rpc.discover and docs/api.md say what each method takes."


class NotJson(MessageFault):
    """The message is not JSON."""

    number = 5


class InternalFault(MessageFault):
    """Something unexpected happened; the log has it under the reference that the message ends with."""

    number = 9
    do = "Give the reference to whoever runs pfdcm: the log has what happened under it."

    def __init__(self, reference: str) -> None:
        super().__init__(f"Internal error, reference {reference}")
        self.reference = reference


class TreeFault(Fault):
    """The path cannot be used in the data tree."""

    number = 100
    do = "Look at what is there with tree.list, and correct the path or the value."


class TreeTooLarge(TreeFault):
    """The data tree is full."""

    number = 101
    do = "Delete what is not needed, or have --maxTreeLeaves or --maxTreeCharacters raised."


class PathNotFound(TreeFault):
    """There is nothing at this path in the data tree."""

    number = 102
    do = "See with tree.list what there is."


class PacsFault(Fault):
    """The PACS could not be asked."""

    number = 200
    do = "Try pacs.echo; the PACS's own log may say more."


class PeerConfigurationFault(PacsFault):
    """The PACS entry in the tree cannot be used."""

    number = 201
    do = "Correct the entry with pacs.add; pacs.list shows what there is."


class PeerUnreachable(PacsFault):
    """The PACS could not be reached."""

    number = 202
    do = "Check the host and the port with pacs.list, that the PACS runs, and that no firewall is between."


class PeerRefused(PacsFault):
    """The PACS refused the association or the request."""

    number = 203
    do = "Check aec (its AE title) and aet (ours), and that the PACS knows ours."


class PeerTimeout(PacsFault):
    """The PACS did not answer in time."""

    number = 204
    do = "Try again; for a PACS that is slow, have --pacsResponseSeconds raised."


class PeerAborted(PacsFault):
    """The PACS broke off the association."""

    number = 205
    do = "Try again; the PACS's own log may say why it broke off."


class PeerFailed(PacsFault):
    """The PACS answered with a failure status."""

    number = 206
    do = "Look into the PACS's own log for the status that it answered with."


class KeysRefused(PeerFailed):
    """The PACS does not take the keys of the query at this level."""

    number = 207
    do = "Leave out keys that are not of this level, or ask at another level."


class JobNotFound(PacsFault):
    """There is no such retrieve."""

    number = 208
    do = "See retrieve.list for those that there are."


class PeerTLSFailed(PacsFault):
    """The connection to the PACS could not be encrypted."""

    number = 209
    do = "Check tls, tlsCA, tlsCertificate and tlsKey of the PACS entry, and that the port is the PACS's TLS port."


class PeerLacksService(PeerRefused):
    """The PACS does not offer this service."""

    number = 210
    do = "Check that the PACS is configured for query/retrieve; without C-GET, leave retrieveBy out of its entry."


class ServiceFault(Fault):
    """The listener service cannot be used as declared."""

    number = 300
    do = "See listener.list and listener.log."


class ServiceFileFault(ServiceFault):
    """The service file cannot be read."""

    number = 301
    do = "Correct the service file at the line named."


class SupervisorFault(ServiceFault):
    """The listener's supervisor did not do as asked."""

    number = 302
    do = "See listener.log; listener.apply tries again."


class StorageFault(Fault):
    """The files could not be read or written."""

    number = 400
    do = "Check that the directory is there, may be written and has space."


class SeriesNotFound(StorageFault):
    """No such series has been received."""

    number = 401
    do = "Retrieve the series first with retrieve.start."


class ObjectStoreUnavailable(StorageFault):
    """No object store answers."""

    number = 402
    do = "Check the settings below /swift."


class TargetTaken(StorageFault):
    """The series has been copied there already."""

    number = 403
    do = "Use what is there, or name another directory."


class PathRefused(StorageFault):
    """The path is not below one of the directories that messages may name."""

    number = 410
    do = "Name a path below one of --roots, or have --roots extended."


class AccessRefused(Fault):
    """This needs a right that the caller has not."""

    number = 500
    do = "Use a token with the right that this needs: read, operate or admin."


class NotAuthenticated(AccessRefused):
    """A valid token is needed: Authorization: Bearer TOKEN."""

    number = 501
    do = "Send the header Authorization: Bearer TOKEN; pfdcm --makeToken makes tokens."


class TooManyAttempts(NotAuthenticated):
    """Too many requests of this address had to be refused; try again later."""

    number = 502


class OriginRefused(AccessRefused):
    """Pages of this origin may not call pfdcm."""

    number = 503
    do = "Have the page's origin added to --allowedOrigins."


class AuditFault(Fault):
    """The audit cannot be written, and without it nothing is done."""

    number = 510
    do = "See pfdcm's log for what stands against the audit file."
