"""A change of one service in the text of its file: the lines of the attributes that change, and no other.

Comments, order and spacing of everything else stay as the administrator wrote them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pfdcmd.errors import ServiceFault
from pfdcmd.wire.xinetdconf import parse_service_file

_INDENT = "    "


def format_service(name: str, attributes: Mapping[str, Sequence[str]]) -> str:
    """The text of a file with one service."""
    rows = "".join(_format_row(key, words) for key, words in attributes.items())
    return f"service {name}\n{{\n{rows}}}\n"


def edit_service(text: str, file_name: str, name: str, changes: Mapping[str, Sequence[str] | None]) -> str:
    """The text with attributes of one service set to these words, or, where None, no longer given.

    Raises: ServiceFault: the file has no such service. ServiceFileFault: it cannot be parsed.
    """
    block = next((each for each in parse_service_file(text, file_name).services if each.service == name), None)
    if block is None:
        raise ServiceFault(f"{file_name} declares no service {name!r}.")
    lines = text.split("\n")
    rows = "".join(_format_row(key, words) for key, words in changes.items() if words is not None)
    dropped = {each.line for each in block.assignments if each.name in changes}
    kept_before = [line for number, line in enumerate(lines[: block.last_line - 1], start=1) if number not in dropped]
    return "\n".join([*kept_before, *rows.split("\n")[:-1], *lines[block.last_line - 1 :]])


def _format_row(name: str, words: Sequence[str]) -> str:
    return f"{_INDENT}{name:<20}= {' '.join(words)}".rstrip() + "\n"
