"""What processes take, sampled: memory, descriptors, threads, and files on their way; and how it grows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

DAY_SECONDS = 86_400


@dataclass
class Series:
    """One quantity of one process over time: (seconds, value)."""

    samples: list[tuple[float, float]] = field(default_factory=list)

    def settled(self) -> list[tuple[float, float]]:
        """Without the first third, in which caches fill."""
        return self.samples[len(self.samples) // 3 :]

    def a_day(self) -> float:
        """The slope of what has settled, by least squares, for 24 hours."""
        seconds, values = zip(*self.settled(), strict=True)
        return statistics.linear_regression(seconds, values).slope * DAY_SECONDS if len(values) > 2 else 0.0


class Gauges:
    """Samples of named processes and directories; a process that is another than before begins a series of its own."""

    def __init__(self, temporary: Path) -> None:
        self._temporary = temporary
        self._began = time.monotonic()
        self.series: dict[tuple[str, str], Series] = {}

    def sample(self, pids: Mapping[str, int]) -> None:
        """pids: by the name of the process."""
        now = time.monotonic() - self._began
        for name, pid in pids.items():
            process = psutil.Process(pid)
            values = {
                "memory MB": process.memory_info().rss / 2**20,
                "descriptors": process.num_fds(),
                "threads": process.num_threads(),
            }
            for quantity, value in values.items():
                self._add(f"{name} {pid}", quantity, now, value)
        self._add(
            "spool", "files", now, sum(1 for each in self._temporary.iterdir() if each.name.startswith(".incoming"))
        )

    def table(self) -> str:
        """Lines of text: each quantity's first settled, highest and last value, and what a day would add."""
        lines = [f"{'process':<24}{'':<14}{'samples':>8}{'settled':>10}{'highest':>10}{'last':>10}{'in 24 h':>12}"]
        for (name, quantity), series in sorted(self.series.items()):
            settled = [value for _, value in series.settled()]
            numbers = f"{settled[0]:>10.1f}{max(settled):>10.1f}{settled[-1]:>10.1f}{series.a_day():>+12.1f}"
            lines.append(f"{name:<24}{quantity:<14}{len(series.samples):>8}{numbers}")
        return "\n".join(lines)

    def _add(self, name: str, quantity: str, seconds: float, value: float) -> None:
        self.series.setdefault((name, quantity), Series()).samples.append((seconds, value))
