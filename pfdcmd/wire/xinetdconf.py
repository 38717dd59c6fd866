"""xinetd's service files: text to declarations, and the tree's values to the text that the original wrote.

A file is a list of blocks, one `{` or `}` or `attribute operator value ...` a line; words are parted by white space and
cannot be quoted; `=` sets, `+=` adds, `-=` takes away; a `defaults` block holds for the services that do not say
otherwise; a line whose first character is `#` is a comment.
Source: xinetd.conf(5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from pfdcmd.errors import ServiceFileFault
from pfdcmd.names import parse_port
from pfdcmd.service.config import Attribute, Declaration, check_directory

SERVICE_NAME = "dicomlistener"
BIND = "0.0.0.0"

_MAX_LENGTH = 65_536
_MAX_SERVICES = 256
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*(?P<operator>\+=|-=|=)(?P<values>.*)\Z")
_DEFAULTS = "defaults"


def format_service_file(binaries: Mapping[str, object], xinetd: Mapping[str, object]) -> str:
    """The listener's service file, to the byte as the original wrote it.

    Args:   binaries: the tree's /bin, of which `listener` and `storescp` are used.
            xinetd: the tree's /xinetd: `servicePort tmpDir logDir dataDir`.
    Raises: ServiceFault, ParameterFault: a value is missing or would not be one word of the file; names the leaf.
    """
    server = check_directory(binaries.get("listener"), "/bin/listener")
    storescp = check_directory(binaries.get("storescp"), "/bin/storescp")
    tmp_dir, log_dir, data_dir = (
        check_directory(xinetd.get(k), f"/xinetd/{k}") for k in ("tmpDir", "logDir", "dataDir")
    )
    port = parse_port(xinetd.get("servicePort"), "/xinetd/servicePort")
    rows = [
        ("disable", "no"),
        ("socket_type", "stream"),
        ("wait", "no"),
        ("user", "root"),
        ("server", server),
        ("server_args", f"-e {storescp} -t {tmp_dir} -l {log_dir} -d {data_dir}"),
        ("type", "UNLISTED"),
        ("port", str(port)),
        ("bind", f"{BIND}  "),
    ]
    body = "".join(f"            {name:<20}= {value}\n" for name, value in rows)
    return f"\n        service {SERVICE_NAME} \n        {{\n{body}        }} "


def parse_service_file(text: str, file_name: str) -> list[Declaration]:
    """Read a service file: its services in their order, the defaults merged in.

    Raises: ServiceFileFault: with `file_name` and the line.
    """
    return _Parser(file_name).parse(text)


class _Parser:
    """One pass over one file: which block is open, and what has been read."""

    def __init__(self, file_name: str) -> None:
        self._file_name = file_name
        self._line = 0
        self._header: tuple[str, str, int] | None = None
        self._block: dict[str, list[tuple[str, Attribute]]] | None = None
        self._defaults: dict[str, Attribute] | None = None
        self._pending: list[tuple[str, int, dict[str, list[tuple[str, Attribute]]]]] = []

    def parse(self, text: str) -> list[Declaration]:
        if len(text) > _MAX_LENGTH:
            self._refuse(f"the file is longer than {_MAX_LENGTH} characters")
        for self._line, raw_line in enumerate(text.split("\n"), start=1):
            line = raw_line.strip()
            if line and not line.startswith("#"):
                self._take(line)
        if self._header is not None:
            self._refuse(f"the block of line {self._header[2]} is not closed by }}")
        defaults = self._defaults or {}
        return [
            Declaration(name, self._file_name, line, self._merge(block, defaults))
            for name, line, block in self._pending
        ]

    def _refuse(self, reason: str) -> NoReturn:
        raise ServiceFileFault(f"{self._file_name}:{self._line}: {reason}.")

    def _take(self, line: str) -> None:
        if self._header is None:
            self._open(line.split())
        elif self._block is None:
            if line != "{":
                self._refuse("a block must begin with { on a line of its own")
            self._block = {}
        elif line == "}":
            self._close()
        else:
            self._assign(line)

    def _open(self, words: list[str]) -> None:
        if words == [_DEFAULTS]:
            self._header = (_DEFAULTS, "", self._line)
        elif len(words) == 2 and words[0] == "service":
            self._header = ("service", words[1], self._line)
        elif words[0] in ("include", "includedir"):
            self._refuse(f"{words[0]} is not followed: a service file stands alone")
        else:
            self._refuse("expected 'service NAME' or 'defaults'")

    def _assign(self, line: str) -> None:
        match = _ASSIGNMENT.match(line)
        if match is None or self._block is None:
            self._refuse("expected 'attribute = value ...' or }")
        values = tuple(match["values"].split())
        if any(not word.isprintable() or set(word) & set("{}") for word in values):
            self._refuse(f"{match['name']} holds a brace or a character that cannot be printed")
        assignments = self._block.setdefault(match["name"], [])
        if match["operator"] == "=" and assignments:
            self._refuse(f"{match['name']} has a value already, from line {assignments[0][1].line}")
        assignments.append((match["operator"], Attribute(values, self._line)))

    def _close(self) -> None:
        if self._header is None or self._block is None:
            self._refuse("} without a block")
        kind, name, line = self._header
        if kind == _DEFAULTS:
            if self._defaults is not None:
                self._refuse("there is a defaults block already")
            self._defaults = self._merge(self._block, {})
        else:
            if any(name == other for other, _, _ in self._pending):
                self._refuse(f"there is a service {name!r} already")
            if len(self._pending) == _MAX_SERVICES:
                self._refuse(f"there are more than {_MAX_SERVICES} services")
            self._pending.append((name, line, self._block))
        self._header = self._block = None

    @staticmethod
    def _merge(
        block: Mapping[str, list[tuple[str, Attribute]]], defaults: Mapping[str, Attribute]
    ) -> dict[str, Attribute]:
        """Carry the assignments out, in their order, on top of the defaults."""
        merged = dict(defaults)
        for name, assignments in block.items():
            for operator, attribute in assignments:
                before = merged[name].values if name in merged else ()
                if operator == "=":
                    values = attribute.values
                elif operator == "+=":
                    values = before + attribute.values
                else:
                    values = tuple(word for word in before if word not in attribute.values)
                merged[name] = Attribute(values, attribute.line)
        return merged
