"""Query and retrieve over the network: the PacsPort of actions.context.

Each operation has an association and a thread of its own, never the event loop's and never a shared one: a PACS that
stalls holds up only those who wait for it. The event loop watches the clock and the caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from pfdcmd.edge.pacslink import PacsLink
from pfdcmd.edge.turns import Turns
from pfdcmd.errors import KeysRefused, PacsFault, ParameterFault, PeerFailed, PeerTimeout
from pfdcmd.names import parse_uid
from pfdcmd.pacs.delivery import Delivery
from pfdcmd.pacs.keys import NO_VALUE
from pfdcmd.pacs.level import LevelQuery
from pfdcmd.pacs.outcome import MoveCounts, MoveOutcome, outcome_of_fault, outcome_of_status
from pfdcmd.pacs.peer import Peer
from pfdcmd.pacs.query import Keys, Query, without_lower_levels
from pfdcmd.pacs.result import Attributes, StudyMatch, read_attributes
from pfdcmd.pacs.selection import Selection
from pfdcmd.settings import Settings

_log = logging.getLogger(__name__)

_WATCH_SECONDS = 0.5

_T = TypeVar("_T")


class PacsNet:
    """C-FIND and C-MOVE with any number of PACSs at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turns = Turns(settings.pacs_associations)

    async def find(self, peer: Peer, query: Query) -> list[StudyMatch]:
        """See PacsPort.find."""
        finder = _Finder(PacsLink(peer, self._settings), query, self._settings.pacs_max_matches)
        release = await self._turns.take((peer.host, peer.port))
        return await self._run(finder.link, finder.studies, self._settings.pacs_query_seconds, release)

    async def move(self, peer: Peer, study: str | None, series: str) -> MoveOutcome:
        """See PacsPort.move."""
        link = PacsLink(peer, self._settings, find=study is None, move=True)
        release = await self._turns.take((peer.host, peer.port), is_retrieve=True)
        try:
            return await self._run(
                link, lambda: _move(link, study, series), self._settings.pacs_retrieve_seconds, release
            )
        except PacsFault as fault:
            return outcome_of_fault(fault).of_study(study)

    async def find_level(self, peer: Peer, query: LevelQuery) -> AsyncIterator[Attributes]:
        """See PacsPort.find_level."""
        keys = {"QueryRetrieveLevel": query.level, **query.keys}
        link = PacsLink(peer, self._settings)
        release = await self._turns.take((peer.host, peer.port))
        matches = await self._run(
            link,
            lambda: [read_attributes(elements, query.keys) for elements in islice(link.find(keys), query.max_matches)],
            self._settings.pacs_query_seconds,
            release,
        )
        for match in matches:
            yield match

    async def echo(self, peer: Peer) -> None:
        """See PacsPort.echo."""
        link = PacsLink(peer, self._settings)
        release = await self._turns.take((peer.host, peer.port))
        await self._run(link, lambda: None, self._settings.pacs_query_seconds, release)

    async def retrieve(
        self,
        peer: Peer,
        selection: Selection,
        told: Callable[[MoveCounts], None],
        *,
        deliver_to: Delivery | None = None,  # noqa: ARG002
    ) -> MoveOutcome:
        """See PacsPort.retrieve."""
        keys = {
            "QueryRetrieveLevel": selection.level,
            "StudyInstanceUID": selection.study,
            **({"SeriesInstanceUID": selection.series} if selection.series else {}),
            **({"SOPInstanceUID": "\\".join(selection.instances)} if selection.instances else {}),
        }
        link = PacsLink(peer, self._settings, find=False, move=True)
        release = await self._turns.take((peer.host, peer.port), is_retrieve=True)
        try:
            outcome = await self._run(
                link, lambda: outcome_of_status(*link.move(keys)), self._settings.pacs_retrieve_seconds, release
            )
        except PacsFault as fault:
            return outcome_of_fault(fault).of_study(selection.study)
        told(outcome.counts)
        return outcome.of_study(selection.study)

    async def _run(
        self, link: PacsLink, work: Callable[[], _T], limit_seconds: float, give_back: Callable[[], None]
    ) -> _T:
        """Do the work on the opened link in a thread; the turn is given back when the link is closed.

        Raises: PacsFault, of the work or because the time is over; whoever is cancelled does not wait for the thread.
        """
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pacs")
        try:
            result = thread.submit(_open_and, link, work)
        except RuntimeError:  # the system has no thread to give
            give_back()
            raise

        def closed(_: Future[None]) -> None:
            with contextlib.suppress(RuntimeError):  # the event loop has ended: there are no more turns to wait for
                loop.call_soon_threadsafe(give_back)

        thread.submit(link.close).add_done_callback(closed)
        thread.shutdown(wait=False)
        answer = asyncio.wrap_future(result)
        try:
            return await _watch(link, answer, limit_seconds)
        except (asyncio.CancelledError, PeerTimeout):
            link.stop(PacsFault("The operation was given up."))
            answer.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise


async def _watch(link: PacsLink, answer: asyncio.Future[_T], limit_seconds: float) -> _T:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_seconds
    while not answer.done():
        await asyncio.wait([answer], timeout=min(_WATCH_SECONDS, max(deadline - loop.time(), 0.001)))
        if answer.done():
            break
        if loop.time() >= deadline:
            raise PeerTimeout(f"The PACS did not finish within {limit_seconds:g} s.")
        overdue = link.overdue
        if overdue is not None:
            raise overdue
    return answer.result()


def _open_and(link: PacsLink, work: Callable[[], _T]) -> _T:
    link.open()
    return work()


class _Finder:
    """A whole query on one association: the studies, then the series of each."""

    def __init__(self, link: PacsLink, query: Query, max_matches: int) -> None:
        self.link = link
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
        for elements in self.link.find(keys):
            self._matches += 1
            if self._matches > self._max_matches:
                raise PacsFault(f"More than {self._max_matches} studies and series match; the query must be narrower.")
            yield read_attributes(elements, self._query.keywords)


def _move(link: PacsLink, study: str | None, series: str) -> MoveOutcome:
    if study is None:
        keys = {"QueryRetrieveLevel": "SERIES", "SeriesInstanceUID": series, "StudyInstanceUID": ""}
        matches = [read_attributes(elements, ()) for elements in link.find(keys)]
        study = next((uid for uid in (_uid(match, "StudyInstanceUID") for match in matches) if uid), None)
        if study is None:
            raise PeerFailed("The PACS knows no study of this series; give StudyInstanceUID as well.")
    keys = {"QueryRetrieveLevel": "SERIES", "SeriesInstanceUID": series, "StudyInstanceUID": study}
    return outcome_of_status(*link.move(keys)).of_study(study)


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
