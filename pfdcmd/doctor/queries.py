"""C-FIND at each level: what it returns, whether it counts images, and whether its text can be read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from pfdcmd.actions.context import Context
from pfdcmd.doctor.advice import Entry, on_find
from pfdcmd.doctor.patience import patience
from pfdcmd.doctor.step import Fault, Finding, Outcome
from pfdcmd.errors import PacsFault, ParameterFault
from pfdcmd.names import parse_uid
from pfdcmd.pacs.keys import NO_VALUE
from pfdcmd.pacs.level import LevelQuery
from pfdcmd.pacs.result import Attributes
from pfdcmd.pacs.selection import Selection

MAX_MATCHES = 50
"""Enough to see what a PACS answers; a PACS of millions of studies is told to stop."""
_MAX_INSTANCES = 2000

_UNREADABLE = "\ufffd"
_COUNTS = ("NumberOfStudyRelatedInstances", "NumberOfSeriesRelatedInstances")

Ask = Callable[[], Coroutine[Any, Any, Finding]]


class Queries:
    """From the studies to one image, which can then be asked for."""

    def __init__(self, entry: Entry, context: Context) -> None:
        self._entry = entry
        self._pacs = context.pacs
        self.matches: list[Attributes] = []
        self._study = ""
        self._series: Mapping[str, str] = {}
        self.image: Selection | None = None
        self.is_empty = False

    async def patient(self) -> Finding:
        """C-FIND at PATIENT level."""
        return await self._find("PATIENT", {"PatientID": "", "PatientName": ""})

    async def study(self) -> Finding:
        """C-FIND at STUDY level: sets is_empty when there are none, else keeps the first for the levels below."""
        keys = ("StudyInstanceUID", "PatientName", "StudyDescription", "StudyDate", *_COUNTS[:1])
        finding = await self._find("STUDY", dict.fromkeys(keys, ""))
        studies = [uid for match in self.matches if (uid := _uid(match, "StudyInstanceUID"))]
        if finding.outcome is Outcome.OK and not studies:
            self.is_empty = True
            return Finding(
                Outcome.WARNING,
                "The PACS knows no study, or shows none to us.",
                f"Load an image into it; if it has some, have {self._entry.peer.calling_ae} allowed to see them.",
                Fault.EMPTY,
            )
        self._study = studies[0] if studies else ""
        return finding

    async def series(self) -> Finding:
        """The series of that study; keeps the one with the fewest images for the level below."""
        keys = ("SeriesInstanceUID", "SeriesDescription", "Modality", *_COUNTS[1:])
        found: list[Attributes] = []
        finding = await self._find("SERIES", {"StudyInstanceUID": self._study, **dict.fromkeys(keys, "")}, found)
        series = [match for match in found if _uid(match, "SeriesInstanceUID")]
        if finding.outcome is not Outcome.OK or not series:
            return finding
        self._series = min(series, key=lambda match: _count(match, _COUNTS[1]) or _MAX_INSTANCES)
        counted = sum(_count(match, _COUNTS[1]) is not None for match in series)
        told = "it counts their images" if counted == len(series) else "it does not count the images of each"
        return Finding(Outcome.OK, f"{finding.found.rstrip('.')}; {told}.")

    async def instance(self) -> Finding:
        """The images of that series; sets image to one of them."""
        series = _uid(self._series, "SeriesInstanceUID")
        found: list[Attributes] = []
        fixed = {"StudyInstanceUID": self._study, "SeriesInstanceUID": series}
        finding = await self._find("IMAGE", {**fixed, "SOPInstanceUID": ""}, found, _MAX_INSTANCES)
        images = {uid for match in found if (uid := _uid(match, "SOPInstanceUID"))}
        self.image = Selection(self._study, series, tuple(sorted(images)[:1]))
        counted = _count(self._series, _COUNTS[1])
        if finding.outcome is Outcome.OK and counted is not None and counted != len(images) < _MAX_INSTANCES:
            return Finding(
                Outcome.WARNING,
                f"{finding.found.rstrip('.')}, where the SERIES level counts {counted}.",
                "What is complete is judged by the images themselves.",
            )
        return finding

    @property
    def levels(self) -> tuple[tuple[str, Ask], ...]:
        """Each level and how to ask at it, from the top."""
        return (("PATIENT", self.patient), ("STUDY", self.study), ("SERIES", self.series), ("IMAGE", self.instance))

    def why_not(self, level: str) -> str:
        """What is missing to ask at a level; empty when nothing is."""
        if level == "SERIES" and not self._study:
            return "there is no study to look into"
        if level == "IMAGE" and not self._series:
            return "there is no series to look into"
        return ""

    async def read_names(self) -> Finding:
        """Whether the text of what was found can be read; the text itself is nobody's business here."""
        garbled = sum(any(_UNREADABLE in value for value in match.values()) for match in self.matches)
        if garbled:
            return Finding(
                Outcome.WARNING,
                f"{garbled} of {len(self.matches)} matches have text that does not fit the character set they declare.",
                "Have the PACS declare its SpecificCharacterSet rightly; ISO_IR 192 (UTF-8) is asked for.",
                Fault.TEXT_GARBLED,
            )
        other = sum(not value.isascii() for match in self.matches for value in match.values())
        return Finding(Outcome.OK, f"All text can be read; {other} values have other letters than ASCII.")

    async def _find(
        self, level: str, keys: Mapping[str, str], found: list[Attributes] | None = None, limit: int = MAX_MATCHES
    ) -> Finding:
        matches = [] if found is None else found
        try:
            async with patience():
                async for match in self._pacs.find_level(self._entry.peer, LevelQuery(level, keys, limit)):
                    matches.append(match)
        except PacsFault as fault:
            return on_find(self._entry, level, fault)
        self.matches += matches
        more = " or more" if len(matches) >= limit else ""
        return Finding(Outcome.OK, f"{len(matches)}{more} found.")


def _uid(match: Mapping[str, str], keyword: str) -> str:
    """A UID that may go into the next request, or nothing."""
    try:
        return parse_uid(match.get(keyword), keyword)
    except ParameterFault:
        return ""


def _count(match: Mapping[str, str], keyword: str) -> int | None:
    value = match.get(keyword, NO_VALUE).strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
