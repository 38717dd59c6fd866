"""What the original did with one connection, written anew for the comparison: receive all, then file one by one.

Started by xinetd with the connection as descriptors 0 and 1. Arguments: TMP DATA.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset


def main() -> None:
    tmp, data = Path(sys.argv[1]), Path(sys.argv[2])
    received = tmp / str(uuid.uuid4())
    received.mkdir(parents=True)
    subprocess.run(["storescp", "--inetd", "-id", "-od", str(received), "-pm", "-sp"], check=False)
    touched = {_file(path, data) for path in sorted(received.rglob("*")) if path.is_file()}
    for series in touched:
        (series / "receiving.series").rename(series / "series.info")
    shutil.rmtree(received)


def _file(path: Path, data: Path) -> Path:
    image = pydicom.dcmread(path)
    patient = data / f"{_san(image, 'PatientID')}-{_san(image, 'PatientName')}"
    study = patient / "-".join(_san(image, k) for k in ("StudyDescription", "StudyDate", "StudyInstanceUID"))
    series = study / "-".join(_san(image, k) for k in ("SeriesDescription", "SeriesDate", "SeriesInstanceUID"))
    series.mkdir(parents=True, exist_ok=True)
    (series / "receiving.series").touch()
    shutil.copyfile(path, series / f"{int(image.InstanceNumber):05d}-{image.SOPInstanceUID}.dcm")
    return series


def _san(image: Dataset, keyword: str) -> str:
    return "".join(c if c.isalnum() else "." for c in str(image.get(keyword, "no value provided")).strip())


if __name__ == "__main__":
    main()
