"""`python -m tests.bench.status`: how long `retrieveStatus` takes of a series of 100,000 images.

The first call reads the directory; those after it answer from the ledger, as long as nothing changes there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pfdcmprocess import Pfdcm, running

SERIES = "1.2.826.0.1.3680043.8.498.1"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.status", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000, help="images of the series (default 100,000)")
    parser.add_argument("--calls", type=int, default=300, help="calls after the first (default 300)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pfdcm-bench-") as name:
        _make_series(Path(name), arguments.images)
        with running(name, "--forever", "--httpResponse") as pfdcm:
            time.sleep(1)  # it makes its new ledger from the files meanwhile
            first = _seconds(pfdcm, arguments.images)
            rest = [_seconds(pfdcm, arguments.images) for _ in range(arguments.calls)]
    print(f"{platform.platform()}, Python {platform.python_version()}; {arguments.images} images")
    print(f"first {first * 1e3:.1f} ms; then median {statistics.median(rest) * 1e3:.2f} ms, ", end="")
    print(f"90th percentile {statistics.quantiles(rest, n=10)[-1] * 1e3:.2f} ms, most {max(rest) * 1e3:.2f} ms")
    return 0


def _make_series(root: Path, images: int) -> None:
    directory = root / "dicom" / "data" / "patient" / "study" / "series"
    directory.mkdir(parents=True)
    for number in range(images):
        (directory / f"{number:05}-{SERIES}.{number}.dcm").touch()
    (directory / "series.info").touch()
    maps = root / "dicom" / "log" / "series_map"
    maps.mkdir(parents=True)
    (maps / f"{SERIES}.json").write_text(json.dumps({SERIES: str(directory)}))
    os.sync()


def _seconds(pfdcm: Pfdcm, images: int) -> float:
    start = time.perf_counter()
    reply = pfdcm.ask("PACSinteract", {"do": "retrieveStatus", "on": {"series_uid": SERIES}, "PACS": "help"})
    seconds = time.perf_counter() - start
    if reply["retrieveStatus"]["numDCMfiles"] != images:
        raise RuntimeError(f"it answered {reply}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
