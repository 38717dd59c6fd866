"""The verdict on a retrieve: complete only if every expected image is on disk; otherwise which are not, and why.

What the PACS said of its own success counts as evidence, never as the verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pfdcmd.pacs.outcome import MoveOutcome
from pfdcmd.retrieve.evidence import SeriesEvidence, sub_operations
from pfdcmd.retrieve.job import JobState, SeriesProgress
from pfdcmd.retrieve.jobjson import MAX_MISSING_INSTANCES, missing_count

_SUCCESS = 0x0000
_MAX_REASONS = 10


@dataclass(frozen=True)
class StudyCounts:
    """NumberOfStudyRelatedSeries and NumberOfStudyRelatedInstances; None where the PACS gave no number."""

    series: int | None = None
    instances: int | None = None


def judge_series(evidence: SeriesEvidence, *, is_cancelled: bool = False) -> SeriesProgress:
    """The verdict on one series; its reasons are there whenever something was not as it should be."""
    missing = evidence.missing_count
    is_here = evidence.expected not in (None, 0) and missing == 0
    if is_here and not _elsewhere(evidence):
        state = JobState.COMPLETE
    elif is_cancelled:
        state = JobState.CANCELLED
    else:
        state = JobState.PARTIAL if evidence.present and not _elsewhere(evidence) else JobState.FAILED
    expected = evidence.expected
    return SeriesProgress(
        series=evidence.series,
        state=state,
        expected=expected,
        received=len(evidence.present) if expected is None else expected - missing,
        missing=tuple(sorted(evidence.missing)[:MAX_MISSING_INSTANCES]),
        reasons=tuple(_reasons(evidence, is_complete=state is JobState.COMPLETE)[:_MAX_REASONS]),
        size_bytes=evidence.size_bytes,
    )


def is_worth_another_attempt(evidence: SeriesEvidence) -> bool:
    """Whether asking again may bring what is missing: not what the PACS neither lists, counts nor sends."""
    if not evidence.missing_count:
        return evidence.expected is None and not _last_succeeded(evidence)
    return not _elsewhere(evidence)


def judge_job(
    series: Sequence[SeriesProgress],
    study: StudyCounts,
    *,
    present: int = 0,
    is_cancelled: bool = False,
    fault: str = "",
) -> tuple[JobState, str]:
    """The verdict on a whole retrieve and one sentence for people.

    Args: study: of a retrieve of a whole study; present: how many images of it are on disk, expected or not;
          fault: why the PACS could not be asked at all.
    """
    shortfall = _shortfall(series, study, present)
    state = _job_state(series, is_short=bool(shortfall or fault), is_cancelled=is_cancelled)
    return state, _sentence(state, series, shortfall or fault)


def _job_state(series: Sequence[SeriesProgress], *, is_short: bool, is_cancelled: bool) -> JobState:
    if series and not is_short and all(one.state is JobState.COMPLETE for one in series):
        return JobState.COMPLETE
    if is_cancelled:
        return JobState.CANCELLED
    is_anything_here = any(one.state in (JobState.COMPLETE, JobState.PARTIAL) for one in series)
    return JobState.PARTIAL if is_anything_here else JobState.FAILED


def _sentence(state: JobState, series: Sequence[SeriesProgress], shortfall: str) -> str:
    received = sum(one.received for one in series)
    missing = sum(missing_count(one) for one in series)
    where = f"of {len(series)} series"
    if state is JobState.COMPLETE:
        return f"All {received} images {where} are here."
    begin = "Cancelled: " if state is JobState.CANCELLED else ""
    reason = shortfall or next((text for one in series if one.state is not state.COMPLETE for text in one.reasons), "")
    if missing:
        short = sum(one.state is not JobState.COMPLETE for one in series)
        told = f"{received} of {received + missing} images are here, {missing} are missing in {short} {where}"
    else:
        told = f"{received} images {where} are here" if received else "no image is here"
    text = f"{begin}{told}{f': {reason}' if reason else '.'}"
    return text[0].upper() + text[1:]


def _shortfall(series: Sequence[SeriesProgress], study: StudyCounts, present: int) -> str:
    """Why the series found cannot be the whole study; empty when they may be."""
    if study.series is not None and study.series > len(series):
        return f"The PACS disagrees with itself: it counts {study.series} series in the study and lists {len(series)}."
    expected = sum(one.expected or 0 for one in series)
    if study.instances is not None and study.instances > max(expected, present):
        return f"The PACS disagrees with itself: it counts {study.instances} images in the study and lists {expected}."
    return ""


def _elsewhere(evidence: SeriesEvidence) -> bool:
    """Whether what is here came another time or way: the PACS failed to send what had to be sent."""
    return bool(evidence.needs_move and evidence.outcomes and not _last_succeeded(evidence))


def _last_succeeded(evidence: SeriesEvidence) -> bool:
    return bool(evidence.outcomes) and evidence.outcomes[-1].is_success


def _reasons(evidence: SeriesEvidence, *, is_complete: bool) -> list[str]:
    reasons = []
    numbers = evidence.numbers
    if not evidence.moved:
        # Of a move that was refused the PACS counts none: no word on how many images there are.
        numbers.pop("sent", None)
    if len(set(numbers.values())) > 1:
        told = " and ".join(f"{verb} {number}" for verb, number in numbers.items())
        reasons.append(f"The PACS disagrees with itself: of this series it {told} images.")
    if is_complete:
        return reasons
    reasons += _troubles(evidence)
    failed = {uid for outcome in evidence.outcomes for uid in outcome.failed_instances} & evidence.missing
    if failed:
        reasons.append(f"The PACS named {len(failed)} of the missing images as failed.")
    if evidence.outcomes:
        reasons.append(_of_outcome(evidence.outcomes[-1], evidence))
    if evidence.listed is not None and not evidence.expected:
        reasons.append("The PACS lists no image of this series.")
    if evidence.expected is None and not evidence.faults:
        reasons.append("The PACS did not say how many images the series has.")
    return list(dict.fromkeys([*reasons, *evidence.faults]))


def _troubles(evidence: SeriesEvidence) -> list[str]:
    """What the listener had against missing images; one that cannot be named may be any."""
    counts = Counter(
        text for uid, text in evidence.troubles.items() if uid in evidence.missing or uid not in evidence.present
    )
    return [f"The listener did not file {number}: {text}." for text, number in counts.most_common(3)]


def _of_outcome(outcome: MoveOutcome, evidence: SeriesEvidence) -> str:
    total = _total(outcome)
    if outcome.counts.failed:
        status = f" with status 0x{outcome.status:04X}" if outcome.status is not None else ""
        return f"The PACS answered{status} that {outcome.counts.failed} of {total} images were not sent."
    if outcome.status == _SUCCESS and not (outcome.counts.completed or outcome.counts.warning):
        return "The PACS answered success, but sent no image."
    if not outcome.is_success:
        return " ".join(line.removeprefix("W: ").removeprefix("F: ") for line in outcome.error.splitlines())
    if not evidence.present:
        return f"The PACS says that it sent {total} images, but none arrived: does its move destination name this host?"
    return f"The PACS says that it sent {total} images, but not all of the missing ones arrived."


def _total(outcome: MoveOutcome) -> str:
    total = sub_operations(outcome)
    return "all" if total is None else str(total)
