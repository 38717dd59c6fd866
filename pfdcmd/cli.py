"""The command line of pfdcm: the original's, and one flag for each setting."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import errno
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from pfdcmd import __version__
from pfdcmd.app import check_pacs_entries, exit_code, make_tree, perform, serve
from pfdcmd.banner import format_banner
from pfdcmd.edge.http.door import open_door
from pfdcmd.edge.http.tokenfile import make_token
from pfdcmd.edge.logs import configure_logs
from pfdcmd.edge.privileges import NO_LONGER_ROOT, become, find_account
from pfdcmd.errors import Fault, ParameterFault
from pfdcmd.settings import FILE_VARIABLE, Settings, convert, format_settings, format_value, read_settings
from pfdcmd.wire.jsontext import format_json

SYNOPSIS = "pfdcm --forever --httpResponse [--ipSelf ADDRESS] [--portSelf PORT] [--startlistener] [more: --help]"

_DESCRIPTION = """\
Answers JSON messages over HTTP: queries a PACS (C-FIND), has it send series (C-MOVE), receives
them with a storage listener of its own, files them, and says what is there."""

_EPILOG = f"""\
examples:
  pfdcm --forever --httpResponse --startlistener
      serve http://127.0.0.1:4055 and receive images on port 10402
  pfdcm --forever --httpResponse --ipSelf 0.0.0.0 --dicomDir /srv/dicom \\
        --setPACS '{{"main": {{"serverIP": "10.0.0.5", "serverPort": "104", "aec": "PACS", "aet": "PFDCM"}}}}'
      serve every interface, file below /srv/dicom, know one PACS from the start
  pfdcm --msg '{{"action": "internalctl", "meta": {{"var": "/xinetd", "get": "value"}}}}'
      print the reply to one message, and end

settings:
  Each flag with a default is a setting. It can also stand in a file (--settingsFile, or
  {FILE_VARIABLE}), or in the environment as PFDCM_ and its key in capitals; --showSettings
  prints the keys. The command line wins over the environment, that over the file.

