"""Coverage-guided fuzzing of one target: `python -m tests.faults.fuzz NAME --seconds 900`.

It begins from what corpus/NAME keeps, and writes what it found worth keeping back there, reduced to what covers code
that the rest does not (libFuzzer's merge), inputs of more than 8 KiB left out. A crash, a single input that takes
longer than 10 s, and more than 2 GiB of memory end it with a status other than 0; the input is then in build/fuzz/NAME.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from . import corpora
from .targets import TARGETS

INPUT_SECONDS = 10
RSS_MIB = 2048
MAX_INPUT_BYTES = 65_536
MAX_KEPT_BYTES = 8192
ROOT = Path(__file__).parents[2]


def fuzz(name: str, seconds: int) -> int:
    """Returns: the exit status of libFuzzer."""
    place = ROOT / "build" / "fuzz" / name
    found, merged = place / "found", place / "merged"
    for directory in (found, merged):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    for number, each in enumerate(corpora.load(name)):
        (found / f"kept-{number}").write_bytes(each)
    limits = [f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={RSS_MIB}", f"-max_len={MAX_INPUT_BYTES}"]
    artifacts = f"-artifact_prefix={place}/"
    status = _run(name, f"-max_total_time={seconds}", *limits, artifacts, "-print_final_stats=1", str(found))
    # ends with a status of its own where an input crashes, and keeps the others all the same
    _run(name, "-merge=1", *limits, artifacts, str(merged), str(found))
    kept = [file.read_bytes() for file in merged.iterdir() if file.stat().st_size <= MAX_KEPT_BYTES]
    if kept:
        corpora.save(name, kept)
    return status


def _run(name: str, *arguments: str) -> int:
    command = [sys.executable, "-m", "tests.faults.instrumented", name, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description=__doc__)
    parser.add_argument("name", choices=[*TARGETS])
    parser.add_argument("--seconds", type=int, default=900)
    options = parser.parse_args()
    return fuzz(options.name, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
