"""Dates, UIDs and keys as people type them."""

import click
import pytest

from pfdcmd.ctl.options import Dates, KeyValue, Uid


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("20240131", "20240131"),
        ("2024-01-31", "20240131"),
        ("2024-01-01:2024-01-31", "20240101-20240131"),
        ("20240101-20240131", "20240101-20240131"),
        ("20240101-", "20240101-"),
        ("2024-01-01:", "20240101-"),
        ("-20240131", "-20240131"),
        (" 20240229 ", "20240229"),
    ],
)
def test_dates(typed, asked):
    assert Dates().convert(typed, None, None) == asked


@pytest.mark.parametrize(
    "typed", ["", "-", ":", "2024", "20240230", "31.01.2024", "20240101-x", "tomorrow", "٢٠٢٤٠١٠١"]
)
def test_what_is_no_date_is_answered_with_how_to_write_one(typed):
    with pytest.raises(click.BadParameter, match="2024-01-31 or 20240131"):
        Dates().convert(typed, None, None)


@pytest.mark.parametrize("typed", ["", "abc", "1.2.*", "1..2", "1.2.", "1" * 65])
def test_what_is_no_uid(typed):
    with pytest.raises(click.BadParameter, match="digits and dots"):
        Uid().convert(typed, None, None)


def test_spaces_around_a_uid_are_no_part_of_it():
    assert Uid().convert(" 1.2.840\n", None, None) == "1.2.840"


@pytest.mark.parametrize(
    ("typed", "pair"),
    [
        ("PatientName=DOE*", ("PatientName", "DOE*")),
        ("PatientName", ("PatientName", "")),
        ("0010,0020=a=b", ("0010,0020", "a=b")),
    ],
)
def test_keys(typed, pair):
    assert KeyValue().convert(typed, None, None) == pair


def test_a_value_without_a_key():
    with pytest.raises(click.BadParameter, match="has no key"):
        KeyValue().convert("=x", None, None)
