"""A table laid out for a width: columns are cut before lines wrap, and what is there to be copied is never cut."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

GAP = "  "
INDENT = "    "
_NARROWEST = 4
_ELLIPSIS = "…"

Line = list[str]
"""The cells of one line, padded; the last one is not."""


def lay_out(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, whole: str = "") -> list[Line]:
    """The heading and the rows as lines of at most `width` cells of the terminal, if that can be.

    Args: whole: a column that is never cut. Where the lines would be too long with it, it follows on a line of its own.
    """
    if whole in columns and _total(_widths(columns, rows)) > width:
        return _with_lines_below(columns, rows, width, columns.index(whole))
    widths = _fit(_widths(columns, rows), width)
    return [_line(row, widths) for row in (columns, *rows)]


def _with_lines_below(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, apart: int) -> list[Line]:
    others = [[cell for index, cell in enumerate(row) if index != apart] for row in (columns, *rows)]
    widths = _fit(_widths(others[0], others[1:]), width)
    lines = [_line(others[0], widths)]
    for row, rest in zip(rows, others[1:], strict=True):
        lines += [_line(rest, widths), [f"{INDENT}{row[apart]}"]]
    return lines


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(cell_len(row[index]) for row in (columns, *rows)) for index in range(len(columns))]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _fit(widths: Sequence[int], width: int) -> list[int]:
    """The widths with the widest cut, again and again, until the line fits or all are at their narrowest."""
    fitted = list(widths)
    while _total(fitted) > width:
        widest = max(range(len(fitted)), key=fitted.__getitem__)
        if fitted[widest] <= _NARROWEST:
            break
        second = max((each for index, each in enumerate(fitted) if index != widest), default=0)
        excess = _total(fitted) - width
        fitted[widest] = max(_NARROWEST, fitted[widest] - excess, min(second - 1, fitted[widest] - 1))
    return fitted


def _line(row: Sequence[str], widths: Sequence[int]) -> Line:
    cells = [_cut(cell, size) for cell, size in zip(row, widths, strict=True)]
    return [*(set_cell_size(cell, size) for cell, size in zip(cells[:-1], widths[:-1], strict=True)), *cells[-1:]]


def _cut(text: str, size: int) -> str:
    if cell_len(text) <= size:
        return text
    return set_cell_size(text, size - 1) + _ELLIPSIS
