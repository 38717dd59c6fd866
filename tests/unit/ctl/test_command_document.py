"""docs/pfdcmctl.md and --help tell what there is: commands, settings, exit statuses, faults."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pfdcmd.ctl.cli import cli
from pfdcmd.ctl.configuration import FILE_KEYS
from pfdcmd.ctl.problems import EXITS
from pfdcmd.doctor.step import Fault

TEXT = (Path(__file__).parents[3] / "docs" / "pfdcmctl.md").read_text()


def commands(group=cli, above=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*above, name))
        else:
            yield (*above, name)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_is_in_the_document_and_has_help(path):
    rows = [row for row in TEXT.splitlines() if row.startswith("|") and re.search(rf"`{path[0]}\b", row)]
    assert any(re.search(rf"\b{path[-1]}\b", row) for row in rows)
    shown = CliRunner().invoke(cli, [*path, "--help"])
    assert shown.exit_code == 0
    assert "Usage: " in shown.output


@pytest.mark.parametrize("status", EXITS)
def test_every_exit_status_is_told(status):
    assert re.search(rf"^\| {status} \| ", TEXT, re.MULTILINE)
    assert f"  {status:<3} {EXITS[status]}" in cli.epilog


@pytest.mark.parametrize("key", FILE_KEYS)
def test_every_setting_is_told(key):
    assert f"`{key}`" in TEXT
    assert f"`PFDCMCTL_{key.upper()}`" in TEXT


def test_every_fault_of_an_examination_is_told():
    told = set(re.findall(r"`([a-z-]+)`", TEXT))
    assert {fault.value for fault in Fault} <= told
