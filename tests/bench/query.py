"""`python -m tests.bench.query`: a query of many studies, beside the original's way and bare pynetdicom.

All three ask a real Orthanc the same: STUDY level, then SERIES level for each study. The original starts a findscu for
each request; bare pynetdicom is one association with the library's own socket options.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as FIND_MODEL

sys.path.insert(0, str(Path(__file__).parents[1] / "acceptance"))
from orthanc import AE_TITLE, HOST, LISTENER_AE_TITLE, Orthanc, dicomdir_files, running_orthanc

from pfdcmd.edge.pacs.net import PacsNet
from pfdcmd.pacs.peer import parse_peer
from pfdcmd.pacs.query import Query, parse_query
from pfdcmd.settings import Settings
from tests.bench.table import ratios, render, spread

OURS = "pfdcm"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.query", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each (default 5)")
    parser.add_argument("--studies", type=int, nargs="+", default=[4, 66], help="sizes of the archive (default 4 66)")
    arguments = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory(prefix="pfdcm-bench-") as name:
        for studies in arguments.studies:
            directory = Path(name) / str(studies)
            with running_orthanc(directory, 104) as orthanc:
                orthanc.load(make_studies(directory / "images", studies))
                seconds = time_all(orthanc, studies, arguments.rounds)
            for who, times in seconds.items():
                lines.append([f"{studies} studies", who, spread(times, " s"), spread(ratios(times, seconds[OURS]))])
    print(f"{platform.platform()}, Python {platform.python_version()}; medians (min-max)")
    print(render(["archive", "asked by", "seconds", "times ours"], lines))
    return 0


def make_studies(directory: Path, count: int) -> Iterator[Path]:
    """Studies of one image each, from one that pydicom ships."""
    directory.mkdir(parents=True)
    image = pydicom.dcmread(dicomdir_files()[0])
    for index in range(count):
        image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        file = directory / f"{index:05d}.dcm"
        image.save_as(file)
        yield file


def time_all(orthanc: Orthanc, studies: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, interleaved; every run must find every study and series."""
    query = parse_query({})
    ways: dict[str, Callable[[], int]] = {
        OURS: lambda: ask_ours(orthanc, query),
        "bare pynetdicom": lambda: ask_pynetdicom(orthanc, query),
        "a findscu for each": lambda: ask_findscu(orthanc, query),
    }
    seconds: dict[str, list[float]] = {who: [] for who in ways}
    for _ in range(rounds):
        for who, ask in ways.items():
            started = time.perf_counter()
            found = ask()
            seconds[who].append(time.perf_counter() - started)
            if found != studies:
                raise SystemExit(f"{who} found {found} series of {studies}")
    return seconds


def ask_ours(orthanc: Orthanc, query: Query) -> int:
    studies = asyncio.run(PacsNet(Settings()).find(parse_peer(orthanc.entry), query))
    return sum(len(study.series) for study in studies)


def ask_pynetdicom(orthanc: Orthanc, query: Query) -> int:
    entity = AE(LISTENER_AE_TITLE)
    entity.add_requested_context(FIND_MODEL)
    association = entity.associate(HOST, orthanc.dicom_port, ae_title=AE_TITLE)

    def find(keys: dict[str, str]) -> list[Dataset]:
        identifier = Dataset()
        for keyword, value in keys.items():
            setattr(identifier, keyword, value)
        return [match for _, match in association.send_c_find(identifier, FIND_MODEL) if match is not None]

    studies = find(query.study_keys())
    found = sum(len(find(query.series_keys(study.StudyInstanceUID))) for study in studies)
    association.release()
    return found


def ask_findscu(orthanc: Orthanc, query: Query) -> int:
    def find(keys: dict[str, str]) -> list[str]:
        words = [word for keyword, value in keys.items() for word in ("-k", f"{keyword}={value}" if value else keyword)]
        command = ["findscu", "-xi", "-S", *words, "-aec", AE_TITLE, "-aet", LISTENER_AE_TITLE]
        done = subprocess.run([*command, HOST, str(orthanc.dicom_port)], capture_output=True, check=True)
        output = (done.stdout + done.stderr).decode("latin-1")
        return [line.split("[")[1].split("]")[0].strip(" \0") for line in output.splitlines() if "(0020,000d)" in line]

    studies = find(query.study_keys())
    return sum(len(find(query.series_keys(uid))) for uid in studies if uid)


if __name__ == "__main__":
    sys.exit(main())
