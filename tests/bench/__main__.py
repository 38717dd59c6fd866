"""`python -m tests.bench`: run benchmarks and print their tables. See --help."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from pathlib import Path

from tests.bench import ingest
from tests.bench.table import ratios, render, spread


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Time pfdcm beside its peers, interleaved in one run, and print seconds and ratios.",
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of every row (default 5)")
    parser.add_argument("--slow-rounds", type=int, default=1, help="rounds of the rows that take minutes (default 1)")
    parser.add_argument("--only", metavar="TEXT", help="only the rows whose name holds TEXT")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to FILE as well")
    arguments = parser.parse_args()
    rows = [row for row in ingest.rows() if not arguments.only or arguments.only in row.name]
    if not rows:
        parser.error(f"no row has {arguments.only!r} in its name: {', '.join(r.name for r in ingest.rows())}")
    lines, figures = [], {}
    with tempfile.TemporaryDirectory(prefix="pfdcm-bench-") as name:
        directory = Path(name)
        workloads = ingest.make_workloads(directory)
        for row in rows:
            rounds = arguments.slow_rounds if row.slow else arguments.rounds
            result = ingest.run_row(row, workloads[row.workload], directory, rounds, _say)
            figures[row.name] = {"seconds": result.seconds, "peak_rss_bytes": result.peak_rss_bytes}
            for receiver, seconds in result.seconds.items():
                ours = result.seconds[_ours(receiver)]
                rss = max(result.peak_rss_bytes[receiver]) / 2**20
                lines.append(
                    [row.name, receiver, spread(seconds, " s"), spread(ratios(seconds, ours)), f"{rss:.0f} MiB"]
                )
    print(f"{platform.platform()}, Python {platform.python_version()}; medians (min-max)")
    print(render(["workload, sender", "receiver", "seconds", "times ours", "peak RSS"], lines))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))
    return 0


def _ours(receiver: str) -> str:
    return ingest.WRITTEN if receiver in (ingest.WRITTEN, "floor written") else ingest.OURS


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