exit status:
  0  ended as asked, or the reply of --msg has status true
  1  could not start (the port is taken, say), or the reply of --msg has status false
  2  the command line, a setting or a file that it names cannot be used
  A second SIGTERM or SIGINT ends pfdcm at once, by that signal."""

_GROUPS = (
    ("callers", ("ip_self", "port_self", "forever", "http_response")),
    ("the data tree", ("config_file_", "set_pacs")),
    ("the storage listener", ("start_listener", "listener_", "dicom_dir", "service", "state_dir")),
    ("logs", ("verbosity", "debug_to_dir", "log_format")),
    ("PACS: times and limits", ("pacs_",)),
    ("retrieves: times and limits", ("retrieve_",)),
    ("the door", ("enable_token_auth", "token_", "allowed_", "tls_", "roots", "environment_", "user", "audit_")),
    ("callers: times and limits", ("max_", "request_", "socket_")),
    ("object storage (not in this version), proxy", ("",)),
)


_log = logging.getLogger(__name__)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line and exit status 2; --help has the rest."""
        words = " ".join(message.split())
        unknown = re.match(r"unrecognized arguments: (--\w+)", words)
        if unknown:
            meant = difflib.get_close_matches(unknown[1], self._option_string_actions, n=1)
            words = f"There is no option {unknown[1]}{f'; did you mean {meant[0]}?' if meant else '.'}"
        end = "" if words[-1] in ".?" else "."
        self.exit(2, f"{self.prog}: {words}{end} See --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run pfdcm. Returns: the exit status (see --help)."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.version:
        print(f"Version: {__version__}")
    elif options.desc:
        print(format_banner(__version__))
    elif options.synopsis:
        print(SYNOPSIS)
    elif options.makeToken is not None:
        return _make_token(options.makeToken, parser)
    else:
        return _run(options, parser)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser; a setting that the command line does not name is absent from its result."""
    parser = _Parser(
        prog="pfdcm",
        usage=SYNOPSIS,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    once = parser.add_argument_group("instead of serving")
    once.add_argument("--msg", metavar="JSON", help="do what one message asks and print its reply")
    once.add_argument("--test", action="store_true", help="check settings, PACS entries and saved tree; open no port")
    once.add_argument(
        "--makeToken",
        nargs=2,
        metavar=("NAME", "RIGHT"),
        help="print a fresh token, and its line for --tokenPath's file; RIGHT is read, operate or admin",
    )
    once.add_argument("--showSettings", action="store_true", help="print every setting, as a settings file")
    once.add_argument("--version", action="store_true", help="print the version")
    once.add_argument("-x", "--desc", action="store_true", help="print the banner")
    once.add_argument("-y", "--synopsis", action="store_true", help="print the usual command line")
    groups = {title: parser.add_argument_group(title) for title, _ in _GROUPS}
    for setting in fields(Settings):
        title = next(title for title, prefixes in _GROUPS if setting.name.startswith(prefixes))
        _add_setting(groups[title], setting.name, setting.default, setting.metadata)
    groups["logs"].add_argument("--debug", action="store_true", help="the same as --verbosity 2")
    other = parser.add_argument_group("other")
    other.add_argument("--settingsFile", metavar="FILE", help=f"read settings from FILE; or {FILE_VARIABLE}")
    other.add_argument("--server", action="store_true", help="serve; this is what pfdcm does anyway")
    return parser


def _make_token(name_and_right: Sequence[str], parser: argparse.ArgumentParser) -> int:
    name, right = name_and_right
    try:
        token, line = make_token(name, right)
    except ParameterFault as fault:
        parser.error(fault.message.removeprefix("Line 1: "))
    print(f"token: {token}\nline:  {line}")
    return 0


def _add_setting(group: Any, key: str, default: Any, facts: Any) -> None:
    flags = ["-v", facts["flag"]] if key == "verbosity" else [facts["flag"]]
    why = facts["why"].replace("%", "%%")
    if isinstance(default, bool):
        group.add_argument(*flags, dest=key, action="store_true", default=argparse.SUPPRESS, help=why)
        return
    shown = f" (default: {format_value(default)})" if default != "" else ""
    unit = facts["unit"].upper() or "KIND"
    group.add_argument(*flags, dest=key, metavar=unit, default=argparse.SUPPRESS, help=f"{why}{shown}")


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    try:
        settings = _settings(options)
    except ParameterFault as fault:
        parser.error(fault.message)
    if options.showSettings:
        print(format_settings(settings), end="")
        return 0
    try:
        account = None if options.test else find_account(settings)
        if account is not None:
            become(account, settings, os.environ)
    except ParameterFault as fault:
        parser.error(fault.message)
    try:
        configure_logs(settings.verbosity_level, settings.debug_to_dir, settings.log_format)
    except OSError as error:
        print(f"pfdcm: {settings.debug_to_dir} cannot be logged to: {error.strerror} (--debugToDir)", file=sys.stderr)
        return 1
    try:
        if options.test:
            open_door(settings)
            check_pacs_entries(make_tree(settings, os.environ, Path(settings.service_file), is_strict=True))
            print("The settings, the PACS entries and the saved tree can be used.")
            return 0
        if options.msg is not None:
            reply = asyncio.run(perform(settings, os.environ, os.fsencode(options.msg)))
            print(format_json(reply))
            return 0 if reply.get("status") is True else 1
        if account is not None:
            _log.info(NO_LONGER_ROOT, account.pw_name)
        asyncio.run(serve(settings, os.environ))
    except Fault as fault:
        print(f"pfdcm: {fault.message}", file=sys.stderr)
        return exit_code(fault)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except OSError as error:
        print(f"pfdcm: {_why_not_open(error, settings)}", file=sys.stderr)
        return 1
    return 0


def _why_not_open(error: OSError, settings: Settings) -> str:
    """What stands against the port, and the option to change."""
    where = f"Port {settings.port_self} of {settings.ip_self}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is taken by another program; choose another with --portSelf."
    if error.errno == errno.EACCES:
        return f"{where} may not be opened by this user; choose one above 1023 with --portSelf."
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{settings.ip_self} is not an address of this machine; choose one with --ipSelf."
    return f"{where} cannot be opened: {error.strerror or error}."


def _settings(options: argparse.Namespace) -> Settings:
    keys = {setting.name for setting in fields(Settings)}
    named = {key: value for key, value in vars(options).items() if key in keys}
    if options.debug:
        named.setdefault("verbosity", "2")
    try:
        values = {key: convert(key, value) if isinstance(value, str) else value for key, value in named.items()}
    except ParameterFault as fault:
        raise ParameterFault(f"{fault.message} (on the command line)") from fault
    file = options.settingsFile or os.environ.get(FILE_VARIABLE)
    return read_settings(file=Path(file) if file else None, environ=os.environ, options=values)
