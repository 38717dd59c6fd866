"""`python -m tests.bench.ledger`: what the ledger costs the listener, with and without it in turn.

With: workers write receipts, and a process beside them takes these into the ledger as pfdcm does while a job is under
way. Four senders at once, each with the images of a series of its own; the clock stops when the last of them is done.

A round is both, one right after the other, and the next round the other way about: what the disk or others do to both
falls out of the ratio. The answer is the median of the ratios, with its 90 % interval by resampling; the seconds of
computing that the workers and the ledger took are told too, for they differ far less from round to round.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import multiprocessing
import os
import platform
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from listenerprocess import running_workers

from pfdcmd.edge.retrieve.ledger import FILE_NAME
from tests.bench import lean, senders
from tests.bench.table import spread
from tests.bench.workloads import Workload, make

HOST = "127.0.0.1"
SENDERS = 4
_RESAMPLED = 2_000
_ROWS = 64
# As often as pfdcm looks while a job is under way.
_TAIL = """
import asyncio, pathlib, sys
from pfdcmd.edge.retrieve.ledger import SqliteLedger

async def main():
    ledger = SqliteLedger(pathlib.Path(sys.argv[1]))
    await ledger.catch_up()
    print("ready", flush=True)
    while True:
        await ledger.catch_up()
        await asyncio.sleep(0.5)

asyncio.run(main())
"""
_NOTED_SECONDS = 60
# By which sends to the port of its argument.
Send = Callable[[int], None]


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds until the last image was answered, and seconds of computing until the ledger knew of all."""

    seconds: float
    workers_cpu: float
    ledger_cpu: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ledger", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="rounds of both (default 15)")
    parser.add_argument("--images", type=int, default=500, help="images of each of four series (default 500)")
    parser.add_argument("--sender", choices=("lean", "storescu"), default="lean", help="default lean, the quickest")
    arguments = parser.parse_args()
    without: list[Cost] = []
    with_ledger: list[Cost] = []
    # Nothing is removed until the end: ext4 makes files more slowly for seconds after many were deleted.
    with tempfile.TemporaryDirectory(prefix="pfdcm-bench-") as name:
        directory = Path(name)
        workloads = [
            make(directory / f"images{number}", f"ledger {number}", count=arguments.images, rows=_ROWS)
            for number in range(SENDERS)
        ]
        sends = _senders(arguments.sender, workloads)
        images = SENDERS * arguments.images
        for has_ledger in (False, True):
            _run(directory / f"unmeasured-{has_ledger}", sends, images, has_ledger=has_ledger)
        for number in range(arguments.rounds):
            for has_ledger in (False, True) if number % 2 else (True, False):
                cost = _run(directory / f"round{number}-{has_ledger}", sends, images, has_ledger=has_ledger)
                (with_ledger if has_ledger else without).append(cost)
                what = "with" if has_ledger else "without"
                print(
                    f"round {number + 1}/{arguments.rounds}: {what} {cost.seconds:.2f} s", file=sys.stderr, flush=True
                )
    print(
        f"{platform.platform()}, Python {platform.python_version()}; {images} images a run, durable, {arguments.sender}"
    )
    _report(without, with_ledger, images)
    return 0


def _report(without: Sequence[Cost], with_ledger: Sequence[Cost], images: int) -> None:
    ratios = [mine.seconds / bare.seconds for mine, bare in zip(with_ledger, without, strict=True)]
    low, high = _interval(ratios)
    seconds = [spread([cost.seconds for cost in costs], " s") for costs in (without, with_ledger)]
    print(f"without {seconds[0]}, with {seconds[1]}")
    print(f"with / without, round by round {spread(ratios)}: ", end="")
    print(f"{_percent(statistics.median(ratios))}, 90 % interval {_percent(low)} to {_percent(high)}")
    bare, mine = (statistics.median(cost.workers_cpu for cost in costs) / images for costs in (without, with_ledger))
    beside = statistics.median(cost.ledger_cpu for cost in with_ledger) / images
    print(f"computing, for each image: workers {bare * 1e6:.0f} us without, {mine * 1e6:.0f} us with; ", end="")
    print(f"the ledger beside them {beside * 1e6:.0f} us")


def _interval(ratios: Sequence[float]) -> tuple[float, float]:
    """In which nine of ten medians lie of as many ratios drawn from these."""
    drawn = random.Random(0)
    medians = sorted(statistics.median(drawn.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLED))
    return medians[_RESAMPLED // 20], medians[-_RESAMPLED // 20]


def _percent(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+.1f} %"


def _senders(name: str, workloads: Sequence[Workload]) -> list[Send]:
    """One for each workload; what can be done before the clock starts is done."""
    if name == "storescu":
        return [functools.partial(_storescu, workload) for workload in workloads]
    encoded = [lean.encode(map(lean.image_of_file, workload.files)) for workload in workloads]
    return [functools.partial(_lean, each) for each in encoded]


def _storescu(workload: Workload, port: int) -> None:
    senders.storescu(workload, port, {"TCP_NODELAY": "1"})


def _lean(encoded: lean.Encoded, port: int) -> None:
    lean.send(HOST, port, encoded)


def _run(root: Path, sends: Sequence[Send], images: int, *, has_ledger: bool) -> Cost:
    state = root / "state"
    (state / "receipts").mkdir(parents=True)
    config = {"receipts_dir": str(state / "receipts")} if has_ledger else {}
    with contextlib.ExitStack() as stack:
        workers = stack.enter_context(running_workers(root, 2, service="main", **config))
        processes = [psutil.Process(process.pid) for process in workers.processes]
        ledger = stack.enter_context(_ledger(state)) if has_ledger else None
        senders.echo_at_once(workers.port)
        fork = multiprocessing.get_context("fork")
        sending = [fork.Process(target=send, args=(workers.port,)) for send in sends]
        os.sync()
        workers_before, ledger_before = _computing(*processes), _computing(*filter(None, [ledger]))
        start = time.perf_counter()
        for process in sending:
            process.start()
        for process in sending:
            process.join()
        seconds = time.perf_counter() - start
        if any(process.exitcode for process in sending):
            raise RuntimeError("a sender failed")
        if ledger is not None:
            _wait_until_noted(state / FILE_NAME, images)
        workers_cpu = _computing(*processes) - workers_before
        return Cost(seconds, workers_cpu, _computing(*filter(None, [ledger])) - ledger_before)


@contextlib.contextmanager
def _ledger(state: Path) -> Iterator[psutil.Process]:
    """A process that takes receipts into the ledger; it has begun."""
    tail = subprocess.Popen([sys.executable, "-c", _TAIL, str(state)], stdout=subprocess.PIPE)
    with tail:
        try:
            if not tail.stdout or not tail.stdout.readline():
                raise RuntimeError("the ledger has not begun")
            yield psutil.Process(tail.pid)
        finally:
            tail.terminate()


def _wait_until_noted(file: Path, images: int) -> None:
    deadline = time.monotonic() + _NOTED_SECONDS
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        while db.execute("SELECT sum(present) FROM series").fetchone()[0] != images:
            if time.monotonic() > deadline:
                raise RuntimeError("the ledger does not know of every image")
            time.sleep(0.1)


def _computing(*processes: psutil.Process) -> float:
    """Seconds of computing so far, in user mode and in the kernel's."""
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system for each in times)


if __name__ == "__main__":
    sys.exit(main())
