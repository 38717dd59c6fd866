"""`python -m tests.bench.status`: how long `retrieveStatus` takes of a series of 100,000 images.

    unchanged   nothing has changed in its directory since it was looked at
    receiving   a lean sender (tests/bench/lean.py) adds images to that very series, as fast as it can

    read again  the sender is done: the directory is read, until the series is told to be whole

Callers ask one after the other, each on a connection of its own. Beside it, in turn, a message that asks for nothing:
what a connection and a message take then and there, whatever is asked.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pfdcmprocess import Pfdcm, free_port, running

from tests.bench import lean
from tests.bench.workloads import Workload, make

HOST = "127.0.0.1"
# Beyond the numbers of what is sent.
_FIRST_NUMBER = 1_000_000
_DONE_SECONDS = 120
_LONG_SECONDS = 0.005


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.status", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000, help="images of the series (default 100,000)")
    parser.add_argument("--calls", type=int, default=1_000, help="calls of the unchanged series (default 1,000)")
    parser.add_argument("--sent", type=int, default=8_000, help="images that arrive meanwhile (default 8,000)")
    parser.add_argument("--pause", type=float, default=0.01, help="seconds between two calls (default 0.01)")
    arguments = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}; {arguments.images} images", flush=True)
    with tempfile.TemporaryDirectory(prefix="pfdcm-bench-") as name:
        workload = make(Path(name) / "sent", "status", count=arguments.sent + 1, rows=16)
        encoded = lean.encode(map(lean.image_of_file, workload.files))
        port = free_port()
        with running(name, "--forever", "--httpResponse") as pfdcm:
            pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": str(port)})
            if not pfdcm.ask("xinetd", {"object": "service", "do": "everything"})["status"]:
                raise RuntimeError("the listener did not start")
            lean.send(HOST, port, lean.Encoded(encoded.associate, encoded.messages[:1]))
            _ask_until_whole(pfdcm, workload, 1, arguments.pause)
            directory = Path(str(_ask(pfdcm, workload)["DICOMdir"]))
            _fill(directory, workload.series, arguments.images - 1)
            _ask_until_whole(pfdcm, workload, arguments.images, arguments.pause)
            calls = range(arguments.calls)
            _report("unchanged", [_timed(pfdcm, workload, arguments.pause) for _ in calls])
            rest = lean.Encoded(encoded.associate, encoded.messages[1:])
            sender = multiprocessing.get_context("fork").Process(target=lean.send, args=(HOST, port, rest))
            began = time.perf_counter()
            sender.start()
            times = []
            while sender.is_alive():
                times.append(_timed(pfdcm, workload, arguments.pause))
            taken = time.perf_counter() - began
            sender.join()
            if sender.exitcode:
                raise RuntimeError("the sender failed")
            _report(f"receiving {arguments.sent} in {taken:.1f} s", times)
            began = time.perf_counter()
            times = _ask_until_whole(pfdcm, workload, arguments.images + arguments.sent, arguments.pause)
            _report(f"read again in {time.perf_counter() - began:.1f} s", times)
    return 0


def _fill(directory: Path, series: str, images: int) -> None:
    for number in range(_FIRST_NUMBER, _FIRST_NUMBER + images):
        (directory / f"{number}-{series}.{number}.dcm").write_bytes(b"x")
    os.sync()


def _ask(pfdcm: Pfdcm, workload: Workload) -> dict[str, object]:
    on = {"series_uid": workload.series}
    told: dict[str, object] = pfdcm.ask("PACSinteract", {"do": "retrieveStatus", "on": on, "PACS": "help"})[
        "retrieveStatus"
    ]
    return told


def _timed(pfdcm: Pfdcm, workload: Workload, pause: float) -> tuple[float, float]:
    """Seconds of a call, and of a message that asks for nothing; with a pause after each."""
    start = time.perf_counter()
    told = _ask(pfdcm, workload)
    seconds = time.perf_counter() - start
    if "numDCMfiles" not in told:
        raise RuntimeError(f"it answered {json.dumps(told)}")
    time.sleep(pause)
    start = time.perf_counter()
    pfdcm.ask("PACSinteract", {"do": "nothing", "PACS": "help"})
    nothing = time.perf_counter() - start
    time.sleep(pause)
    return seconds, nothing


def _ask_until_whole(pfdcm: Pfdcm, workload: Workload, images: int, pause: float) -> list[tuple[float, float]]:
    """As _timed, until the series is told to be whole with so many images. Raises: RuntimeError: it never was."""
    times = []
    deadline = time.perf_counter() + _DONE_SECONDS
    while not (told := _ask(pfdcm, workload))["status"] or told["numDCMfiles"] != images:
        if time.perf_counter() > deadline:
            raise RuntimeError(f"it answered {json.dumps(told)}")
        times.append(_timed(pfdcm, workload, pause))
    return times


def _report(what: str, times: Sequence[tuple[float, float]]) -> None:
    for name, seconds in zip(("retrieveStatus", "nothing"), zip(*times, strict=True), strict=True):
        last = statistics.quantiles(seconds, n=100)[-1]
        above = sum(each > _LONG_SECONDS for each in seconds)
        print(f"{what}, {name}: {len(seconds)} calls, median {statistics.median(seconds) * 1e3:.2f} ms, ", end="")
        print(f"99th percentile {last * 1e3:.2f} ms, most {max(seconds) * 1e3:.2f} ms, {above} above 5 ms", flush=True)


if __name__ == "__main__":
    sys.exit(main())
