"""`python -m tests.bench.retrieve`: Orthanc sends a series of 1,000 small images on request, until all are filed.

Ours: the API's `retrieve`, until `series.info` is there. Beside it: `movescu` with storescp as the destination, which
files nothing. The same Orthanc serves both, in turn.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "acceptance"))

from orthanc import AE_TITLE, HOST, LISTENER_AE_TITLE, Orthanc, free_ports, running_orthanc
from pfdcmprocess import Pfdcm, running

from tests.bench.rounds import check_whole
from tests.bench.table import ratios, render, spread
from tests.bench.workloads import Workload, make

OURS, PEER = "pfdcm retrieve", "movescu to storescp"
DONE_SECONDS = 600


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.retrieve", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="rounds of each (default 1; the peer takes 90 s)")
    parser.add_argument("--images", type=int, default=1000, help="images of the series (default 1000)")
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {OURS: [], PEER: []}
    with tempfile.TemporaryDirectory(prefix="pfdcm-bench-") as name:
        directory = Path(name)
        workload = make(directory / "images", "retrieve", count=arguments.images, rows=64)
        (port,) = free_ports(1)
        with running_orthanc(directory / "orthanc", port) as orthanc:
            orthanc.load(workload.files)
            for number in range(arguments.rounds):
                seconds[OURS].append(_retrieve(directory / f"ours{number}", orthanc, port, workload))
                seconds[PEER].append(_move(directory / f"peer{number}", orthanc, port, workload))
                print(f"round {number + 1}: {seconds[OURS][-1]:.2f} s, {seconds[PEER][-1]:.2f} s", file=sys.stderr)
    print(f"{platform.platform()}, Python {platform.python_version()}; medians (min-max)")
    rows = [[who, spread(times, " s"), spread(ratios(times, seconds[OURS]))] for who, times in seconds.items()]
    print(render(["asked by", "seconds", "times ours"], rows))
    return 0


def _retrieve(directory: Path, orthanc: Orthanc, port: int, workload: Workload) -> float:
    with running(directory, "--forever", "--httpResponse") as pfdcm:
        _ask(pfdcm, "internalctl", {"var": "/PACS", "set": {"orthanc": orthanc.entry}})
        _ask(pfdcm, "internalctl", {"var": "/xinetd/servicePort", "set": str(port)})
        _ask(pfdcm, "xinetd", {"object": "service", "do": "everything"})
        on = {"StudyInstanceUID": workload.study, "SeriesInstanceUID": workload.series}
        data = directory / "dicom" / "data"
        start = time.perf_counter()
        _ask(pfdcm, "PACSinteract", {"do": "retrieve", "on": on, "PACS": "orthanc"}, seconds=DONE_SECONDS)
        _wait(lambda: any(data.glob("*/*/*/series.info")))
        seconds = time.perf_counter() - start
        check_whole(data, workload)
    return seconds


def _move(directory: Path, orthanc: Orthanc, port: int, workload: Workload) -> float:
    directory.mkdir()
    storescp = subprocess.Popen(["storescp", "-od", str(directory), str(port)])
    try:
        start = time.perf_counter()
        command = ["movescu", "-S", "-aet", LISTENER_AE_TITLE, "-aec", AE_TITLE, "-aem", LISTENER_AE_TITLE]
        keys = (
            "QueryRetrieveLevel=SERIES",
            f"StudyInstanceUID={workload.study}",
            f"SeriesInstanceUID={workload.series}",
        )
        command += [word for key in keys for word in ("-k", key)]
        command += [HOST, str(orthanc.dicom_port)]
        subprocess.run(command, check=True, timeout=DONE_SECONDS)
        seconds = time.perf_counter() - start
        check_whole(directory, workload)
    finally:
        storescp.terminate()
        storescp.wait()
    return seconds


def _ask(pfdcm: Pfdcm, action: str, meta: dict[str, object], seconds: float = 60) -> None:
    reply = pfdcm.ask(action, meta, seconds=seconds)
    if not reply["status"]:
        raise RuntimeError(f"{action} was answered {reply}")


def _wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DONE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError("the series did not arrive")
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
