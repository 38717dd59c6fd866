"""Faults: what can go wrong, as types with a number and a message fit for the caller.

A fault's number is its family and its place in it: 0xx the message itself, 1xx the tree, 2xx a PACS, 3xx a listener
service, 4xx files. A class's docstring is its default message. The message goes to the caller and so never holds
secrets or patients' data; `cause` goes to the log.
"""

from __future__ import annotations


class Fault(Exception):
    """Something was wrong with the call."""

    number = 0

    def __init__(self, message: str | None = None, *, cause: str = "") -> None:
        super().__init__(message if message is not None else (type(self).__doc__ or "").strip())
        self.cause = cause

    @property
    def message(self) -> str:
        return str(self.args[0])


class LocalError(Exception):
    """A fault in pfdcm itself: the caller is told "internal error" and a reference, the log has the rest."""


class MessageFault(Fault):
    """The message could not be understood."""

    number = 1


class MessageTooLarge(MessageFault):
    """The message is too large."""

    number = 2


class UnknownAction(MessageFault):
    """There is no such action."""

    number = 3


class ParameterFault(MessageFault):
    """A parameter is missing or has a value that cannot be used."""

    number = 4


class TreeFault(Fault):
    """The path cannot be used in the data tree."""

    number = 100


class TreeTooLarge(TreeFault):
    """The data tree is full."""

    number = 101


class PacsFault(Fault):
    """The PACS could not be asked."""

    number = 200


class PeerConfigurationFault(PacsFault):
    """The PACS entry in the tree cannot be used."""

    number = 201


class PeerUnreachable(PacsFault):
    """The PACS could not be reached."""

    number = 202


class PeerRefused(PacsFault):
    """The PACS refused the association or the request."""

    number = 203


class PeerTimeout(PacsFault):
    """The PACS did not answer in time."""

    number = 204


class PeerAborted(PacsFault):
    """The PACS broke off the association."""

    number = 205


class PeerFailed(PacsFault):
    """The PACS answered with a failure status."""

    number = 206


class KeysRefused(PeerFailed):
    """The PACS does not take the keys of the query at this level."""

    number = 207


class JobNotFound(PacsFault):
    """There is no such retrieve."""

    number = 208


class ServiceFault(Fault):
    """The listener service cannot be used as declared."""

    number = 300


class ServiceFileFault(ServiceFault):
    """The service file cannot be read."""

    number = 301


class SupervisorFault(ServiceFault):
    """The listener's supervisor did not do as asked."""

    number = 302


class StorageFault(Fault):
    """The files could not be read or written."""

    number = 400


class SeriesNotFound(StorageFault):
    """No such series has been received."""

    number = 401


class ObjectStoreUnavailable(StorageFault):
    """No object store answers."""

    number = 402
