"""`python -m tests.bench.plot FIGURES.json OUT.png`: the ingest benchmark's medians as bars, with their spread."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

COLOURS = {
    "pfdcm durable": "#1b6ca8",
    "pfdcm written": "#63a8d8",
    "floor durable": "#444444",
    "floor written": "#999999",
}
PEER_COLOURS = ("#c8553d", "#e08e45", "#8a6fa8", "#7a9e4f", "#b8a04a")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plot", description=__doc__)
    parser.add_argument("figures", type=Path, help="what `python -m tests.bench.ingest --json` wrote")
    parser.add_argument("picture", type=Path, help="where the PNG goes")
    arguments = parser.parse_args()
    mpl.use("Agg")
    draw(json.loads(arguments.figures.read_text()), arguments.picture)
    return 0


def draw(figures: dict[str, dict[str, dict[str, list[float]]]], picture: Path) -> None:
    """One group of bars for each row, on a logarithmic scale: the slowest peer takes a hundred times as long."""
    bars = [(row, receiver, times) for row, kinds in figures.items() for receiver, times in kinds["seconds"].items()]
    peers = sorted({receiver for _, receiver, _ in bars} - COLOURS.keys())
    colours = COLOURS | {peer: PEER_COLOURS[i % len(PEER_COLOURS)] for i, peer in enumerate(peers)}
    chart, axes = plt.subplots(figsize=(10, 0.28 * len(bars) + 1.5))
    position, ticks = 0.0, []
    for row in figures:
        group = [(receiver, times) for each, receiver, times in bars if each == row]
        for receiver, times in group:
            median = statistics.median(times)
            spread = [[median - min(times)], [max(times) - median]]
            axes.barh(position, median, xerr=spread, height=0.85, color=colours[receiver], ecolor="#222222")
            ticks.append((position, f"{row}: {receiver}"))
            position += 1
        position += 0.6
    axes.set_yticks([at for at, _ in ticks], [text for _, text in ticks], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("seconds until every image is there (median, min to max)")
    axes.grid(axis="x", alpha=0.3)
    chart.tight_layout()
    chart.savefig(picture, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
