"""What is shown commands no terminal, and is one document where a program reads it."""

import csv
import io
import json

import pytest

from pfdcmd.ctl.screen import Screen, clean, csv_text, json_text


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("DOE^JANE", "DOE^JANE"),
        ("山田^太郎", "山田^太郎"),
        ("\x1b[2J\x1b]0;owned\x07x", "[2J]0;ownedx"),
        ("a\x9b31mb", "a31mb"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("half\ud800", "half"),
        (12, "12"),
    ],
)
def test_what_is_sent_is_shown_as_one_line_that_commands_nothing(sent, shown):
    assert clean(sent) == shown


def test_a_json_document_says_the_same_without_commanding_the_terminal():
    value = {"name": "\x1b[2J\x9b\u202e\ud800山", "list": [1, None, True]}
    text = json_text(value)
    assert json.loads(text) == value
    assert "山" in text
    assert not {"\x1b", "\x9b", "\u202e", "\ud800"} & set(text)


def test_csv_has_the_columns_in_their_order_and_survives_commas_quotes_and_lines():
    rows = [{"A": 'say "x", y', "B": "1\n2"}, {"B": "only"}]
    assert list(csv.reader(io.StringIO(csv_text(["A", "B"], rows)))) == [
        ["A", "B"],
        ['say "x", y', "1 2"],
        ["", "only"],
    ]


def test_a_table_that_goes_to_no_terminal_is_whole_and_without_colour(capsys):
    Screen().table(["UID", "STATE"], [["1." * 200, "running"]], styles={"running": "green"})
    shown = capsys.readouterr().out
    assert "1." * 200 in shown
    assert "\x1b" not in shown


def test_a_table_fits_a_narrow_terminal(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    Screen().table(["UID", "STATE"], [["1." * 200, "running"]], styles={"running": "green"})
    lines = capsys.readouterr().out.splitlines()
    assert "…" in lines[1]
    assert "\x1b[32mrunning" in lines[1]


def test_markup_in_what_is_sent_is_only_text(capsys):
    screen = Screen()
    screen.line("[bold]x[/bold] [link=http://x]y[/link] :warning:")
    screen.table(["A"], [["[red]z[/red]"]])
    assert capsys.readouterr().out.split("\n")[:3] == [
        "[bold]x[/bold] [link=http://x]y[/link] :warning:",
        "A",
        "[red]z[/red]",
    ]
