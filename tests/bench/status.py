"""`python -m tests.bench.status`: how long `retrieveStatus` takes of a series of 100,000 images.

    unchanged   nothing has changed in its directory since it was looked at
    receiving   a lean sender (tests/bench/lean.py) adds images to that very series, as fast as it can

Callers here ask one after the other, each on a connection of its own. How long an image of 100,000 takes to be counted
when the sender is done, and so until the series is whole, is told as well.
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
            _fill(Path(_wait(pfdcm, workload, 1)[1]["DICOMdir"]), workload.series, arguments.images - 1)
            first, _ = _wait(pfdcm, workload, arguments.images)
            print(f"first look: {first:.2f} s", flush=True)
            _report("unchanged", [_seconds(pfdcm, workload, arguments.pause) for _ in range(arguments.calls)])
            rest = lean.Encoded(encoded.associate, encoded.messages[1:])
            sender = multiprocessing.get_context("fork").Process(target=lean.send, args=(HOST, port, rest))
            began = time.perf_counter()
            sender.start()
            times = []
            while sender.is_alive():
                times.append(_seconds(pfdcm, workload, arguments.pause))
            taken = time.perf_counter() - began
            sender.join()
            if sender.exitcode:
                raise RuntimeError("the sender failed")
            _report("receiving", times)
            whole, _ = _wait(pfdcm, workload, arguments.images + arguments.sent)
            print(f"{arguments.sent} images in {taken:.1f} s; told to be whole {whole:.2f} s after the sender's end")
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


def _seconds(pfdcm: Pfdcm, workload: Workload, pause: float) -> float:
    """Of one call, and then a pause."""
    start = time.perf_counter()
    told = _ask(pfdcm, workload)
    seconds = time.perf_counter() - start
    if "numDCMfiles" not in told:
        raise RuntimeError(f"it answered {json.dumps(told)}")
    time.sleep(pause)
    return seconds


def _wait(pfdcm: Pfdcm, workload: Workload, images: int) -> tuple[float, dict[str, object]]:
    """Ask until the series is whole. Returns: after how many seconds, and what was told. Raises: RuntimeError."""
    begin = time.perf_counter()
    while not (told := _ask(pfdcm, workload))["status"] or told["numDCMfiles"] != images:
        if time.perf_counter() - begin > _DONE_SECONDS:
            raise RuntimeError(f"it answered {json.dumps(told)}")
        time.sleep(0.02)
    return time.perf_counter() - begin, told


def _report(what: str, times: Sequence[float]) -> None:
    last = statistics.quantiles(times, n=100)[-1]
    most = max(times)
    print(f"{what}: {len(times)} calls, ", end="")
    print(f"median {statistics.median(times) * 1e3:.2f} ms, 99th percentile {last * 1e3:.2f} ms, ", end="")
    print(f"most {most * 1e3:.2f} ms, {sum(each > 0.005 for each in times)} above 5 ms", flush=True)


if __name__ == "__main__":
    sys.exit(main())
