"""How far a retrieve has got: a bar per series on a terminal, a line per change of state elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from pfdcmd.ctl.screen import Screen, clean

_MAX_BARS = 20
"""More series than these share the last bar: a terminal has some 24 lines."""

_LABEL_CHARACTERS = 24
STYLES = {
    "complete": "green",
    "partial": "yellow",
    "failed": "red",
    "cancelled": "yellow",
    "running": "cyan",
    "queued": "dim",
}
"""A state's colour."""


class _Images(ProgressColumn):
    """`17/36 images`; nobody may have said how many there are."""

    def render(self, task: Task) -> Text:
        total = "?" if task.total is None else f"{task.total:.0f}"
        return Text(f"{task.completed:.0f}/{total} images")


class _Rate(ProgressColumn):
    """`12.3/s`: images, of the last half minute."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s", style="magenta")


class Bars:
    """Shows a job; entered before the first and left after the last time."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            _Images(),
            _Rate(),
            TimeRemainingColumn(compact=True),
            console=screen.err,
            expand=True,
            disable=not screen.is_terminal,
        )
        self._bars: dict[str, TaskID] = {}
        self._states: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, job: Mapping[str, Any]) -> None:
        """Draw, or write, what is new of the job."""
        series = job.get("series", [])
        if not self._screen.is_terminal:
            self._write(series)
            return
        for one in series[:_MAX_BARS]:
            self._draw(
                str(one["series"]), label(str(one["series"])), one["received"], one["expected"], str(one["state"])
            )
        rest = series[_MAX_BARS:]
        if rest:
            known = [one["expected"] for one in rest if one["expected"] is not None]
            expected = sum(known) if len(known) == len(rest) else None
            states = {str(one["state"]) for one in rest}
            state = states.pop() if len(states) == 1 else "running"
            self._draw("", f"{len(rest)} more series", sum(one["received"] for one in rest), expected, state)

    def _draw(self, key: str, text: str, received: int, expected: int | None, state: str) -> None:
        if key not in self._bars:
            self._bars[key] = self._progress.add_task("", total=None)
        style = STYLES.get(state, "")
        description = f"[{style}]{text}[/{style}]" if style else text
        total = received if expected is None and state == "complete" else expected
        self._progress.update(self._bars[key], completed=received, total=total, description=description)

    def _write(self, series: list[Mapping[str, Any]]) -> None:
        for one in series:
            uid, state = str(one["series"]), str(one["state"])
            if self._states.get(uid) != state:
                self._states[uid] = state
                expected = "?" if one["expected"] is None else one["expected"]
                self._screen.note(f"{uid} {state}: {one['received']}/{expected} images")


def label(uid: str) -> str:
    """The end of a UID, which is what tells those of one study apart."""
    text = clean(uid).replace("[", "")
    return text if len(text) <= _LABEL_CHARACTERS else f"…{text[1 - _LABEL_CHARACTERS :]}"
