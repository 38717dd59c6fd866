"""Tables of a report as text for terminals: boxed, and plain with one line for each value.

The shapes, blanks and escape sequences are those of the original, byte for byte: callers split on them. What a PACS
sent can add neither lines nor escape sequences to them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

Row = tuple[str, str]
"""A label and a value."""

_LABEL_WIDTH = 30
_VALUE_WIDTH = 50

_RESET = "\x1b[0m"
# The DEC special graphics of a VT100: l w k are upper corners and tee, m v j lower ones, q and x lines.
_GRAPHICS = "\x1b(0"
_LETTERS = "\x1b(B"
_BAR = f"{_GRAPHICS}x{_LETTERS}"
_LABEL_LINE = "q" * (_LABEL_WIDTH + 2)
_VALUE_LINE = "q" * (_VALUE_WIDTH + 2)

# Control characters, surrogates, line and paragraph separators.
_UNPRINTABLE = frozenset(("Cc", "Cs", "Zl", "Zp"))
# Marks that turn the direction of the text after them, to the end of the line and beyond.
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def boxed(rows: Iterable[Row]) -> str:
    """A box with two columns. A value too long for its column goes on in the next line."""
    lines = [f"{_GRAPHICS}l{_LABEL_LINE}w{_VALUE_LINE}k{_LETTERS}"]
    for label, value in rows:
        labels = _wrap(printable(label), _LABEL_WIDTH)
        values = _wrap(printable(value), _VALUE_WIDTH)
        for index in range(max(len(labels), len(values))):
            left = _pad_right(labels[index] if index < len(labels) else "", _LABEL_WIDTH)
            right = _pad_right(values[index] if index < len(values) else "", _VALUE_WIDTH)
            lines.append(f"{_BAR} {left}{_RESET} {_BAR} {right}{_RESET} {_BAR}")
    lines.append(f"{_GRAPHICS}m{_LABEL_LINE}v{_VALUE_LINE}j{_LETTERS}")
    return "\n".join(lines)


def plain(rows: Iterable[Row]) -> str:
    """One line for each row, both columns flush right; a long value is shown whole."""
    return "".join(
        f"{_pad_left(printable(label), _LABEL_WIDTH)}{_pad_left(printable(value), _VALUE_WIDTH)}{_RESET}\n"
        for label, value in rows
    )


def printable(text: str) -> str:
    """The text with a blank for each character that would break a line or command the terminal."""
    return "".join(
        " " if unicodedata.category(character) in _UNPRINTABLE or character in _DIRECTION_MARKS else character
        for character in text
    )


def display_width(text: str) -> int:
    """How many cells of a terminal the text takes: two for a wide character, none for a combining one."""
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _pad_right(text: str, width: int) -> str:
    return text + " " * (width - display_width(text))


def _pad_left(text: str, width: int) -> str:
    return " " * (width - display_width(text)) + text


def _wrap(text: str, width: int) -> list[str]:
    return list(_pieces(text, width)) or [""]


def _pieces(text: str, width: int) -> Iterator[str]:
    piece, used = "", 0
    for character in text:
        cells = _cells(character)
        if used + cells > width:
            yield piece
            piece, used = "", 0
        piece, used = piece + character, used + cells
    if piece:
        yield piece
