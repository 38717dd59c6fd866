"""`python -m tests.bench.retrieve_study`: Orthanc sends a study of 20 series on request, in four ways in turn.

    pfdcm job           one job for the study, until it is complete
    one after the other movescu for each series, to pfdcm's listener: the original's way
    movescu, pfdcm      movescu of the whole study to pfdcm's listener, which makes each image durable
    movescu, storescp   the same to a storescp, which does not, told not to delay its acknowledgements

TCP_NODELAY=1 is in the environment of all of DCMTK's programs and of Orthanc, which is built on DCMTK.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "acceptance"))

from orthanc import AE_TITLE, HOST, LISTENER_AE_TITLE, Orthanc, free_ports, running_orthanc, wait_for_port
from pfdcmprocess import Pfdcm, running
from studyimages import save, series_uid, study_images, study_uid

from tests.bench.table import ratios, render, spread

JOB, SERIES, STUDY, BARE = "pfdcm job", "one after the other", "movescu, pfdcm", "movescu, storescp"
DONE_SECONDS = 600


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.retrieve_study", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each (default 3)")
    parser.add_argument("--series", type=int, default=20, help="series of the study (default 20)")
    parser.add_argument("--images", type=int, default=20, help="images of each series (default 20)")
    parser.add_argument("--at-once", type=int, default=8, help="series that the job moves at once (default 8)")
    arguments = parser.parse_args()
    os.environ["TCP_NODELAY"] = "1"
    seconds: dict[str, list[float]] = {JOB: [], SERIES: [], STUDY: [], BARE: []}
    with tempfile.TemporaryDirectory(prefix="pfdcm-bench-") as name:
        directory = Path(name)
        files = save(study_images(series=arguments.series, images=arguments.images), directory / "images")
        (port,) = free_ports(1)
        with running_orthanc(directory / "orthanc", port) as orthanc:
            orthanc.load(files)
            with _listening(directory, orthanc, port, arguments.at_once) as pfdcm:
                _job(directory, pfdcm, len(files))  # the first after a start, unmeasured
                for _ in range(arguments.rounds):
                    seconds[JOB].append(_job(directory, pfdcm, len(files)))
                    seconds[SERIES].append(_each_series(directory, orthanc, arguments.series, len(files)))
                    seconds[STUDY].append(_study_to_pfdcm(directory, orthanc, len(files)))
            for number in range(arguments.rounds):
                seconds[BARE].append(_study_to_storescp(directory / f"peer{number}", orthanc, port, len(files)))
    print(
        f"{platform.platform()}, Python {platform.python_version()}; {len(files)} images in {arguments.series} series"
    )
    rows = [[who, spread(times, " s"), spread(ratios(times, seconds[JOB]))] for who, times in seconds.items()]
    print(render(["asked by", "seconds", "times ours"], rows))
    return 0


@contextlib.contextmanager
def _listening(directory: Path, orthanc: Orthanc, port: int, at_once: int):
    entries = json.dumps({"main": {**orthanc.entry, "maxAssociations": str(at_once)}})
    with running(directory, "--forever", "--httpResponse", "--setPACS", entries) as pfdcm:
        pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": str(port)})
        if not pfdcm.ask("xinetd", {"object": "service", "do": "everything"})["status"]:
            raise RuntimeError("the listener did not start")
        yield pfdcm


def _job(directory: Path, pfdcm: Pfdcm, images: int) -> float:
    _forget(directory)
    with contextlib.closing(http.client.HTTPConnection(HOST, pfdcm.port)) as caller:
        start = time.perf_counter()
        job = _rpc(caller, "retrieve.start", pacs="main", study=study_uid())["job"]
        _wait(lambda: _rpc(caller, "retrieve.status", job=job)["ended"])
        seconds = time.perf_counter() - start
        ended = _rpc(caller, "retrieve.status", job=job)
    if ended["state"] != "complete" or _count(directory / "dicom") != images:
        raise RuntimeError(f"the job brought {_count(directory / 'dicom')} of {images}: {ended['verdict']}")
    return seconds


def _each_series(directory: Path, orthanc: Orthanc, series: int, images: int) -> float:
    _forget(directory)
    start = time.perf_counter()
    for number in range(1, series + 1):
        _movescu(orthanc, "SERIES", f"SeriesInstanceUID={series_uid(number)}")
    seconds = time.perf_counter() - start
    if _count(directory / "dicom") != images:
        raise RuntimeError("not all series came")
    return seconds


def _study_to_pfdcm(directory: Path, orthanc: Orthanc, images: int) -> float:
    _forget(directory)
    start = time.perf_counter()
    _movescu(orthanc, "STUDY")
    seconds = time.perf_counter() - start
    if _count(directory / "dicom") != images:
        raise RuntimeError("not all images came")
    return seconds


def _study_to_storescp(directory: Path, orthanc: Orthanc, port: int, images: int) -> float:
    directory.mkdir()
    storescp = subprocess.Popen(["storescp", "-od", str(directory), str(port)])
    try:
        if not wait_for_port(port, 30):
            raise RuntimeError("storescp did not start")
        start = time.perf_counter()
        _movescu(orthanc, "STUDY")
        seconds = time.perf_counter() - start
    finally:
        storescp.terminate()
        storescp.wait()
    if len(list(directory.iterdir())) != images:
        raise RuntimeError("not all images came")
    return seconds


def _movescu(orthanc: Orthanc, level: str, *keys: str) -> None:
    command = ["movescu", "-S", "-aet", LISTENER_AE_TITLE, "-aec", AE_TITLE, "-aem", LISTENER_AE_TITLE]
    for key in (f"QueryRetrieveLevel={level}", f"StudyInstanceUID={study_uid()}", *keys):
        command += ["-k", key]
    subprocess.run([*command, HOST, str(orthanc.dicom_port)], check=True, timeout=DONE_SECONDS)


def _forget(directory: Path) -> None:
    """Put aside what a former round filed; removed, ext4 would make files more slowly for minutes."""
    former = Path(tempfile.mkdtemp(dir=directory, prefix="former-"))
    for place in (directory / "dicom" / "data").glob("*"):
        place.rename(former / place.name)


def _count(directory: Path) -> int:
    return sum(1 for _ in (directory / "data").rglob("*.dcm"))


def _rpc(caller: http.client.HTTPConnection, method: str, **params: object):
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    caller.request("POST", "/rpc", json.dumps(body), {"Content-Type": "application/json"})
    return json.loads(caller.getresponse().read())["result"]


def _wait(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + DONE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError("the study did not arrive")
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
