"""pfdcm-ready: whether the pfdcm of a state directory answers, and its listener does when it has been started.

For a container's HEALTHCHECK and probes. It asks pfdcm as callers do, a hello over HTTP, and goes by what
listeners report: a C-ECHO may be refused by the rules of a service.
Exit status 0: ready; 1: not, with the reason as one line; 2: the command line cannot be used.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from pfdcmd.edge.places import find_state_directory
from pfdcmd.edge.readiness import check_ready
from pfdcmd.errors import Fault

_TIMEOUT_SECONDS = 4.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Check once. Returns: the exit status."""
    options = _parser().parse_args(arguments)
    state_dir = find_state_directory(options.state_dir or os.environ.get("PFDCM_STATE_DIR", ""), os.environ)
    try:
        print(check_ready(state_dir, options.seconds))
    except Fault as fault:
        print(f"not ready: {fault.message}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pfdcm-ready", description="Say whether pfdcm and its listener answer.")
    parser.add_argument("--stateDir", dest="state_dir", metavar="DIRECTORY", help="of that pfdcm; or PFDCM_STATE_DIR")
    parser.add_argument(
        "--seconds",
        type=float,
        default=_TIMEOUT_SECONDS,
        metavar="S",
        help="that each answer may take (default: %(default)g)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
