"""`python -m tests.bench.ingest`: how long until every image is filed, pfdcm's listener beside its peers.

"nothing kept" (ours) and "storescp --ignore" (DCMTK's) answer and file nothing: the sender's own time, under which no
receiver can come.
The floor is the same bytes over loopback into as many files with the same fsyncs (tests/bench/floor.py).
"""

from __future__ import annotations

import argparse
import functools
import json
import platform
import sys
import tempfile
from pathlib import Path

from tests.bench import senders
from tests.bench.rounds import OURS, WRITTEN, Row, run_row
from tests.bench.table import ratios, render, spread
from tests.bench.workloads import Workload, make

NO_DELAY = {"TCP_NODELAY": "1"}
SENDERS_OWN = "nothing kept"
EVERYONE = ("storescp", "Orthanc", "pynetdicom storescp")
IGNORED = "storescp --ignore"
FORKED = ("storescp --fork --ignore", "storescp --fork")
FLOORS = ("floor durable", "floor written")

AT_ONCE = functools.partial(senders.storescu_at_once, associations=64)
LEAN_16K, PREPARE_16K = senders.lean_small_pdus, senders.encode_in_small_pdus
ALIKE = (OURS, WRITTEN, SENDERS_OWN, "storescp")
PREPARE = senders.encode_beforehand
CROWD = functools.partial(senders.storescu_at_once, associations=256)

ROWS = (
    Row("small, storescu", "small", senders.storescu, {}, (OURS, *EVERYONE, "original (xinetd)"), is_slow=True),
    Row("small, dcmsend", "small", senders.dcmsend, {}, (OURS, "storescp"), is_slow=True),
    Row(
        "small, storescu, no delay",
        "small",
        senders.storescu,
        NO_DELAY,
        (OURS, WRITTEN, SENDERS_OWN, IGNORED, *EVERYONE),
    ),
    Row("small, dcmsend, no delay", "small", senders.dcmsend, NO_DELAY, (OURS, "storescp")),
    Row(
        "ct512, storescu, no delay",
        "ct512",
        senders.storescu,
        NO_DELAY,
        (OURS, WRITTEN, SENDERS_OWN, IGNORED, *EVERYONE),
    ),
    Row("64 x 20 small, no delay", "crowd64", AT_ONCE, NO_DELAY, (OURS, SENDERS_OWN, *FORKED, "Orthanc")),
    Row("256 x 4 small", "crowd256", CROWD, {}, (OURS,)),
    Row("4 x 256 MB, no delay", "huge", senders.storescu, NO_DELAY, (OURS, "storescp")),
    Row("small, lean in 16 kB PDUs", "small", LEAN_16K, NO_DELAY, ALIKE, prepare=PREPARE_16K),
    Row("ct512, lean in 16 kB PDUs", "ct512", LEAN_16K, NO_DELAY, ALIKE, prepare=PREPARE_16K),
    Row("small, lean sender", "small", senders.lean, {}, (OURS, WRITTEN, *FLOORS), prepare=PREPARE),
    Row("ct512, lean sender", "ct512", senders.lean, {}, (OURS, WRITTEN, *FLOORS), prepare=PREPARE),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ingest", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of every row (default 5)")
    parser.add_argument("--slow-rounds", type=int, default=1, help="rounds of the rows that take minutes (default 1)")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the rows whose name holds TEXT")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to FILE as well")
    arguments = parser.parse_args()
    rows = [row for row in ROWS if arguments.only in row.name]
    if not rows:
        parser.error(f"no row has {arguments.only!r} in its name: {', '.join(row.name for row in ROWS)}")
    lines, figures = [], {}
    with tempfile.TemporaryDirectory(prefix="pfdcm-bench-") as name:
        workloads = make_workloads(Path(name), {row.workload for row in rows})
        for row in rows:
            rounds = arguments.slow_rounds if row.is_slow else arguments.rounds
            result = run_row(row, workloads[row.workload], Path(name), rounds, _say)
            figures[row.name] = {"seconds": result.seconds, "peak_rss_bytes": result.peak_rss_bytes}
            for receiver, seconds in result.seconds.items():
                times = ratios(seconds, result.seconds[_ours(receiver)])
                rss = max(result.peak_rss_bytes[receiver]) / 2**20
                lines.append([row.name, receiver, spread(seconds, " s"), spread(times), f"{rss:.0f} MiB"])
    print(f"{platform.platform()}, Python {platform.python_version()}; medians (min-max)")
    print(render(["workload, sender", "receiver", "seconds", "times ours", "peak RSS"], lines))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))
    return 0


def make_workloads(directory: Path, names: set[str]) -> dict[str, Workload]:
    sizes = {
        "small": {"count": 1000, "rows": 64},
        "ct512": {"count": 400, "rows": 512},
        "crowd64": {"count": 64 * 20, "rows": 64},
        "crowd256": {"count": 256 * 4, "rows": 64},
        "huge": {"count": 4, "rows": 1024, "frames": 128},
    }
    return {name: make(directory / name, name, **sizes[name]) for name in names}


def _ours(receiver: str) -> str:
    """What a receiver is compared with: the floor without fsync with the listener without."""
    return WRITTEN if receiver in (WRITTEN, "floor written") else OURS


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
