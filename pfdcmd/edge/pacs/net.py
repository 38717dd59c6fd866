"""Query and retrieve over the network: the PacsPort of actions.context.

Each operation has an association and a thread of its own (edge.pacs.work), and a turn of the PACS's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from pfdcmd.edge.pacs.cget import GettingLink
from pfdcmd.edge.pacs.finder import Finder
from pfdcmd.edge.pacs.identifier import encode_elements
from pfdcmd.edge.pacs.link import PacsLink
from pfdcmd.edge.pacs.services import (
    PATIENT_FIND,
    STUDY_FIND,
    STUDY_MOVE,
    VERIFICATION,
    echo,
    find,
    move,
    proposal,
)
from pfdcmd.edge.pacs.turns import Turns
from pfdcmd.edge.pacs.work import Stream, perform
from pfdcmd.errors import PacsFault, PeerLacksService, PeerTimeout
from pfdcmd.pacs.delivery import Delivery
from pfdcmd.pacs.level import LevelQuery
from pfdcmd.pacs.levelkeys import LevelKeys, level_keys, read_match
from pfdcmd.pacs.outcome import MoveOutcome, outcome_of_fault
from pfdcmd.pacs.peer import Peer
from pfdcmd.pacs.query import Query
from pfdcmd.pacs.result import Attributes, StudyMatch
from pfdcmd.pacs.selection import Selection, batches, request_keys
from pfdcmd.settings import Settings

_log = logging.getLogger(__name__)

# How many images' SOP classes are looked at to know those of a study; one that has more kinds among them is unheard of.
_MAX_CLASS_MATCHES = 5000

# DCMTK's dcmqrscp grumbles at who would move without being able to find.
_MOVE_MODELS = (STUDY_FIND, STUDY_MOVE)


class PacsNet:
    """C-ECHO, C-FIND, C-MOVE and C-GET with any number of PACSs at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turns = Turns(settings.pacs_associations)

    @property
    def waiting(self) -> int:
        """See PacsPort.waiting."""
        return self._turns.waiting

    async def find(self, peer: Peer, query: Query) -> list[StudyMatch]:
        """See PacsPort.find."""
        link = PacsLink(peer, self._settings, proposal(STUDY_FIND))
        finder = Finder(link, query, self._settings.pacs_max_matches)
        release, seconds = await self._turn_for_query(peer)
        return await perform(link, finder.studies, seconds, release)

    async def find_level(self, peer: Peer, query: LevelQuery) -> AsyncIterator[Attributes]:
        """See PacsPort.find_level."""
        keys = level_keys(query)
        stream: Stream[Attributes] = Stream()
        asking = asyncio.create_task(self._ask_level(peer, query, keys, stream))
        asking.add_done_callback(lambda _: stream.end())
        try:
            while matches := await stream.take():
                for match in matches:
                    yield match
            await asking
        finally:
            stream.abandon()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _ask_level(self, peer: Peer, query: LevelQuery, keys: LevelKeys, stream: Stream[Attributes]) -> None:
        model = PATIENT_FIND if query.level == "PATIENT" else STUDY_FIND
        link = PacsLink(peer, self._settings, proposal(model, is_relational=keys.is_relational))

        def ask() -> None:
            left = query.max_matches
            for elements in find(link, model, encode_elements(keys.elements)):
                stream.put(read_match(elements, keys))
                left -= 1
                if left <= 0:
                    stream.end()
                    link.cancel_and_drain()
                    return

        release, seconds = await self._turn_for_query(peer)
        await perform(link, ask, seconds, release)

    async def echo(self, peer: Peer) -> None:
        """See PacsPort.echo."""
        link = PacsLink(peer, self._settings, proposal(VERIFICATION))
        release, seconds = await self._turn_for_query(peer)
        await perform(link, lambda: echo(link), seconds, release)

    async def retrieve(self, peer: Peer, *selections: Selection, deliver_to: Delivery | None = None) -> MoveOutcome:
        """See PacsPort.retrieve."""
        requests = [request_keys(batch) for selection in selections for batch in batches(selection)]
        study = selections[0].study
        try:
            if peer.prefers_get and deliver_to is not None:
                try:
                    outcome = await self._get(peer, selections, requests, deliver_to)
                    return outcome.of_study(study)
                except PeerLacksService as fault:
                    _log.info("images are moved: %s", fault.message)
            link = PacsLink(peer, self._settings, proposal(*_MOVE_MODELS))
            outcome = await self._retrieve(link, peer, lambda: _in_turn(requests, lambda keys: move(link, keys)))
        except PacsFault as fault:
            outcome = outcome_of_fault(fault)
        return outcome.of_study(study)

    async def _get(
        self, peer: Peer, selections: Sequence[Selection], requests: Sequence[dict[str, str]], deliver_to: Delivery
    ) -> MoveOutcome:
        link = GettingLink(peer, self._settings, await self._sop_classes(peer, selections), deliver_to)
        return await self._retrieve(link, peer, lambda: _in_turn(requests, link.get))

    async def _retrieve(self, link: PacsLink | GettingLink, peer: Peer, work: Callable[[], MoveOutcome]) -> MoveOutcome:
        release = await self._turn_for_retrieve(peer)
        return await perform(link, work, self._settings.pacs_retrieve_seconds, release, cancels=True)

    async def _sop_classes(self, peer: Peer, selections: Sequence[Selection]) -> list[str]:
        """The SOP classes of what is selected, as far as the PACS tells; a C-GET has room for so many only."""
        study = {"StudyInstanceUID": selections[0].study}
        queries = [LevelQuery("STUDY", {**study, "SOPClassesInStudy": ""}, 1)]
        if len(selections) == 1 and selections[0].series is not None:
            keys = {**study, "SeriesInstanceUID": selections[0].series, "SOPClassUID": ""}
            queries.insert(0, LevelQuery("IMAGE", keys, _MAX_CLASS_MATCHES))
        for query in queries:
            (keyword,) = query.keys.keys() & {"SOPClassesInStudy", "SOPClassUID"}
            try:
                found = [match[keyword] async for match in self.find_level(peer, query)]
            except PacsFault as fault:
                _log.info("which SOP classes to ask for is not known: %s", fault.message)
                continue
            classes = [name for value in dict.fromkeys(found) for name in value.split("\\") if name]
            if classes:
                return classes
        return []

    async def _turn_for_query(self, peer: Peer) -> tuple[Callable[[], None], float]:
        """A turn, and how many seconds are then left of a query's. Raises: PeerTimeout: none came free in time."""
        loop = asyncio.get_running_loop()
        seconds = self._settings.pacs_query_seconds
        deadline = loop.time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                release = await self._turns.take((peer.host, peer.port), limit=peer.max_associations)
        except TimeoutError:
            raise PeerTimeout(
                f"All associations that the PACS may have with us were in use for {seconds:g} s. Try again later."
            ) from None
        return release, deadline - loop.time()

    async def _turn_for_retrieve(self, peer: Peer) -> Callable[[], None]:
        return await self._turns.take((peer.host, peer.port), is_retrieve=True, limit=peer.max_associations)


def _in_turn(requests: Sequence[dict[str, str]], retrieve: Callable[[dict[str, str]], MoveOutcome]) -> MoveOutcome:
    """Request after request on one association, until one is cancelled or refused."""
    first, *others = requests
    outcome = latest = retrieve(first)
    for keys in others:
        # Of all together the status is that of the first failure, which may have come before the cancelling.
        if latest.is_cancelled or outcome.refuses_request:
            break
        latest = retrieve(keys)
        outcome = outcome.plus(latest)
    return outcome
