"""`python -m tests.bench.ledger`: what the ledger costs the listener, with and without it in turn.

With: workers write receipts, and a process beside them takes these into the ledger as pfdcm does. Four senders
(storescu, TCP_NODELAY=1) share the images of four series; the clock stops when the last of them is done.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from listenerprocess import running_workers
from studyimages import save, study_images

from tests.bench.table import spread

SENDERS = 4
# As often as pfdcm looks while a job is under way.
_TAIL = """
import asyncio, pathlib, sys
from pfdcmd.edge.retrieve.ledger import SqliteLedger

async def main():
    ledger = SqliteLedger(pathlib.Path(sys.argv[1]))
    while True:
        await ledger.catch_up()
        await asyncio.sleep(0.5)

asyncio.run(main())
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ledger", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each (default 5)")
    parser.add_argument("--images", type=int, default=400, help="images of each of four series (default 400)")
    arguments = parser.parse_args()
    without: list[float] = []
    with_ledger: list[float] = []
    with tempfile.TemporaryDirectory(prefix="pfdcm-bench-") as name:
        directory = Path(name)
        for series in range(1, SENDERS + 1):
            images = [one for one in study_images(series=series, images=arguments.images) if one.SeriesNumber == series]
            save(images, directory / f"images{series}")
        for number in range(arguments.rounds):
            without.append(_round(directory / f"without{number}", directory, has_ledger=False))
            with_ledger.append(_round(directory / f"with{number}", directory, has_ledger=True))
    images = SENDERS * arguments.images
    ratio = [mine / bare for mine, bare in zip(with_ledger, without, strict=True)]
    print(f"{platform.platform()}, Python {platform.python_version()}; {images} images a round, durable")
    print(f"without {spread(without, ' s')}, with {spread(with_ledger, ' s')}")
    print(f"with / without, round by round {spread(ratio)}: {(statistics.median(ratio) - 1) * 100:+.1f} %")
    return 0


def _round(root: Path, images: Path, *, has_ledger: bool) -> float:
    state = root / "state"
    (state / "receipts").mkdir(parents=True)
    config = {"receipts_dir": str(state / "receipts")} if has_ledger else {}
    tail = subprocess.Popen([sys.executable, "-c", _TAIL, str(state)]) if has_ledger else None
    try:
        with running_workers(root, 2, service="main", **config) as workers:
            start = time.perf_counter()
            senders = [
                subprocess.Popen(
                    ["storescu", "+sd", "127.0.0.1", str(workers.port), str(images / f"images{series}")],
                    env={**os.environ, "TCP_NODELAY": "1"},
                )
                for series in range(1, SENDERS + 1)
            ]
            ended = [sender.wait() for sender in senders]
            if any(ended):
                raise RuntimeError("storescu failed")
            seconds = time.perf_counter() - start
    finally:
        if tail is not None:
            tail.terminate()
            tail.wait()
    shutil.rmtree(root)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
