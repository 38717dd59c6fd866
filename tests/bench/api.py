"""`python -m tests.bench.api`: how many tree gets a second pfdcm answers.

The original's figure beside it was measured, 20 ms each or 50 a second (`internalctl get` of a leaf, one caller), but
on another day: it cannot be run here. So this is no paired run, and the factor is far from the doubt that this leaves.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pfdcmprocess import running

from tests.bench.table import render

ORIGINAL_PER_SECOND = 50
LEAVES = 10_000
MESSAGE = b'{"payload": {"action": "internalctl", "meta": {"var": "/xinetd/servicePort", "get": "value"}}}'


def measure(port: int, seconds: float, *, keep_alive: bool) -> tuple[float, float]:
    """One caller for so long. Returns: gets a second, and the 99th percentile of their times in milliseconds."""
    times = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        connection.request("POST", "/api/v1/cmd", MESSAGE)
        body = connection.getresponse().read()
        times.append(time.perf_counter() - start)
        if b'"10402"' not in body:
            raise RuntimeError(f"an unexpected reply: {body!r}")
        if not keep_alive:
            connection.close()
    connection.close()
    return len(times) / seconds, statistics.quantiles(times, n=100)[98] * 1000


def measure_root(port: int, leaves: int) -> float:
    """Seconds of a get of `/` with so many leaves more, once warm."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for index in range(leaves // 1000):
        branch = {f"d{j}": {f"leaf{k}": f"value {k}" for k in range(10)} for j in range(100)}
        _exchange(connection, {"var": f"/bench/{index}", "set": branch})
    times = []
    for _ in range(5):
        start = time.perf_counter()
        _exchange(connection, {"var": "/", "get": "value"})
        times.append(time.perf_counter() - start)
    connection.close()
    return statistics.median(times)


def _exchange(connection: http.client.HTTPConnection, meta: dict[str, object]) -> None:
    connection.request("POST", "/", json.dumps({"action": "internalctl", "meta": meta}))
    if b'"status": true' not in connection.getresponse().read():
        raise RuntimeError("the message was not done")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.api", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each (default 5)")
    rounds = parser.parse_args().rounds
    rows = []
    with tempfile.TemporaryDirectory() as directory, running(directory, "--forever", "--httpResponse") as pfdcm:
        for name, keep_alive in (("a new connection each", False), ("one connection", True)):
            figures = [measure(pfdcm.port, 2.0, keep_alive=keep_alive) for _ in range(rounds)]
            rate = statistics.median(rate for rate, _ in figures)
            slowest = max(p99 for _, p99 in figures)
            rows.append([name, f"{rate:.0f}", f"{rate / ORIGINAL_PER_SECOND:.1f}", f"{slowest:.1f} ms"])
        root_seconds = statistics.median(measure_root(pfdcm.port, LEAVES) for _ in range(rounds))
    print(render(["internalctl get over", "a second, median", "times 50", "99th percentile, worst round"], rows))
    print(f"a get of / with {LEAVES:,} leaves: {root_seconds * 1000:.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
