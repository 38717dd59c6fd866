"""Which requests bring what is missing: a whole series, or batches of its instances at IMAGE level; and whose turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pfdcmd.pacs.selection import Selection
from pfdcmd.retrieve.evidence import SeriesEvidence


def next_selections(
    study: str,
    evidence: SeriesEvidence,
    *,
    batch_size: int,
    is_paced: bool = False,
    is_image_level_refused: bool = False,
) -> Iterator[Selection]:
    """The requests of one attempt at one series, in order; none when everything is here.

    The whole series is asked for when nothing of it is here, when images are missing that cannot be named, when the
    PACS refuses IMAGE level, or when the caller wants all of it again; a paced retrieve asks in batches even then.
    """
    whole = Selection(study=study, series=evidence.series)
    listed = evidence.listed or frozenset()
    wanted = listed if evidence.needs_move else evidence.missing
    if evidence.expected and not evidence.missing_count and not evidence.needs_move:
        return
    is_nameable = bool(wanted) and evidence.missing_count <= len(wanted)
    if is_image_level_refused or not is_nameable or (wanted == listed and not is_paced):
        yield whole
        return
    names = sorted(wanted)
    for start in range(0, len(names), batch_size):
        yield Selection(study=study, series=evidence.series, instances=tuple(names[start : start + batch_size]))


def even_shares(series: Mapping[str, int | None], count: int) -> list[list[str]]:
    """The series in at most so many shares of about as many images each; none is empty.

    Args: series: UID -> images that the PACS counts, None when it does not.
    """
    shares: list[list[str]] = [[] for _ in range(min(count, len(series)))]
    images = [0] * len(shares)
    for uid in sorted(series, key=lambda uid: -(series[uid] or 1)):
        least = images.index(min(images))
        shares[least].append(uid)
        images[least] += series[uid] or 1
    return shares
