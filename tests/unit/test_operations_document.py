"""docs/operations.md lists every setting as the table in pfdcmd.settings has it."""

from dataclasses import fields
from pathlib import Path

from pfdcmd.settings import ENVIRONMENT_PREFIX, Settings, format_value

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"


def settings_table() -> str:
    rows = ["| key | option | default | what it does |", "|---|---|---|---|"]
    for setting in fields(Settings):
        default = format_value(setting.default)
        unit = f" ({setting.metadata['unit']})" if setting.metadata["unit"] else ""
        shown = f"`{default}`" if default else "none"
        rows.append(f"| `{setting.name}` | `{setting.metadata['flag']}` | {shown} | {setting.metadata['why']}{unit} |")
    return "\n".join(rows)


def test_every_setting_is_in_the_document() -> None:
    assert settings_table() in DOCUMENT.read_text(), f"The table should read:\n{settings_table()}"


def test_the_document_names_the_environments_prefix() -> None:
    assert f"`{ENVIRONMENT_PREFIX}`" in DOCUMENT.read_text()
