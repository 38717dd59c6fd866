"""Options and kinds of values that several commands share; each says in its error what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, TypeVar

import click

from pfdcmd.ctl.problems import Problem
from pfdcmd.ctl.session import Session, session_of

_Command = TypeVar("_Command", bound=Callable[..., Any])

_UID = re.compile(r"[0-9]+(\.[0-9]+)*\Z")
_UID_MAX_LENGTH = 64
_DICOM_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})\Z", re.ASCII)


class Uid(click.ParamType[str]):
    """A UID of PS3.5 section 9.1, without wildcards."""

    name = "UID"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        if len(text) > _UID_MAX_LENGTH or not _UID.match(text):
            self.fail(
                f"{text[:80]!r} is not a UID: digits and dots, at most 64 characters, such as 1.2.840.113619.2.5. "
                "`pfdcmctl find --json` prints those of a PACS in full.",
                param,
                ctx,
            )
        return text


class Dates(click.ParamType[str]):
    """A day or a range of days, as DICOM matches them (PS3.4 section C.2.2.2.5): 20240131, 20240101-20240131."""

    name = "DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip().lower()
        if text in ("today", "yesterday"):
            day = date.today() - timedelta(days=text == "yesterday")
            return day.strftime("%Y%m%d")
        whole = self._day(text)
        if whole:
            return whole
        begin, separator, end = text.partition(":") if ":" in text else text.partition("-")
        days = [self._day(part) for part in (begin, end)]
        if separator and (begin or end) and all(day or not part for day, part in zip(days, (begin, end), strict=True)):
            return "-".join(day or "" for day in days)
        return self.fail(
            f"{text[:80]!r} is not a date: 2024-01-31 or 20240131, today, yesterday, "
            "or a range such as 2024-01-01:2024-01-31, 20240101- (since), -20240131 (until).",
            param,
            ctx,
        )

    def _day(self, text: str) -> str:
        found = _DICOM_DATE.match(text)
        if not found:
            return ""
        try:
            return date(*map(int, found.groups())).strftime("%Y%m%d")
        except ValueError:
            return ""


class KeyValue(click.ParamType[tuple[str, str]]):
    """KEY=VALUE of a query: a keyword or gggg,eeee; with nothing after the sign, the element is asked back."""

    name = "KEY=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        key, _, wanted = str(value).partition("=")
        if not key.strip():
            self.fail(f"{value!r} has no key: write -k PatientName=DOE*, or -k 0010,0020=123.", param, ctx)
        return key.strip(), wanted


def json_option(command: _Command) -> _Command:
    """--json, as every command has it."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def pacs_option(command: _Command) -> _Command:
    """--pacs; without it the usual PACS, or the only one."""
    return click.option(
        "--pacs",
        "-p",
        metavar="NAME",
        shell_complete=complete_pacs,
        help="The PACS, as `pfdcmctl pacs list` names it. Not needed when there is one, or PFDCMCTL_PACS names it.",
    )(command)


def complete_pacs(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """PACS names for the shell; none when the server does not answer."""
    return _names(context, incomplete, lambda session: session.pacs_names())


def complete_service(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Services' names for the shell."""
    return _names(context, incomplete, lambda session: [entry["service"] for entry in session.call("listener.list")])


def _names(context: click.Context, incomplete: str, ask: Callable[[Session], list[str]]) -> list[str]:
    try:
        return [name for name in ask(session_of(context)) if name.startswith(incomplete)]
    except (Problem, KeyError, TypeError, AttributeError):
        return []
