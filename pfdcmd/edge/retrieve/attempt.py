"""One attempt of a job: the whole study or some series of it, as far as the PACS lets it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pfdcmd.edge.retrieve.search import Found, find_series, find_study_of
from pfdcmd.edge.retrieve.series import Errand, SeriesErrand
from pfdcmd.edge.retrieve.site import JobSite
from pfdcmd.errors import PacsFault, ParameterFault, PeerConfigurationFault, PeerFailed, StorageFault
from pfdcmd.pacs.outcome import RETURNCODE_FAILED, MoveCounts, MoveOutcome, outcome_of_fault
from pfdcmd.pacs.selection import Selection
from pfdcmd.retrieve.batches import even_shares
from pfdcmd.retrieve.estimate import Rates
from pfdcmd.retrieve.evidence import SeriesEvidence, sub_operations
from pfdcmd.retrieve.job import RetrieveRequest
from pfdcmd.retrieve.verdict import StudyCounts, is_worth_another_attempt

# More of them side by side bring nothing: two already have the disk wait for nobody.
_MOST_LANES = 4


@dataclass(frozen=True)
class AttemptResult:
    """study: the one that was asked, when known; fault: why the PACS could not be asked; outcome: of it in the words of
    movescu; is_final: whether asking again is of no use."""

    study: str | None = None
    series: tuple[SeriesEvidence, ...] = ()
    counts: StudyCounts = field(default_factory=StudyCounts)
    fault: str = ""
    outcome: MoveOutcome | None = None
    is_final: bool = False

    @property
    def failure(self) -> MoveOutcome | None:
        """The last thing that the PACS did not do; None when it said that it did all."""
        failed = [outcome for one in self.series for outcome in one.outcomes[-1:] if not outcome.is_success]
        return self.outcome or (failed[-1] if failed else None)


async def attempt(
    site: JobSite,
    request: RetrieveRequest,
    *,
    begun: Callable[[Iterable[SeriesEvidence]], None],
    only: Sequence[str] = (),
    doubtful: set[str] | None = None,
) -> AttemptResult:
    """Ask, move and look, once.

    Args: begun: told of series before anything of it is moved; only: of a later attempt, the series to go on with;
          doubtful: what attempts before this one have left there (see Errand).
    """
    study = request.study
    try:
        peer, policy = site.peer(request.pacs)
        if study is None:
            study = await find_study_of(site.pacs, peer, request.series[0])
        found = await find_series(site.pacs, peer, study, request.series)
    except ParameterFault as fault:
        outcome = MoveOutcome(error=f"F: {fault.message}\n", returncode=RETURNCODE_FAILED)
        return AttemptResult(study, fault=fault.message, outcome=outcome)
    except PacsFault as fault:
        is_final = isinstance(fault, PeerFailed | PeerConfigurationFault)
        return AttemptResult(study, fault=fault.message, outcome=outcome_of_fault(fault), is_final=is_final)
    errand = Errand(request.pacs, peer, policy, study, request.is_forced)
    if doubtful is not None:
        errand.doubtful = doubtful
    loop = asyncio.get_running_loop()
    begin = loop.time()
    if not request.series and not only:
        await _retrieve_at_once(site, errand, found, begun)
    hidden = await _retrieve_hidden(site, errand, found) if not request.series else []
    chosen = frozenset(only)
    wanted = [uid for uid in request.series or (*found.series, *hidden) if not only or uid in chosen]
    evidence = await _retrieve_each(site, errand, found, wanted, begun)
    await _note_rate(site, errand, evidence, loop.time() - begin)
    if not wanted and not only:
        return _nothing_found(study, found)
    is_final = not any(map(is_worth_another_attempt, evidence))
    return AttemptResult(study, tuple(evidence), found.study, is_final=is_final)


async def _retrieve_at_once(
    site: JobSite, errand: Errand, found: Found, begun: Callable[[Iterable[SeriesEvidence]], None]
) -> None:
    """Move a study of which nothing is here, when it has more series than may come side by side: a few associations,
    each with the C-MOVEs of its share of the series one after the other.

    So a series costs neither an association nor a query of its own, and images that are made durable side by side wait
    for the disk together. What that leaves out, or what a PACS did not count, is then found series by series.
    """
    policy = errand.policy
    if len(found.series) <= policy.max_associations or errand.is_forced or policy.images_per_second:
        return
    try:
        await asyncio.gather(*map(site.look, found.series))
    except StorageFault:
        return  # of a series that cannot be looked at, which is no reason to do without the others
    # By their series too: a ledger that was made again from the files does not know which study they are of.
    if await site.ledger.series_of_study(errand.study) or any([await _is_here(site, uid) for uid in found.series]):
        return
    begun([SeriesEvidence(uid, counted=counted) for uid, counted in found.series.items()])

    async def move(share: Sequence[str]) -> int:
        async with contextlib.AsyncExitStack() as turns:
            # Everybody takes the series' turns in this order, and the PACS's last: nobody waits for one who waits.
            for uid in sorted(share):
                await turns.enter_async_context(site.lanes.turn(("series", uid), 1))
            share = [uid for uid in share if not await _is_here(site, uid)]
            if not share:
                return 0
            await turns.enter_async_context(site.lanes.turn(("pacs", errand.pacs), policy.max_associations))
            selections = [Selection(errand.study, uid) for uid in share]
            outcome = await site.pacs.retrieve(errand.peer, *selections, deliver_to=site.delivery(errand.peer))
        # A PACS to which images still come counts fewer than it then sends: its counts are no word on what is missing.
        if sub_operations(outcome) == sum(found.series[uid] or 0 for uid in share):
            errand.sent_as_counted.update(share)
        return outcome.counts.completed or 0

    async with asyncio.TaskGroup() as group:
        lanes = min(policy.max_associations, _MOST_LANES)
        moves = [group.create_task(move(share)) for share in even_shares(found.series, lanes)]
    await site.ledger.catch_up()
    errand.study_images = sum(one.result() for one in moves)


async def _is_here(site: JobSite, series: str) -> bool:
    """Whether any image of it is."""
    record = await site.ledger.record(series)
    return record is not None and record.present > 0


async def _retrieve_each(
    site: JobSite,
    errand: Errand,
    found: Found,
    wanted: Sequence[str],
    begun: Callable[[Iterable[SeriesEvidence]], None],
) -> list[SeriesEvidence]:
    """The series side by side, but no more of one job than the PACS takes at once: others want their turn too."""
    own = asyncio.Semaphore(errand.policy.max_associations)

    async def one(uid: str) -> SeriesEvidence:
        async with own:
            return await SeriesErrand(site, errand, uid, found.series.get(uid)).run(begun)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(uid)) for uid in wanted]
    return [task.result() for task in tasks]


async def _retrieve_hidden(site: JobSite, errand: Errand, found: Found) -> list[str]:
    """The series of a PACS that counts more of them than it lists, which only a move of the whole study brings."""

    async def unlisted() -> list[str]:
        return [uid for uid in await site.ledger.series_of_study(errand.study) if uid not in found.series]

    count = found.study.series
    if count is None or len(found.series) >= count:
        return []
    hidden = await unlisted()
    if len(found.series) + len(hidden) < count:
        delivery = site.delivery(errand.peer)
        await site.pacs.retrieve(errand.peer, Selection(errand.study), deliver_to=delivery)
        await site.ledger.catch_up()
        hidden = await unlisted()
    return hidden


async def _note_rate(site: JobSite, errand: Errand, evidence: Sequence[SeriesEvidence], seconds: float) -> None:
    by_series = sum(outcome.counts.completed or 0 for one in evidence for outcome in one.outcomes)
    images = errand.study_images + by_series
    present = sum(len(one.present) for one in evidence)
    if images and present:
        size_bytes = sum(one.size_bytes for one in evidence) * images // present
        await site.ledger.note_rate(errand.pacs, Rates(images, size_bytes, seconds))


def _nothing_found(study: str, found: Found) -> AttemptResult:
    text = "The PACS lists no series of this study." if found.is_known else "The PACS knows no such study."
    outcome = MoveOutcome(error=f"F: {text}\n", returncode=RETURNCODE_FAILED, counts=MoveCounts())
    return AttemptResult(study, counts=found.study, fault=text, outcome=outcome, is_final=True)
