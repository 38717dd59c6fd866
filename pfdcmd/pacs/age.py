"""A patient's age at a study, for the PACSs that leave PatientAge out."""

from __future__ import annotations

import re
from datetime import date

_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})\Z", re.ASCII)

_MAX_YEARS = 999
_DAYS_SHOWN_BELOW_DAYS = 28
_WEEKS_SHOWN_BELOW_DAYS = 91
_MONTHS_SHOWN_BELOW_YEARS = 2


def age_at(birth_date: str | None, study_date: str | None) -> str | None:
    """The age as PS3.5's value representation AS has it: nnnD below 4 weeks, nnnW below 13 weeks, nnnM below 2 years,
    else nnnY, always of completed units; None when a date is unknown or the study was before the birth.

    Args: dates as DA ("19700131", also with the dots of ACR-NEMA).
    """
    born, then = _parse_date(birth_date), _parse_date(study_date)
    if born is None or then is None or then < born:
        return None
    days = (then - born).days
    months = (then.year - born.year) * 12 + then.month - born.month - (then.day < born.day)
    years = months // 12
    if days < _DAYS_SHOWN_BELOW_DAYS:
        return f"{days:03d}D"
    if days < _WEEKS_SHOWN_BELOW_DAYS:
        return f"{days // 7:03d}W"
    if years < _MONTHS_SHOWN_BELOW_YEARS:
        return f"{months:03d}M"
    return f"{years:03d}Y" if years <= _MAX_YEARS else None


def _parse_date(text: str | None) -> date | None:
    match = _DATE.match(text or "")
    if match is None:
        return None
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError:
        return None
