"""How a C-MOVE ended, in the words and numbers that callers know from movescu."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pfdcmd.errors import PacsFault, PeerUnreachable

RETURNCODE_OK = 0
RETURNCODE_NO_ASSOCIATION = 61
RETURNCODE_FAILED = 69

_SUCCESS = 0x0000
_CANCEL = 0xFE00
_REQUEST_REFUSED = frozenset((0x0106, 0x0112, 0x0115, 0x0117, 0x0118, 0x0119, 0x0120, 0x0122, 0xA900))

# PS3.4 Table C.4-2, by their names in DCMTK; any other failure is C000's to FFFF's "unable to process" or unknown.
_STATUS_NAMES = {
    0x0122: "Refused: SOPClassNotSupported",
    0x0124: "Refused: NotAuthorized",
    0xA700: "Refused: OutOfResources",
    0xA701: "Refused: OutOfResourcesNumberOfMatches",
    0xA702: "Refused: OutOfResourcesSubOperations",
    0xA801: "Refused: MoveDestinationUnknown",
    0xA900: "Error: DataSetDoesNotMatchSOPClass",
    0xB000: "Warning: SubOperationsCompleteOneOrMoreFailures",
    _CANCEL: "Cancel: SubOperationsTerminatedDueToCancelIndication",
}


@dataclass(frozen=True)
class MoveCounts:
    """The sub-operations that the PACS counted, one per image; None where it gave no number (PS3.7 Table 9.1-4)."""

    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    remaining: int | None = None

    def updated(self, later: MoveCounts) -> MoveCounts:
        """What a later response to the same request counts, and this where it gives no number: it need not."""
        return MoveCounts(
            completed=_latest(self.completed, later.completed),
            failed=_latest(self.failed, later.failed),
            warning=_latest(self.warning, later.warning),
            remaining=_latest(self.remaining, later.remaining),
        )

    def plus(self, later: MoveCounts) -> MoveCounts:
        """The counts of two requests, one after the other; what remains is the later one's."""
        return MoveCounts(
            completed=_sum(self.completed, later.completed),
            failed=_sum(self.failed, later.failed),
            warning=_sum(self.warning, later.warning),
            remaining=later.remaining,
        )


@dataclass(frozen=True)
class MoveOutcome:
    """How a C-MOVE or C-GET ended: error is empty when all went well.

    study_uid is the study that was asked, when known; status the final one, None when the PACS gave none; counts the
    last that came; failed_instances the UIDs that the PACS said it could not send (PS3.7 section 9.1.4.1.10: it need
    not); message_id that of the request, which a C-STORE for it names as its move originator's.
    """

    error: str = ""
    returncode: int = RETURNCODE_OK
    study_uid: str | None = None
    status: int | None = None
    counts: MoveCounts = MoveCounts()
    failed_instances: tuple[str, ...] = ()
    message_id: int | None = None

    @property
    def is_success(self) -> bool:
        """Whether it ended well."""
        return self.returncode == RETURNCODE_OK

    @property
    def refuses_request(self) -> bool:
        """Whether the PACS took offence at the request itself, as one does that knows no IMAGE level, and sent nothing.

        It says so by a variety of statuses: PS3.4 Table C.4-2 has A900 and Cxxx, PS3.7 Annex C 0106, 0112 to 0124.
        """
        status = self.status
        if status is None or self.counts.completed or self.counts.warning:
            return False
        return status in _REQUEST_REFUSED or 0xC000 <= status <= 0xCFFF

    @property
    def is_cancelled(self) -> bool:
        """Whether the PACS ended it because it was told to."""
        return self.status == _CANCEL

    def plus(self, later: MoveOutcome) -> MoveOutcome:
        """How two requests of the same retrieve ended together: as the first that failed, if any did."""
        return replace(
            later,
            error=self.error + later.error,
            returncode=self.returncode or later.returncode,
            status=self.status or later.status,
            counts=self.counts.plus(later.counts),
            failed_instances=self.failed_instances + later.failed_instances,
        )

    def of_study(self, study_uid: str | None) -> MoveOutcome:
        """The same, of that study."""
        return replace(self, study_uid=study_uid)


def outcome_of_status(
    status: int, counts: MoveCounts, failed_instances: tuple[str, ...] = (), message_id: int | None = None
) -> MoveOutcome:
    """Judge the final response. A success that failed for some images, or that sent none, is an error."""
    error = _error_of(status, counts)
    return MoveOutcome(
        error=error,
        returncode=RETURNCODE_FAILED if error else RETURNCODE_OK,
        status=status,
        counts=counts,
        failed_instances=failed_instances,
        message_id=message_id,
    )


def _error_of(status: int, counts: MoveCounts) -> str:
    if status != _SUCCESS:
        return f"W: Move response with error status ({_status_name(status)})\n{_failed_images(counts)}"
    if counts.failed:
        return f"W: Move response with status Success\n{_failed_images(counts)}"
    if counts.completed == 0 and not counts.warning:
        return "W: Move response with status Success, but no image was sent\n"
    return ""


def outcome_of_fault(fault: PacsFault) -> MoveOutcome:
    """What a caller is told when there was no final response."""
    if isinstance(fault, PeerUnreachable):
        text = f"F: Association Request Failed:\nF: 0006:031c TCP Initialization Error: {fault.cause}\n"
        return MoveOutcome(error=text, returncode=RETURNCODE_NO_ASSOCIATION)
    return MoveOutcome(error=f"F: {fault.message}\n", returncode=RETURNCODE_FAILED)


def _latest(earlier: int | None, later: int | None) -> int | None:
    return earlier if later is None else later


def _sum(first: int | None, second: int | None) -> int | None:
    return second if first is None else first if second is None else first + second


def _failed_images(counts: MoveCounts) -> str:
    if not counts.failed:
        return ""
    total = counts.failed + (counts.completed or 0) + (counts.warning or 0)
    return f"W: {counts.failed} of {total} images were not sent\n"


def _status_name(status: int) -> str:
    if status in _STATUS_NAMES:
        return _STATUS_NAMES[status]
    return "Failed: UnableToProcess" if 0xC000 <= status <= 0xCFFF else f"Unknown Status: 0x{status:x}"
