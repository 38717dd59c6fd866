"""One row of the ingest benchmark: its receivers in turn, round by round, each run checked image by image.

A run starts a receiver afresh, sends a workload, and stops the clock when every image is under its final name (for
pfdcm and the original: and `series.info` is there). Then it checks that each image is there, whole, by its pixels.
"""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import floor, receivers, senders
from tests.bench.receivers import Receiver, Start
from tests.bench.workloads import Workload, digest

OURS = "pfdcm durable"
WRITTEN = "pfdcm written"
DONE_SECONDS = 600

RECEIVERS: dict[str, Start] = {
    OURS: functools.partial(receivers.pfdcm, ack="durable"),
    WRITTEN: functools.partial(receivers.pfdcm, ack="written"),
    "nothing kept": receivers.sink,
    "storescp": receivers.storescp,
    "storescp --fork": functools.partial(receivers.storescp, fork=True),
    "storescp --ignore": functools.partial(receivers.storescp, keeps=False),
    "storescp --fork --ignore": functools.partial(receivers.storescp, fork=True, keeps=False),
    "Orthanc": receivers.orthanc,
    "pynetdicom storescp": receivers.pynetdicom,
    "original (xinetd)": receivers.original,
}

Sender = Callable[[Workload, int, Mapping[str, str]], None]


@dataclass(frozen=True)
class Row:
    """One line of the table: a workload, a sender and its environment, and who receives."""

    name: str
    workload: str
    send: Sender
    environ: Mapping[str, str]
    against: tuple[str, ...]
    is_slow: bool = False
    prepare: Callable[[Workload], object] | None = None


@dataclass
class Figures:
    """Seconds, and peak memory in bytes, of each receiver, one item a round."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak_rss_bytes: dict[str, list[int]] = field(default_factory=dict)

    def add(self, name: str, seconds: float, peak_rss_bytes: int) -> None:
        self.seconds.setdefault(name, []).append(seconds)
        self.peak_rss_bytes.setdefault(name, []).append(peak_rss_bytes)


def run_row(row: Row, workload: Workload, directory: Path, rounds: int, say: Callable[[str], None]) -> Figures:
    """All receivers of a row in turn, `rounds` times; the order turns round by round."""
    if row.prepare is not None:
        row.prepare(workload)
    figures = Figures()
    against = [name for name in row.against if name != "original (xinetd)" or shutil.which("xinetd")]
    for number in range(rounds):
        turned = against[number % len(against) :] + against[: number % len(against)]
        for name in turned:
            # Not removed until the end: ext4 makes files more slowly for seconds after many were deleted.
            seconds, rss = _run(name, row, workload, Path(tempfile.mkdtemp(dir=directory, prefix="run-")))
            figures.add(name, seconds, rss)
            say(f"{row.name}: round {number + 1}/{rounds}: {name}: {seconds:.2f} s, {rss / 2**20:.0f} MiB")
    return figures


def _run(name: str, row: Row, workload: Workload, directory: Path) -> tuple[float, int]:
    os.sync()
    if name.startswith("floor"):
        return floor.measure(workload.files, directory / "floor", durable=name.endswith("durable")), 0
    with RECEIVERS[name](directory, row.environ) as receiver, _sampled(receiver):
        senders.echo_at_once(receiver.port)
        start = time.perf_counter()
        row.send(workload, receiver.port, row.environ)
        if receiver.keeps:
            wait_until_filed(receiver, workload)
        seconds = time.perf_counter() - start
        receiver.sample_rss()
    if receiver.keeps:
        check_whole(receiver.output, workload)
    return seconds, receiver.peak_rss_bytes


def wait_until_filed(receiver: Receiver, workload: Workload) -> None:
    deadline = time.monotonic() + DONE_SECONDS
    while (count := receiver.count(workload)) < len(workload.files):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{count} of {len(workload.files)} images arrived")
        time.sleep(0.01)


def check_whole(output: Path, workload: Workload) -> None:
    """Every image's pixels are at the end of one file of the receiver. Raises: RuntimeError."""
    found = set()
    for directory, _, names in os.walk(output):
        for name in names:
            found.add(_digest_of_end(Path(directory, name), workload.pixel_bytes))
    missing = len(workload.digests - found)
    if missing:
        raise RuntimeError(f"{missing} of {len(workload.files)} images are not there, or not whole")


def _digest_of_end(file: Path, size: int) -> bytes:
    if file.stat().st_size < size:
        return b""
    with (
        file.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view,
        memoryview(view) as whole,
        whole[-size:] as end,
    ):
        return digest(end)


@contextlib.contextmanager
def _sampled(receiver: Receiver) -> Iterator[None]:
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(0.2):
            receiver.sample_rss()

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
