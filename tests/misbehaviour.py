"""What a PACS does wrong, as switches, and what it was asked: the values of misbehavingpacs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Behaviour:
    """What it does wrong; as it stands, nothing. Numbers of images count from 1 within one C-MOVE or C-GET.

    drops_every: every n-th image is not sent, and counted as completed. fails_every: it is not sent, and counted as
    failed; the final status is then B000, or success with denies_failures; lists_failures says whether the failed UIDs
    are listed. sends_nothing: success, no image sent, all counts 0 (busy). breaks_off_after: after that many images the
    association is aborted, or the connection reset with cuts_connection. stalls_after: after that many images it falls
    silent until told to stop. is_half_blind: C-FIND answers only half of the matches below STUDY level.
    counts_instances: whether C-FIND answers NumberOf...RelatedInstances; uncounted: how many images of each series are
    left out there, as of a study that images still come to. reports_counts: whether C-MOVE responses have counts;
    miscounts is added to the completed ones. refused_levels: level -> status of a C-MOVE or C-GET at it;
    find_refused_levels likewise. image_seconds: a pause before each image. ignores_cancel: C-CANCEL changes nothing.
    retrieves_concerned: only so many retrieves go wrong, later ones are well done; None: all.
    """

    drops_every: int = 0
    fails_every: int = 0
    denies_failures: bool = False
    lists_failures: bool = True
    sends_nothing: bool = False
    breaks_off_after: int | None = None
    cuts_connection: bool = False
    stalls_after: int | None = None
    is_half_blind: bool = False
    counts_instances: bool = True
    uncounted: int = 0
    reports_counts: bool = True
    miscounts: int = 0
    refused_levels: Mapping[str, int] = field(default_factory=dict)
    find_refused_levels: Mapping[str, int] = field(default_factory=dict)
    image_seconds: float = 0.0
    ignores_cancel: bool = False
    retrieves_concerned: int | None = None


@dataclass(frozen=True)
class Request:
    """What it was asked: kind is "echo", "find", "move" or "get"; keys are the identifier's, keyword -> text."""

    kind: str
    level: str
    keys: Mapping[str, str]
    destination: str
    message_id: int

    @property
    def instances(self) -> tuple[str, ...]:
        """The images that an IMAGE level request names."""
        return tuple(uid for uid in self.keys.get("SOPInstanceUID", "").split("\\") if uid)
