"""`python -m tests.bench.rpc`: how many tree.get a second /rpc answers, and how long 50 callers wait beside an ingest.

The first figure is one caller on one connection that is kept alive, as fast as it is answered; the original answered 50
gets a second (see tests/bench/api.py). The second is of 50 callers with a connection and ten calls a second each on
average, as pages poll: without a pause between calls their number alone, divided by the rate, would be the time that
they wait. They are measured idle, and while one sender stores images as fast as the listener of the same pfdcm
acknowledges them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TypeVar

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "acceptance")]

from pfdcmprocess import free_port, running  # noqa: E402 - the tests' modules stand beside this package
from rpccaller import RpcCaller  # noqa: E402

from tests.bench import senders  # noqa: E402
from tests.bench.table import render  # noqa: E402
from tests.bench.workloads import Workload, make  # noqa: E402

ORIGINAL_PER_SECOND = 50
_T = TypeVar("_T")

CALLERS = 50
PAUSE_SECONDS = 0.1
IDLE_SECONDS = 10.0
READY_SECONDS = 120.0
BODY = b'{"jsonrpc": "2.0", "method": "tree.get", "params": {"path": "/xinetd/dataDir"}, "id": 1}'
REQUEST = b"POST /rpc HTTP/1.1\r\nHost: pfdcm\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)


def measure_rate(port: int, seconds: float) -> float:
    """One caller for so long. Returns: gets a second."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        count, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            connection.sendall(REQUEST)
            answer = connection.recv(65_536)
            # it is small enough for one segment
            if not answer.endswith(b'/dicom/data","id":1}'):
                raise RuntimeError(f"an unexpected answer: {answer!r}")
            count += 1
        return count / (time.perf_counter() - begun)


def measure_waits(port: int, is_over: Callable[[], bool]) -> list[float]:
    """Fifty callers until it is over. Returns: the seconds that each call took."""
    return asyncio.run(_wait_together(port, is_over))


async def _wait_together(port: int, is_over: Callable[[], bool]) -> list[float]:
    waits: list[float] = []
    await asyncio.gather(*(_call_and_pause(port, is_over, waits) for _ in range(CALLERS)))
    return waits


async def _call_and_pause(port: int, is_over: Callable[[], bool], waits: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))
    while not is_over():
        begun = time.perf_counter()
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = await reader.readexactly(length)
        waits.append(time.perf_counter() - begun)
        if "result" not in json.loads(answer):
            raise RuntimeError(f"an unexpected answer: {answer!r}")
        # of random length: callers that one wait has brought together must not call together ever after
        await asyncio.sleep(random.expovariate(1 / PAUSE_SECONDS))
    writer.close()
    await writer.wait_closed()


def measure_idle(port: int) -> list[float]:
    """Fifty callers and nobody else. Returns: the seconds that each call took."""
    end = time.monotonic() + IDLE_SECONDS
    return measure_waits(port, lambda: time.monotonic() > end)


def measure_beside_ingest(port: int, listener_port: int, workload: Workload) -> tuple[list[float], float]:
    """The waits while a sender in a process of its own stores the workload. Returns: they, and images a second."""
    processes = multiprocessing.get_context("spawn")
    is_ready = processes.Event()
    sending = processes.Process(target=_send, args=(workload, listener_port, is_ready))
    sending.start()
    if not is_ready.wait(READY_SECONDS):
        raise RuntimeError("the sender did not begin")
    begun = time.monotonic()
    waits = measure_waits(port, lambda: not sending.is_alive())
    seconds = time.monotonic() - begun
    sending.join()
    if sending.exitcode:
        raise RuntimeError("the sender failed")
    return waits, len(workload.files) / seconds


def _send(workload: Workload, listener_port: int, is_ready: Event) -> None:
    senders.encode_beforehand(workload)
    is_ready.set()
    senders.lean(workload, listener_port, {})


def _apart(measure: Callable[..., _T], *arguments: object) -> _T:
    """Measure in a process that does nothing else: this one reads pfdcm's log."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(measure, *arguments).result()


def _quantiles(waits: list[float]) -> list[str]:
    points = statistics.quantiles(waits, n=1000)
    return [f"{points[index] * 1000:.1f} ms" for index in (499, 949, 989)] + [f"{max(waits) * 1000:.1f} ms"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rpc", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the first figure (default 5)")
    parser.add_argument("--images", type=int, default=4000, help="images that are stored beside the callers")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, running(directory, "--forever") as pfdcm:
        caller, listener_port = RpcCaller(pfdcm.port), free_port()
        caller.call("tree.set", ["/xinetd/servicePort", str(listener_port)])
        if not caller.call("xinetd", {"object": "service", "do": "everything"})["status"]:
            raise RuntimeError("the listener did not start")
        workload = make(Path(directory) / "images", "beside", count=arguments.images, rows=64)
        rates = [_apart(measure_rate, pfdcm.port, 2.0) for _ in range(arguments.rounds)]
        rows = [["nothing", "-", *_quantiles(_apart(measure_idle, pfdcm.port))]]
        waits, images = _apart(measure_beside_ingest, pfdcm.port, listener_port, workload)
        rows.append(["one sender", f"{images:.0f}", *_quantiles(waits)])
        caller.close()
    rate = statistics.median(rates)
    print(f"tree.get on one connection: {rate:.0f} a second ({min(rates):.0f}-{max(rates):.0f})", end="")
    print(f", {rate / ORIGINAL_PER_SECOND:.1f} times the original's {ORIGINAL_PER_SECOND}")
    print(
        render([f"{CALLERS} callers beside", "images a second", "median", "95th percentile", "99th", "longest"], rows)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
