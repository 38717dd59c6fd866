"""admission.jsonl: the audit of a service's door, one JSON object for each connection when it is over.

{"time": ISO 8601, "what": "admission", "outcome": "admitted" | "refused", "service", "address": the peer's,
 "calling", "called": AE titles as far as they were told, "reason": why it was refused, else how it ended,
 "images", "bytes", "images_refused", "seconds"}

It stands beside listen.run.log and is kept as that is: what `log_on_success` and `log_on_failure` leave out is here.
"""

from __future__ import annotations

import json
from datetime import datetime

from listener.runlog import printable

ADMISSION_LOG = "admission.jsonl"


def format_admission(
    *,
    now: datetime,
    service: str,
    address: str,
    is_admitted: bool,
    reason: str,
    calling_ae: str = "",
    called_ae: str = "",
    images: int = 0,
    size_bytes: int = 0,
    images_refused: int = 0,
    seconds: float = 0.0,
) -> str:
    """One line. No patients' data: titles and addresses alone are the peer's own words, and made printable."""
    entry = {
        "time": now.isoformat(timespec="milliseconds"),
        "what": "admission",
        "outcome": "admitted" if is_admitted else "refused",
        "service": printable(service),
        "address": printable(address),
        "calling": printable(calling_ae),
        "called": printable(called_ae),
        "reason": printable(reason),
        "images": images,
        "bytes": size_bytes,
        "images_refused": images_refused,
        "seconds": round(seconds, 3),
    }
    return json.dumps(entry) + "\n"
