"""pfdcmctl: the options before the command, the list of commands, and the exit status of what went wrong."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pfdcmd.ctl.commands.call import call
from pfdcmd.ctl.commands.completion import completion
from pfdcmd.ctl.commands.doctor import doctor
from pfdcmd.ctl.commands.files import copy, tags
from pfdcmd.ctl.commands.find import find
from pfdcmd.ctl.commands.health import health
from pfdcmd.ctl.commands.jobs import cancel, jobs, status
from pfdcmd.ctl.commands.listener import listener
from pfdcmd.ctl.commands.pacs import pacs
from pfdcmd.ctl.commands.retrieve import retrieve
from pfdcmd.ctl.commands.tree import tree
from pfdcmd.ctl.configuration import DEFAULT_SERVER, default_file, load_file
from pfdcmd.ctl.groups import Suggesting
from pfdcmd.ctl.problems import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, EXITS, Problem
from pfdcmd.ctl.screen import ReaderGone, Screen

PROGRAM = "pfdcmctl"

_EPILOG = f"""
\b
First steps, with a pfdcm on this machine:
  {PROGRAM} pacs add orthanc --host 127.0.0.1 --port 4242 --aec ORTHANC --aet CHIPS
  {PROGRAM} doctor orthanc                    is everything as it should be?
  {PROGRAM} find --patient-id 1234            which studies are there?
  {PROGRAM} retrieve --study UID --wait       fetch one, and watch
  {PROGRAM} tags --series UID                 look at what has arrived

\b
Settings: an option, else a variable PFDCMCTL_SERVER, PFDCMCTL_TOKEN_FILE, PFDCMCTL_TOKEN (the token itself),
PFDCMCTL_CA, PFDCMCTL_CERT, PFDCMCTL_KEY, PFDCMCTL_TIMEOUT, PFDCMCTL_PACS, else ~/.config/pfdcmctl.toml:
  server = "https://pfdcm.example.org:4055"
  token_file = "/home/me/.pfdcm-token"
  pacs = "orthanc"

\b
Exit status:
{chr(10).join(f"  {number:<3} {meaning}" for number, meaning in EXITS.items())}
"""


def _use_file(context: click.Context, _: click.Parameter, value: str | None) -> None:
    file = Path(value).expanduser() if value else default_file(os.environ)
    context.default_map = load_file(file, is_named=bool(value))


@click.group(
    cls=Suggesting,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.option(
    "--config",
    metavar="FILE",
    envvar="PFDCMCTL_CONFIG",
    is_eager=True,
    expose_value=False,
    callback=_use_file,
    help="Settings, instead of ~/.config/pfdcmctl.toml.",
)
@click.option(
    "--server",
    metavar="URL",
    envvar="PFDCMCTL_SERVER",
    default=DEFAULT_SERVER,
    show_default=True,
    help="Where pfdcm answers.",
)
@click.option("--token-file", metavar="FILE", envvar="PFDCMCTL_TOKEN_FILE", help="Holds the token that lets you in.")
@click.option(
    "--ca", metavar="FILE", envvar="PFDCMCTL_CA", help="Certificate authorities to trust, instead of the system's."
)
@click.option("--cert", metavar="FILE", envvar="PFDCMCTL_CERT", help="Your certificate, where pfdcm asks for one.")
@click.option("--key", metavar="FILE", envvar="PFDCMCTL_KEY", help="Its private key, when it is in a file of its own.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(0, 86_400, min_open=True),
    envvar="PFDCMCTL_TIMEOUT",
    help="How long an answer may take. [default: 60; 900 where a PACS has to answer]",
)
@click.version_option(package_name="pfdcm", prog_name=PROGRAM)
def cli(**_: object) -> None:
    """Ask a pfdcm: query a PACS, retrieve from it, see what has arrived, and look after the listeners.

    Every command has --help with examples, and --json for programs.
    """


for _command in (
    tree,
    pacs,
    find,
    retrieve,
    status,
    jobs,
    cancel,
    listener,
    tags,
    copy,
    doctor,
    health,
    call,
    completion,
):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns: the exit status, as EXITS explains it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # suppressed above
    try:
        return _status(cli.main(arguments, prog_name=PROGRAM, standalone_mode=False))
    except Problem as problem:
        Screen().problem(problem.message, problem.do)
        return problem.exit_status
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except ReaderGone:
        # Python must not try again to write what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK


def _status(result: Any) -> int:
    return result if isinstance(result, int) else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
