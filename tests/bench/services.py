"""Fifty services on fifty ports: the seconds from their declaration until all serve, and what they take when idle.

python -m tests.bench.services [NUMBER]
"""

import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "acceptance")]

from services import running_site, wait_until  # noqa: E402 - the tests' modules stand beside this package

LONGEST_SECONDS = 300


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as directory, running_site(Path(directory)) as site:
        text = "".join(site.text(f"s{each}", ae_title=f"AE{each}") for each in range(number))
        began = time.monotonic()
        site.write("all", "defaults\n{\n    instances = 20\n}\n" + text)
        wait_until(lambda: site.show(f"s{number - 1}"), LONGEST_SECONDS)
        taken = time.monotonic() - began
        ours = [p for p in psutil.process_iter(["cmdline"]) if any(directory in w for w in p.info["cmdline"] or [])]
        resident = sum(process.memory_info().rss for process in ours) / 1e6
        proportional = sum(process.memory_full_info().pss for process in ours) / 1e6
        print(f"{number} services: {taken:.1f} s, {resident:.0f} MB resident, {proportional:.0f} MB proportional")


if __name__ == "__main__":
    main()
