"""One series in one attempt of a job: ask what there is, look what is here, move what is missing, look again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from pfdcmd.edge.retrieve.search import find_instances
from pfdcmd.edge.retrieve.site import JobSite
from pfdcmd.errors import PacsFault, StorageFault
from pfdcmd.pacs.outcome import MoveOutcome, outcome_of_fault
from pfdcmd.pacs.peer import Peer
from pfdcmd.pacs.selection import Selection
from pfdcmd.retrieve.batches import next_selections
from pfdcmd.retrieve.evidence import SeriesEvidence, sub_operations
from pfdcmd.retrieve.policy import RetrievePolicy

_SETTLE_POLL_SECONDS = 0.1
# C000 to CFFF: PS3.4 Table C.4-2.
_UNABLE_TO_PROCESS = 0xC000


@dataclass
class Errand:
    """One attempt's dealings with one PACS about one study; what its series learn of the PACS, they share.

    study_images: how many images of the study have come by the PACS's count, before it is the series' turn;
    sent_as_counted: the series of which the PACS then set out to send as many as it counts; doubtful: the series for
    which IMAGE level has failed once, of the whole job: "unable to process" may mean that the level is refused, or that
    the listener could not be reached for a moment.
    """

    pacs: str
    peer: Peer
    policy: RetrievePolicy
    study: str
    is_forced: bool
    is_image_level_refused: bool = False
    study_images: int = 0
    sent_as_counted: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)


class SeriesErrand:
    """The errand for one series."""

    def __init__(self, site: JobSite, errand: Errand, series: str, counted: int | None) -> None:
        self._site = site
        self._errand = errand
        self._series = series
        self._evidence = SeriesEvidence(series, counted=counted)

    async def run(self, begun: Callable[[Iterable[SeriesEvidence]], None]) -> SeriesEvidence:
        """Do it when it is the series' turn; begun is told what there is before anything is moved."""
        limit = self._errand.policy.max_associations
        lanes = self._site.lanes
        # Two jobs may want the same series: the second finds what the first has brought.
        async with lanes.turn(("series", self._series), 1), lanes.turn(("pacs", self._errand.pacs), limit):
            try:
                await self._learn()
                begun([self._evidence])
                await self._move()
            except PacsFault as fault:
                self._add(outcome_of_fault(fault))
            except StorageFault as fault:
                self._evidence = replace(self._evidence, faults=(*self._evidence.faults, fault.message))
        return self._evidence

    async def learn(self) -> SeriesEvidence:
        """What there is, without moving anything. Raises: PacsFault, StorageFault."""
        await self._learn()
        return self._evidence

    async def _learn(self) -> None:
        errand, ledger = self._errand, self._site.ledger
        if self._series in errand.sent_as_counted and self._evidence.counted and await self._came_with_the_study():
            return
        listed = await find_instances(self._site.pacs, errand.peer, errand.study, self._series)
        if listed:
            await ledger.note_listed(errand.study, self._series, listed)
        await ledger.note_counts(errand.study, self._series, counted=self._evidence.counted, moved=None)
        is_ours = await ledger.knows_destination(errand.peer.move_destination) or errand.peer.prefers_get
        self._evidence = replace(self._evidence, listed=listed, needs_move=errand.is_forced or not is_ours)
        await self._look()

    async def _came_with_the_study(self) -> bool:
        """Whether as many images are here as the PACS counts, so that it need not list them."""
        counted = self._evidence.counted
        await self._site.ledger.note_counts(self._errand.study, self._series, counted=counted, moved=None)
        await self._look()
        return len(self._evidence.present) == counted

    async def _look(self) -> None:
        ledger, series = self._site.ledger, self._series
        await self._site.look(series)
        record = await ledger.record(series)
        self._evidence = replace(
            self._evidence,
            present=await ledger.present(series),
            size_bytes=record.size_bytes if record else 0,
            troubles=await ledger.troubles(series),
        )

    async def _move(self) -> None:
        had = self._evidence.present
        for selection in self._selections():
            outcome = await self._retrieve(selection)
            if selection.instances and self._refuses_image_level(outcome):
                self._errand.is_image_level_refused = True
                outcome = await self._retrieve(Selection(self._errand.study, self._series))
                self._add(outcome)
                break
            self._add(outcome)
            if outcome.status is None and not outcome.is_success:
                break  # the PACS cannot be reached any more
        if not self._evidence.outcomes:
            return
        await self._settle()
        await self._look()
        if self._evidence.present - had:
            await self._site.ledger.note_destination(self._errand.peer.move_destination)

    def _refuses_image_level(self, outcome: MoveOutcome) -> bool:
        """Whether that is what the PACS means; when it may be something else, it is asked once more."""
        if not outcome.refuses_request:
            return False
        is_sure = (outcome.status or 0) & 0xF000 != _UNABLE_TO_PROCESS or self._series in self._errand.doubtful
        self._errand.doubtful.add(self._series)
        return is_sure

    def _selections(self) -> list[Selection]:
        policy = self._errand.policy
        return list(
            next_selections(
                self._errand.study,
                self._evidence,
                batch_size=policy.batch_size(self._site.settings.retrieve_batch_images),
                is_paced=policy.images_per_second is not None,
                is_image_level_refused=self._errand.is_image_level_refused,
            )
        )

    async def _retrieve(self, selection: Selection) -> MoveOutcome:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        delivery = self._site.delivery(self._errand.peer)
        outcome = await self._site.pacs.retrieve(self._errand.peer, selection, deliver_to=delivery)
        total = sub_operations(outcome)
        if total is not None and not selection.instances and outcome.status is not None:
            self._evidence = replace(self._evidence, moved=total)
            await self._site.ledger.note_counts(self._errand.study, self._series, counted=None, moved=total)
        images = len(selection.instances) or total or 0
        await asyncio.sleep(max(self._errand.policy.least_seconds(images) - (loop.time() - begun), 0))
        return outcome

    def _add(self, outcome: MoveOutcome) -> None:
        self._evidence = replace(self._evidence, outcomes=(*self._evidence.outcomes, outcome))

    async def _settle(self) -> None:
        """Give images that are on their way the time to arrive: some PACSs answer before they have sent them."""
        ledger, loop = self._site.ledger, asyncio.get_running_loop()
        failed = sum(outcome.counts.failed or 0 for outcome in self._evidence.outcomes)
        present = -1
        deadline = 0.0
        while True:
            await ledger.catch_up()
            record = await ledger.record(self._series)
            if record is None or record.missing <= failed:
                return
            if record.present != present:
                present, deadline = record.present, loop.time() + self._site.settings.retrieve_settle_seconds
            if loop.time() >= deadline:
                return
            await asyncio.sleep(_SETTLE_POLL_SECONDS)
