"""Tables fit a width, and what is there to be copied is whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pfdcmd.ctl.tables import lay_out

COLUMNS = ["DATE", "NAME", "STUDY"]
ROWS = [["20240131", "DOE^JANE^WITH A LONG NAME", "1.2.840.113619.2.5"], ["20240201", "山田^太郎", "1.2.3"]]


def _text(lines):
    return ["  ".join(line) for line in lines]


def test_what_fits_is_one_line_a_row():
    assert _text(lay_out(COLUMNS, ROWS, 100, "STUDY")) == [
        "DATE      NAME                       STUDY",
        "20240131  DOE^JANE^WITH A LONG NAME  1.2.840.113619.2.5",
        "20240201  山田^太郎                  1.2.3",
    ]


def test_a_uid_that_does_not_fit_beside_the_rest_follows_whole_on_a_line_of_its_own():
    assert _text(lay_out(COLUMNS, ROWS, 30, "STUDY")) == [
        "DATE      NAME",
        "20240131  DOE^JANE^WITH A LON…",
        "    1.2.840.113619.2.5",
        "20240201  山田^太郎",
        "    1.2.3",
    ]


def test_without_rows_there_is_the_heading():
    assert _text(lay_out(COLUMNS, [], 80, "STUDY")) == ["DATE  NAME  STUDY"]


def test_the_widest_column_is_cut_first():
    assert _text(lay_out(["A", "B"], [["short", "x" * 50]], 20)) == ["A      B", "short  xxxxxxxxxxxx…"]


@pytest.mark.parametrize("width", [20, 30, 80])
@given(rows=st.lists(st.lists(st.text("aä山 ", max_size=60), min_size=3, max_size=3), max_size=5))
def test_no_line_is_wider_than_the_terminal(width, rows):
    for line in lay_out(["A", "B", "C"], rows, width):
        assert cell_len("  ".join(line)) <= width
