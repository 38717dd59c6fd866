"""The query of the old dialect: STUDY level, then SERIES level for each study, whatever the PACS makes of the keys."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from pfdcmd.edge.pacs.identifier import encode_identifier
from pfdcmd.edge.pacs.link import PacsLink
from pfdcmd.edge.pacs.services import STUDY_FIND, find
from pfdcmd.errors import KeysRefused, PacsFault, ParameterFault, PeerFailed
from pfdcmd.names import parse_uid
from pfdcmd.pacs.keys import NO_VALUE
from pfdcmd.pacs.query import Keys, Query, without_lower_levels
from pfdcmd.pacs.result import Attributes, StudyMatch, read_attributes

_log = logging.getLogger(__name__)


class Finder:
    """A whole query on one association: the studies, then the series of each."""

    def __init__(self, link: PacsLink, query: Query, max_matches: int) -> None:
        self._link = link
        self._query = query
        self._max_matches = max_matches
        self._matches = 0
        self._is_strict = False

    def studies(self) -> list[StudyMatch]:
        """The studies of which at least one series matched."""
        found: list[StudyMatch] = []
        for index, study in enumerate(_once(self._study_level(), "StudyInstanceUID")):
            uid = _uid(study, "StudyInstanceUID")
            series = tuple(_once(self._find(self._query.series_keys(uid)), "SeriesInstanceUID")) if uid else ()
            if series:
                found.append(StudyMatch(index=index, attributes=study, series=series))
        return found

    def _study_level(self) -> list[Attributes]:
        query = self._query
        if query.names_series_only:
            studies = [
                study
                for uid in self._studies_of_series()
                for study in self._find(query.study_keys(StudyInstanceUID=uid, SeriesInstanceUID=""))
            ]
            if studies or not query.narrows_studies:
                return studies
        # A series is no attribute of a study: some PACSs would compare it with that of any one of its series.
        return list(self._find(query.study_keys(SeriesInstanceUID="")))

    def _studies_of_series(self) -> list[str]:
        """The studies of the series that the caller named; none when the PACS cannot look across studies."""
        try:
            series = list(self._find(self._query.series_keys("")))
        except PeerFailed:
            return []  # PS3.4 section C.4.1.2.1: relational queries are an extension
        uids = (_uid(match, "StudyInstanceUID") for match in series)
        return list(dict.fromkeys(uid for uid in uids if uid))

    def _find(self, keys: Keys) -> Iterator[Attributes]:
        """The matches of one request; of a PACS that refuses keys below the level, those without them."""
        if not self._is_strict:
            try:
                yield from self._find_with(keys)
                return
            except KeysRefused:
                self._is_strict = True
        yield from self._find_with(without_lower_levels(keys))

    def _find_with(self, keys: Keys) -> Iterator[Attributes]:
        for elements in find(self._link, STUDY_FIND, encode_identifier(keys)):
            self._matches += 1
            if self._matches > self._max_matches:
                raise PacsFault(f"More than {self._max_matches} studies and series match; the query must be narrower.")
            yield read_attributes(elements, self._query.keywords)


def _once(matches: Iterable[Attributes], keyword: str) -> Iterator[Attributes]:
    """Each study or series once: some PACSs answer it as often as it has instances."""
    seen: set[str] = set()
    for match in matches:
        uid = match[keyword]
        if uid == NO_VALUE or uid not in seen:
            seen.add(uid)
            yield match


def _uid(match: Attributes, keyword: str) -> str | None:
    """A UID that a PACS answered, if it is one: it goes into the next request, where "*" would match everything."""
    try:
        return parse_uid(match.get(keyword), keyword)
    except ParameterFault:
        _log.warning("a PACS answered a match without a valid %s; it is left out", keyword)
        return None
