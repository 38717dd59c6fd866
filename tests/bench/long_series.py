"""`python -m tests.bench.long_series`: whether the 100,000th image of a series costs what the first did.

A lean sender (tests/bench/lean.py) stores them all in one series, so in one directory; each line is a tenth of them, in
one association. *Times the first* is how many times as long an image took as in the first tenth.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.bench import lean, receivers, senders
from tests.bench.table import render
from tests.bench.workloads import make

HOST = "127.0.0.1"
# So that each image's UID and number have as many digits as the model's, and its data set as many bytes.
_FIRST_NUMBER = 1_000_000
_PARTS = 10


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.long_series", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000, help="images of the series (default 100,000)")
    parser.add_argument("--ack", choices=("durable", "written"), default="durable", help="(default durable)")
    arguments = parser.parse_args()
    each = max(1, arguments.images // _PARTS)
    with tempfile.TemporaryDirectory(prefix="pfdcm-bench-") as name:
        model = _model(Path(name))
        with receivers.pfdcm(Path(name), {}, ack=arguments.ack) as receiver:
            senders.echo_at_once(receiver.port)
            seconds = [lean.send(HOST, receiver.port, part) for part in _parts(model, each)]
            filed = sum(1 for _ in receiver.output.rglob("*.dcm"))
    if filed != each * _PARTS:
        raise RuntimeError(f"{filed} of {each * _PARTS} images are there")
    print(f"{platform.platform()}, Python {platform.python_version()}; ack = {arguments.ack}, all in one directory")
    rows = [
        [f"{number * each + 1:,} to {(number + 1) * each:,}", f"{each / part:,.0f}", f"{part / seconds[0]:.2f}"]
        for number, part in enumerate(seconds)
    ]
    print(render(["images", "a second", "times the first"], rows))
    return 0


def _model(directory: Path) -> lean.Image:
    """An image whose UID and number end in _FIRST_NUMBER."""
    workload = make(directory / "model", "long series", count=1, rows=16, first=_FIRST_NUMBER)
    return lean.image_of_file(workload.files[0])


def _parts(model: lean.Image, each: int) -> Iterator[lean.Encoded]:
    """An association for each tenth, encoded when its turn comes."""
    associate, stem = lean.encode([model]).associate, model.sop_instance.removesuffix(str(_FIRST_NUMBER))
    for start in range(_FIRST_NUMBER, _FIRST_NUMBER + _PARTS * each, each):
        print(f"{start - _FIRST_NUMBER:,} images", file=sys.stderr, flush=True)
        numbers = range(start, start + each)
        yield lean.Encoded(associate, [lean.message(_renamed(model, stem, number), 1, 1) for number in numbers])


def _renamed(model: lean.Image, stem: str, number: int) -> lean.Image:
    uid = f"{stem}{number}"
    data_set = model.data_set.replace(model.sop_instance.encode(), uid.encode())
    data_set = data_set.replace(f"IS\x08\x00{_FIRST_NUMBER} ".encode(), f"IS\x08\x00{number} ".encode())
    return replace(model, sop_instance=uid, data_set=data_set)


if __name__ == "__main__":
    sys.exit(main())
