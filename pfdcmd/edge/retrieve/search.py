"""What a PACS says there is to retrieve: C-FIND at each level, as a job needs it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from pfdcmd.actions.context import PacsPort
from pfdcmd.errors import ParameterFault, PeerFailed
from pfdcmd.names import parse_uid
from pfdcmd.pacs.level import LevelQuery
from pfdcmd.pacs.peer import Peer
from pfdcmd.pacs.result import Attributes
from pfdcmd.retrieve.verdict import StudyCounts

_MAX_SERIES = 20_000
_MAX_INSTANCES = 1_000_000
_MAX_COUNT = 100_000_000


@dataclass(frozen=True)
class Found:
    """series: UID -> NumberOfSeriesRelatedInstances, None where the PACS gave no number; is_known: whether the PACS
    knows the study at STUDY level, None when it was not asked or did not answer."""

    series: dict[str, int | None]
    study: StudyCounts = field(default_factory=StudyCounts)
    is_known: bool | None = None


async def find_study_of(pacs: PacsPort, peer: Peer, series: str) -> str:
    """The study of a series, across all studies. Raises: PacsFault; PeerFailed: the PACS knows none."""
    query = LevelQuery("SERIES", {"SeriesInstanceUID": series, "StudyInstanceUID": ""}, _MAX_SERIES)
    async for match in pacs.find_level(peer, query):
        study = _uid(match, "StudyInstanceUID")
        if study:
            return study
    raise PeerFailed("The PACS knows no study of this series; give StudyInstanceUID as well.")


async def find_series(pacs: PacsPort, peer: Peer, study: str, only: tuple[str, ...]) -> Found:
    """The series of a study, of one that names some only these. A PACS that fails the query has told nothing.

    Raises: PacsFault: the PACS could not be asked.
    """
    keys = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": only[0] if len(only) == 1 else "",
        "NumberOfSeriesRelatedInstances": "",
    }
    series: dict[str, int | None] = {}
    wanted = frozenset(only)
    with suppress(PeerFailed):
        async for match in pacs.find_level(peer, LevelQuery("SERIES", keys, _MAX_SERIES)):
            uid = _uid(match, "SeriesInstanceUID")
            if uid and (not wanted or uid in wanted):
                series[uid] = _count(match, "NumberOfSeriesRelatedInstances")
    if only:
        return Found(series)
    counts, is_known = await _find_study(pacs, peer, study)
    return Found(series, counts, is_known)


async def find_instances(pacs: PacsPort, peer: Peer, study: str, series: str) -> frozenset[str] | None:
    """The instances of a series; None when the PACS does not answer at IMAGE level, or not with all of them.

    Raises: PacsFault: the PACS could not be asked.
    """
    keys = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": ""}
    instances: set[str] = set()
    matches = 0
    try:
        async for match in pacs.find_level(peer, LevelQuery("IMAGE", keys, _MAX_INSTANCES)):
            matches += 1
            uid = _uid(match, "SOPInstanceUID")
            if uid:
                instances.add(uid)
    except PeerFailed:
        return None
    return frozenset(instances) if matches < _MAX_INSTANCES and (instances or not matches) else None


async def _find_study(pacs: PacsPort, peer: Peer, study: str) -> tuple[StudyCounts, bool | None]:
    keys = {"StudyInstanceUID": study, "NumberOfStudyRelatedSeries": "", "NumberOfStudyRelatedInstances": ""}
    counts, is_known = StudyCounts(), False
    try:
        async for match in pacs.find_level(peer, LevelQuery("STUDY", keys, _MAX_SERIES)):
            if _uid(match, "StudyInstanceUID") == study:
                is_known = True
                counts = StudyCounts(
                    _count(match, "NumberOfStudyRelatedSeries"), _count(match, "NumberOfStudyRelatedInstances")
                )
    except PeerFailed:
        return StudyCounts(), None
    return counts, is_known


def _uid(match: Attributes, keyword: str) -> str | None:
    with suppress(ParameterFault):
        return parse_uid(match.get(keyword), keyword)
    return None


def _count(match: Attributes, keyword: str) -> int | None:
    text = str(match.get(keyword, "")).strip()
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_COUNT))
    return int(text) if is_number else None
