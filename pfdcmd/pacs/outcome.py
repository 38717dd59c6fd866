"""How a C-MOVE ended, in the words and numbers that callers know from movescu."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pfdcmd.errors import PacsFault, PeerUnreachable

RETURNCODE_OK = 0
RETURNCODE_NO_ASSOCIATION = 61
RETURNCODE_FAILED = 69

_SUCCESS = 0x0000
_CANCEL = 0xFE00

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


@dataclass(frozen=True)
class MoveOutcome:
    """How a C-MOVE ended: error is empty when all went well; study_uid is the study that was asked, when known."""

    error: str = ""
    returncode: int = RETURNCODE_OK
    study_uid: str | None = None

    @property
    def is_success(self) -> bool:
        return self.returncode == RETURNCODE_OK

    def of_study(self, study_uid: str | None) -> MoveOutcome:
        return replace(self, study_uid=study_uid)


def outcome_of_status(status: int, counts: MoveCounts) -> MoveOutcome:
    """Judge the final C-MOVE response. A success that failed for some images, or that sent none, is an error."""
    if status != _SUCCESS:
        text = f"W: Move response with error status ({_status_name(status)})\n"
        return _failed(text + _failed_images(counts))
    if counts.failed:
        return _failed(f"W: Move response with status Success\n{_failed_images(counts)}")
    if counts.completed == 0 and not counts.warning:
        return _failed("W: Move response with status Success, but no image was sent\n")
    return MoveOutcome()


def outcome_of_fault(fault: PacsFault) -> MoveOutcome:
    """What a caller is told when there was no final response."""
    if isinstance(fault, PeerUnreachable):
        text = f"F: Association Request Failed:\nF: 0006:031c TCP Initialization Error: {fault.cause}\n"
        return MoveOutcome(error=text, returncode=RETURNCODE_NO_ASSOCIATION)
    return _failed(f"F: {fault.message}\n")


def _failed(text: str) -> MoveOutcome:
    return MoveOutcome(error=text, returncode=RETURNCODE_FAILED)


def _failed_images(counts: MoveCounts) -> str:
    if not counts.failed:
        return ""
    total = counts.failed + (counts.completed or 0) + (counts.warning or 0)
    return f"W: {counts.failed} of {total} images were not sent\n"


def _status_name(status: int) -> str:
    if status in _STATUS_NAMES:
        return _STATUS_NAMES[status]
    return "Failed: UnableToProcess" if 0xC000 <= status <= 0xCFFF else f"Unknown Status: 0x{status:x}"
