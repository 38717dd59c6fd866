"""The kept inputs of each target: corpus/NAME, a text file with one input a line, in base64, shortest first."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

DIRECTORY = Path(__file__).with_name("corpus")


def load(name: str) -> list[bytes]:
    """The inputs; none when nothing is kept yet."""
    file = DIRECTORY / name
    return [base64.b64decode(line) for line in file.read_text().splitlines()] if file.exists() else []


def save(name: str, inputs: Iterable[bytes]) -> None:
    lines = sorted({base64.b64encode(each).decode() for each in inputs}, key=lambda line: (len(line), line))
    (DIRECTORY / name).write_text("".join(f"{line}\n" for line in lines))
