"""The plan of a retrieve: what would be moved, what is here, how many bytes and how long, by what has been seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pfdcmd.retrieve.evidence import SeriesEvidence
from pfdcmd.retrieve.job import RetrieveRequest
from pfdcmd.retrieve.jobjson import MAX_MISSING_INSTANCES
from pfdcmd.retrieve.policy import RetrievePolicy


@dataclass(frozen=True)
class Rates:
    """What retrieves from one PACS have brought so far, and in how many seconds of moving."""

    images: int = 0
    size_bytes: int = 0
    seconds: float = 0.0


def plan_json(
    request: RetrieveRequest, study: str, series: Sequence[SeriesEvidence], rates: Rates, policy: RetrievePolicy
) -> dict[str, Any]:
    """What a job would move. `bytes` and `seconds` are null as long as nothing has come from this PACS."""
    rows = [_row(one) for one in series]
    images = sum(row["move"] for row in rows)
    seconds = images * rates.seconds / rates.images if rates.images else None
    return {
        "pacs": request.pacs,
        "study": study,
        "images": images,
        "here": sum(row["here"] for row in rows),
        "bytes": round(images * rates.size_bytes / rates.images) if rates.images else None,
        "seconds": None if seconds is None else round(max(seconds, policy.least_seconds(images)), 3),
        "series": rows,
    }


def _row(evidence: SeriesEvidence) -> dict[str, Any]:
    expected = evidence.expected
    return {
        "series": evidence.series,
        "expected": expected,
        "here": len(evidence.present),
        "move": (expected or 0) if evidence.needs_move else evidence.missing_count,
        "missing_instances": sorted(evidence.missing)[:MAX_MISSING_INSTANCES],
    }
