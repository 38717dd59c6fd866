"""The process that fuzzes: `python -m tests.faults.instrumented TARGET libFuzzer-argument...`; started by `fuzz`."""

from __future__ import annotations

import shlex
import sys

import atheris

with atheris.instrument_imports(include=["listener", "pfdcmd"]):
    from .targets import TARGETS


def main() -> None:
    name, *arguments = sys.argv[1:]
    # libFuzzer starts itself anew to merge, by a shell line that begins so
    program = f"{shlex.quote(sys.executable)} -m tests.faults.instrumented {name}"
    atheris.Setup([program, *arguments], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
