"""xinetd's service files: text to blocks, and the tree's values to the text that the original wrote.

A file is a list of blocks, one `{` or `}` or `attribute operator value ...` a line; words are parted by white space and
cannot be quoted; `=` sets, `+=` adds, `-=` takes away; a line whose first character is `#` is a comment; outside of the
blocks `include FILE` and `includedir DIRECTORY` may stand.
Source: xinetd.conf(5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from pfdcmd.errors import ServiceFault, ServiceFileFault
from pfdcmd.names import parse_port
from pfdcmd.service.attributes import CUMULATIVE
from pfdcmd.service.blocks import Assignment, Block, Include, ServiceFile
from pfdcmd.service.values import check_directory

SERVICE_NAME = "dicomlistener"
BIND = "0.0.0.0"

_MAX_LENGTH = 65_536
_MAX_BLOCKS = 1024
_MAX_INCLUDES = 64
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*(?P<operator>\+=|-=|=)(?P<values>.*)\Z")
_DEFAULTS = "defaults"
_HAS_DEFAULTS = re.compile(r"^[ \t]*defaults\b", re.MULTILINE)


def format_service_file(binaries: Mapping[str, object], xinetd: Mapping[str, object], bind: str = BIND) -> str:
    """The listener's service file, to the byte as the original wrote it.

    Args:   binaries: the tree's /bin, of which `listener` and `storescp` are used.
            xinetd: the tree's /xinetd: `servicePort tmpDir logDir dataDir`.
            bind: the address of the interface; the original's is every one.
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
        ("bind", f"{bind}  "),
    ]
    body = "".join(f"            {name:<20}= {value}\n" for name, value in rows)
    return f"\n        service {SERVICE_NAME} \n        {{\n{body}        }} "


def parse_service_file(text: str, file_name: str) -> ServiceFile:
    """Read a service file: its blocks and includes in their order.

    Raises: ServiceFileFault: with `file_name` and the line.
    """
    return _Parser(file_name).parse(text)


def may_hold_defaults(text: str) -> bool:
    """Whether a file that cannot be parsed looks as if it had a defaults block, without which no service is certain."""
    return _HAS_DEFAULTS.search(text) is not None


class _Parser:
    """One pass over one file: which block is open, and what has been read."""

    def __init__(self, file_name: str) -> None:
        self._file_name = file_name
        self._line = 0
        self._header: tuple[str, str, int] | None = None
        self._assignments: list[Assignment] | None = None
        self._defaults: Block | None = None
        self._services: list[Block] = []
        self._includes: list[Include] = []

    def parse(self, text: str) -> ServiceFile:
        if len(text) > _MAX_LENGTH:
            self._refuse(f"the file is longer than {_MAX_LENGTH} characters")
        for self._line, raw_line in enumerate(text.split("\n"), start=1):
            line = raw_line.strip()
            if line and not line.startswith("#"):
                self._take(line)
        if self._header is not None:
            self._refuse(f"the block of line {self._header[2]} is not closed by }}")
        return ServiceFile(self._file_name, self._defaults, tuple(self._services), tuple(self._includes))

    def _refuse(self, reason: str) -> NoReturn:
        raise ServiceFileFault(f"{self._file_name}:{self._line}: {reason}.")

    def _take(self, line: str) -> None:
        if self._header is None:
            self._open(line.split())
        elif self._assignments is None:
            if line != "{":
                self._refuse("a block must begin with { on a line of its own")
            self._assignments = []
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
            self._include(words)
        else:
            self._refuse("expected 'service NAME', 'defaults', 'include FILE' or 'includedir DIRECTORY'")

    def _include(self, words: list[str]) -> None:
        if len(words) != 2:
            self._refuse(f"{words[0]} takes one path")
        try:
            path = check_directory(words[1], words[0])
        except ServiceFault as fault:
            self._refuse(fault.message.rstrip("."))
        if len(self._includes) == _MAX_INCLUDES:
            self._refuse(f"there are more than {_MAX_INCLUDES} includes")
        self._includes.append(Include(path, words[0] == "includedir", self._line))

    def _assign(self, line: str) -> None:
        match = _ASSIGNMENT.match(line)
        if match is None or self._assignments is None:
            self._refuse("expected 'attribute = value ...' or }")
        name, values = match["name"], tuple(match["values"].split())
        if any(not word.isprintable() for word in values):
            self._refuse(f"{name} holds a character that cannot be printed")
        before = next((each for each in self._assignments if each.name == name), None)
        if before is not None and name not in CUMULATIVE:
            self._refuse(f"{name} has a value already, from line {before.line}")
        self._assignments.append(Assignment(name, match["operator"], values, self._line))

    def _close(self) -> None:
        if self._header is None or self._assignments is None:
            self._refuse("} without a block")
        kind, name, line = self._header
        block = Block(name, line, self._line, tuple(self._assignments))
        if kind == _DEFAULTS:
            if self._defaults is not None:
                self._refuse("there is a defaults block already")
            self._defaults = block
        else:
            if any(block.service == other.service for other in self._services):
                self._refuse(f"there is a service {block.service!r} already")
            if len(self._services) == _MAX_BLOCKS:
                self._refuse(f"there are more than {_MAX_BLOCKS} services")
            self._services.append(block)
        self._header = self._assignments = None
