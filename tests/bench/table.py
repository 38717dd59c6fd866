"""Figures of several rounds as a table: medians, and the ratios peer/ours round by round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def spread(values: Sequence[float], unit: str = "") -> str:
    """`median (min-max)`."""
    return f"{statistics.median(values):.2f}{unit} ({min(values):.2f}-{max(values):.2f})"


def ratios(peer: Sequence[float], ours: Sequence[float]) -> list[float]:
    """How many times as long the peer took, round by round."""
    return [theirs / mine for theirs, mine in zip(peer, ours, strict=True)]


def render(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [header, ["-" * width for width in widths], *rows]
    ]
    return "\n".join(lines)
