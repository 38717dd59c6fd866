"""What a PACS answered to an association request.

Source: DICOM PS3.8 Tables 9-17 to 9-21.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Model(StrEnum):
    """What an examination asks a PACS to accept: SOP classes of PS3.4 Annexes A and C."""

    VERIFICATION = "1.2.840.10008.1.1"
    PATIENT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
    PATIENT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
    STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
    STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
    STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"


MODEL_NAMES = {
    Model.VERIFICATION: "C-ECHO",
    Model.PATIENT_FIND: "Patient Root C-FIND",
    Model.PATIENT_MOVE: "Patient Root C-MOVE",
    Model.STUDY_FIND: "Study Root C-FIND",
    Model.STUDY_MOVE: "Study Root C-MOVE",
    Model.STUDY_GET: "Study Root C-GET",
}
"""As people call them."""


@dataclass(frozen=True)
class Acceptance:
    """The abstract syntaxes that were accepted, and the implementation version name of who answers, if it gave one."""

    accepted: tuple[str, ...]
    version: str = ""


@dataclass(frozen=True)
class Rejection:
    """Result 1 permanent, 2 transient; source 1 the user, 2 ACSE, 3 the presentation layer; reason by source."""

    result: int
    source: int
    reason: int

    @property
    def is_transient(self) -> bool:
        """Whether it may be asked again later: result 2 (PS3.8 Table 9-21)."""
        return self.result == 2

    @property
    def is_of_called_ae(self) -> bool:
        """Whether the PACS says that it is not called so."""
        return (self.source, self.reason) == (1, 7)

    @property
    def is_of_calling_ae(self) -> bool:
        """Whether the PACS says that it does not know who calls."""
        return (self.source, self.reason) == (1, 3)


@dataclass(frozen=True)
class Reached:
    """A TCP connection that was made: the PACS's address, and ours as the PACS sees it when nothing is in between."""

    address: str
    own_address: str
