"""What is shown: tables and words for people, one JSON document or CSV for programs.

What servers and PACSs send is text to be shown, never a command to the terminal: control characters are taken out of
it, and nothing in it is read as markup.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from pfdcmd.ctl.tables import GAP, lay_out

# What moves the cursor, or the order of the letters: C0, DEL, C1, lone surrogates, the separators of lines and
# paragraphs, and Unicode's embeddings, overrides and isolates (UAX #9).
_COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SPACES = re.compile(r"[\t\n\v\f\r]+")
_ESCAPED_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# What is not a terminal has no width: its lines are as long as they are.
_UNBOUNDED_COLUMNS = 100_000


def clean(value: object) -> str:
    """One line of text that cannot command a terminal."""
    text = _COMMANDS.sub("", _SPACES.sub(" ", value if isinstance(value, str) else str(value)))
    return "".join(character for character in text if unicodedata.category(character) != "Cs")


def json_text(value: Any, *, is_one_line: bool = False) -> str:
    """One JSON document: letters of every script as they are, what could command a terminal escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=None if is_one_line else 2)
    return _ESCAPED_IN_JSON.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """RFC 4180, with a first line of names."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([clean(row.get(column, "")) for column in columns])
    return text.getvalue()


class ReaderGone(Exception):
    """Whoever read standard output has seen enough."""


class Screen:
    """Where the command writes: what was asked for to standard output, all else to standard error."""

    def __init__(self) -> None:
        self.out = _console(sys.stdout)
        self.err = _console(sys.stderr)

    @property
    def is_terminal(self) -> bool:
        """Whether somebody watches standard error, where what moves is drawn."""
        return self.err.is_terminal

    def json(self, value: Any) -> None:
        """The value as indented JSON text, which is what was asked for."""
        self.write(json_text(value) + "\n")

    def write(self, text: str) -> None:
        """Text that is clean already, or made of lines on purpose, as it stands."""
        try:
            self.out.file.write(text)
            self.out.file.flush()
        except BrokenPipeError:
            raise ReaderGone from None

    def line(self, text: object, style: str = "") -> None:
        """One line of the answer."""
        self.out.print(Text(clean(text), style=style), soft_wrap=True)

    def note(self, text: object, style: str = "") -> None:
        """One line beside the answer."""
        self.err.print(Text(clean(text), style=style), soft_wrap=True)

    def problem(self, message: str, do: str = "") -> None:
        """Say what is wrong, and what to do."""
        self.err.print(Text.assemble(("pfdcmctl: ", "bold red"), clean(message)), soft_wrap=True)
        if do:
            self.note(f"  {do}", "yellow")

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        styles: Mapping[str, str] | None = None,
        whole: str = "",
    ) -> None:
        """A table as wide as the terminal at most (ctl.tables).

        Args: styles: text of a cell -> its colour. whole: the column that is never cut.
        """
        texts = [["" if value is None else clean(value) for value in row] for row in rows]
        colours = styles or {}
        heading, *lines = lay_out(columns, texts, self.out.width, whole)
        self._cells(heading, lambda _: "bold")
        for line in lines:
            self._cells(line, lambda cell: colours.get(cell.strip(), ""))

    def _cells(self, line: Sequence[str], style_of: Callable[[str], str]) -> None:
        text = Text()
        for index, cell in enumerate(line):
            text.append(GAP if index else "")
            text.append(cell, style=style_of(cell))
        self.out.print(text, soft_wrap=True)


class _Console(Console):
    """rich's, which would exit with status 1 here."""

    def on_broken_pipe(self) -> None:
        raise ReaderGone


def _console(file: Any) -> Console:
    """rich honours NO_COLOR, and colours nothing but a terminal."""
    console = _Console(file=file, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _UNBOUNDED_COLUMNS
    return console
