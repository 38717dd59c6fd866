"""find: what a PACS has."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import click

from pfdcmd.ctl.options import Dates, KeyValue, Uid, json_option, pacs_option
from pfdcmd.ctl.problems import WrongUse
from pfdcmd.ctl.screen import csv_text, json_text
from pfdcmd.ctl.session import PACS_SECONDS, Session, with_session

_NO_VALUE = "no value provided"
_LEVELS = ("patient", "study", "series", "image")

# What a table shows of each level, the most telling first; a level's UID is always asked for.
_COLUMNS = {
    "patient": ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    "study": ("StudyDate", "PatientID", "PatientName", "ModalitiesInStudy", "StudyDescription", "StudyInstanceUID"),
    "series": ("Modality", "SeriesNumber", "SeriesDescription", "NumberOfSeriesRelatedInstances", "SeriesInstanceUID"),
    "image": ("InstanceNumber", "SOPClassUID", "SOPInstanceUID"),
}
_ALSO_ASKED = {"study": ("AccessionNumber",), "series": ("StudyInstanceUID",), "image": ("SeriesInstanceUID",)}
_HEADINGS = {
    "StudyDate": "DATE",
    "PatientID": "PATIENT",
    "PatientName": "NAME",
    "PatientBirthDate": "BORN",
    "PatientSex": "SEX",
    "ModalitiesInStudy": "MOD",
    "Modality": "MOD",
    "StudyDescription": "DESCRIPTION",
    "SeriesDescription": "DESCRIPTION",
    "StudyInstanceUID": "STUDY",
    "SeriesInstanceUID": "SERIES",
    "SeriesNumber": "NO",
    "InstanceNumber": "NO",
    "NumberOfSeriesRelatedInstances": "IMAGES",
    "SOPClassUID": "CLASS",
    "SOPInstanceUID": "IMAGE",
}


@click.command()
@click.option("--patient-id", metavar="ID", help="PatientID; * and ? stand for any characters here and below.")
@click.option("--name", metavar="NAME", help="PatientName, as DOE^JANE or DOE*.")
@click.option("--study", metavar="UID", type=Uid(), help="StudyInstanceUID: look into this study.")
@click.option("--series", metavar="UID", type=Uid(), help="SeriesInstanceUID: look into this series.")
@click.option("--accession", metavar="NUMBER", help="AccessionNumber.")
@click.option("--modality", metavar="MOD", help="CT, MR, ...")
@click.option(
    "--date", metavar="DATE", type=Dates(), help="StudyDate: 2024-01-31, today, 2024-01-01:2024-01-31, 20240101-."
)
@click.option(
    "-k",
    "--key",
    "keys",
    metavar="KEY=VALUE",
    type=KeyValue(),
    multiple=True,
    help="Any other keyword, or gggg,eeee; without a value it is shown.",
)
@click.option(
    "--level",
    type=click.Choice(_LEVELS, case_sensitive=False),
    help="What to list. [default: study; series with --study; image with --series]",
)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="At most so many.")
@pacs_option
@click.option("--table", "form", flag_value="table", default="table", help="A table for people (as without it).")
@click.option("--csv", "form", flag_value="csv", help="Lines for a spreadsheet.")
@click.option("--output", "-o", metavar="FILE", help="Write the CSV or JSON to a file instead.")
@json_option
@with_session
def find(
    session: Session,
    patient_id: str | None,
    name: str | None,
    study: str | None,
    series: str | None,
    accession: str | None,
    modality: str | None,
    date: str | None,
    keys: tuple[tuple[str, str], ...],
    level: str | None,
    limit: int,
    pacs: str | None,
    form: str,
    output: str | None,
    as_json: bool,
) -> None:
    """Ask a PACS what it has.

    \b
    pfdcmctl find --patient-id 1234
    pfdcmctl find --name 'DOE*' --date 2024-01-01:2024-03-31 --modality MR
    pfdcmctl find --study 1.2.840.113619.2.5                the series of a study
    pfdcmctl find -k BodyPartExamined=HEAD --level series --study 1.2.840.113619.2.5 --csv -o series.csv
    """
    form = "json" if as_json else form
    if output and form == "table":
        raise WrongUse("--output goes with --csv or --json.", f"Add one: pfdcmctl find ... --csv --output {output}")
    level = level or ("image" if series else "series" if study else "study")
    matched = {
        "PatientID": patient_id,
        "PatientName": name,
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "AccessionNumber": accession,
        "ModalitiesInStudy" if level == "study" else "Modality": modality,
        "StudyDate": date,
    }
    given = {key: value for key, value in matched.items() if value is not None} | dict(keys)
    columns = [*_COLUMNS[level], *(key for key, _ in keys if key not in _COLUMNS[level])]
    asked = dict.fromkeys((*columns, *_ALSO_ASKED.get(level, ())), "")
    pacs = session.pacs(pacs)
    if output:
        _check_writable(Path(output))
    query = {"pacs": pacs, "level": level.upper(), "keys": asked | given, "limit": limit}
    matches = session.call("pacs.find", **query, seconds=PACS_SECONDS)
    _answer(session, form, columns, list(asked), matches, output)
    if len(matches) >= limit:
        session.screen.note(f"There may be more than these {limit}: raise --limit, or narrow the keys.", "yellow")


def _answer(
    session: Session,
    form: str,
    columns: list[str],
    keys: list[str],
    matches: list[dict[str, Any]],
    output: str | None,
) -> None:
    """columns: what a table shows; keys: what a CSV file holds."""
    if form == "json":
        _emit(session, json_text(matches) + "\n", output)
    elif form == "csv":
        _emit(session, csv_text(keys, matches), output)
    else:
        _show(session, columns, matches)


def _show(session: Session, columns: list[str], matches: list[dict[str, Any]]) -> None:
    if not matches:
        session.screen.note("Nothing matches.")
        return
    rows = [[_shown(match.get(column, "")) for column in columns] for match in matches]
    uid = next((column for column in columns if column.endswith("InstanceUID")), "")
    headings = [_HEADINGS.get(column, column) for column in columns]
    session.screen.table(headings, rows, whole=_HEADINGS.get(uid, ""))


def _shown(value: str) -> str:
    """A PACS that gave no value is not quoted as if it had."""
    return "" if value == _NO_VALUE else value


def _emit(session: Session, text: str, output: str | None) -> None:
    if output is None:
        session.screen.write(text)
        return
    try:
        Path(output).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise _unwritable(output, error) from error
    session.screen.note(f"{output} is written.")


def _check_writable(file: Path) -> None:
    """Before the PACS is asked: whether there is a place for the answer. Raises: WrongUse."""
    try:
        if file.is_dir():
            raise IsADirectoryError(None, "Is a directory")
        if file.exists():
            with file.open("ab"):
                return
        with tempfile.TemporaryFile(dir=file.parent):
            return
    except OSError as error:
        raise _unwritable(str(file), error) from error


def _unwritable(output: str, error: OSError) -> WrongUse:
    reason = error.strerror or os.strerror(error.errno or 0)
    return WrongUse(
        f"{output} cannot be written: {reason}.", "Name a file in a directory that is yours: --output FILE."
    )
