"""pfdcm-listener: one worker of a storage listener."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import warnings
from dataclasses import fields
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from listener.config import Config, read_config
from listener.doorkeeper import Doorkeeper
from listener.errors import ConfigurationFault
from listener.opening import open_archive, pause_and_report, until_done
from listener.privileges import let_write, make_directories, take_on
from listener.report import Report
from listener.server import Server, listening_socket
from listener.storage import Storage, open_receipts
from listener.underway import Underway

if TYPE_CHECKING:
    from listener.tls import TlsDoor

_EPILOG = """\
The listening socket is file descriptor 0 when that is one (supervisord's fcgi-program hands it over, and any number
of workers share it); else the worker binds --bind and --port itself.

SIGTERM ends it: no new association, the open ones may finish within --drain-seconds. Where its directories cannot be
made or written, it says so, tries again until they can, and peers wait in the socket's queue.

pfdcm-listener replay --help: how images that could not be filed are filed again.

Try it:
  pfdcm-listener --port 10402 -d /tmp/data -l /tmp/log -t /tmp/spool </dev/null
  echoscu 127.0.0.1 10402 && storescu 127.0.0.1 10402 image.dcm
"""
_SHORT = {"tmp_dir": "-t", "log_dir": "-l", "data_dir": "-d"}
_REPLAY = "replay"
_EXIT_CONFIGURATION = 2
_EXIT_FAILED = 1


def main(arguments: list[str] | None = None) -> int:
    """Run a worker until SIGTERM, or replay what is in quarantine. Returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == [_REPLAY]:
        return _replay(arguments[1:])
    options = vars(_parser().parse_args(arguments))
    file = options.pop("config", None)
    options.pop("e", None)
    verbose = options.pop("verbose", False)
    try:
        config = read_config(file, options)
    except ConfigurationFault as fault:
        print(f"pfdcm-listener: {fault}", file=sys.stderr)
        return _EXIT_CONFIGURATION
    _set_up_logging(verbose=verbose)
    try:
        return _serve(config)
    except ConfigurationFault as fault:
        print(f"pfdcm-listener: {fault}", file=sys.stderr)
        return _EXIT_CONFIGURATION
    except OSError as error:
        print(f"pfdcm-listener: {error}", file=sys.stderr)
        return _EXIT_FAILED
    except KeyboardInterrupt:
        return _EXIT_FAILED


def _replay(arguments: list[str]) -> int:
    # A worker has no use for it.
    from listener import replaycli  # noqa: PLC0415 - see above

    return replaycli.main(arguments)


def _serve(config: Config) -> int:
    log = logging.getLogger("listener")
    listening, is_inherited = listening_socket(config)
    # what only pfdcm's user may open comes first
    underway = until_done(lambda: Underway(config.report_file))
    report = until_done(lambda: Report(config.report_file))
    pause = partial(pause_and_report, report)
    doorkeeper = until_done(lambda: Doorkeeper(config), pause)
    receipts = until_done(lambda: open_receipts(config), pause)
    tls = until_done(lambda: _open_tls(config), pause)
    until_done(lambda: make_directories(config), pause)
    let_write(config, receipts.directory_fd)
    take_on(config)
    storage = Storage(config, until_done(lambda: open_archive(config), pause), receipts, underway)
    server = Server(listening, doorkeeper, report, storage, tls)
    address = listening.getsockname()
    log.info(
        "%s: listening on %s, %s; images go to %s",
        config.service,
        address,
        "handed over as fd 0" if is_inherited else "bound here",
        config.data_dir,
    )
    previous_fd = signal.set_wakeup_fd(server.wake_fd)
    previous = {number: signal.signal(number, _wake_only) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.serve()
    finally:
        signal.set_wakeup_fd(previous_fd)
        for number, handler in previous.items():
            signal.signal(number, handler)
    log.info("%s: ended", config.service)
    return 0


def _open_tls(config: Config) -> TlsDoor | None:
    """Raises: OSError: the files cannot be used."""
    if not config.tls_certificate:
        return None
    # Not without need: OpenSSL takes 4 MB.
    from listener.tls import TlsDoor  # noqa: PLC0415 - see above

    return TlsDoor(config)


def _wake_only(_number: int, _frame: FrameType | None) -> None:
    """The wakeup descriptor does the rest."""


def _set_up_logging(*, verbose: bool) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(process)d %(levelname)s %(message)s",
    )
    # Both log and warn of what peers sent, patients' data among it.
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pfdcm-listener",
        description="Receive DICOM images (C-STORE, C-ECHO) and file each as it arrives.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="a JSON object of the keys below, in snake_case")
    parser.add_argument("-e", metavar="X", help="accepted for the sake of px-listen's command lines, and ignored")
    parser.add_argument("--verbose", action="store_true", help="log what happens in each association")
    for each in fields(Config):
        flag = "--" + each.name.replace("_", "-")
        short = _SHORT.get(each.name)
        table = each.metadata
        unit = "|".join(table["choices"]) or table["unit"]
        parser.add_argument(
            *([short, flag] if short else [flag]),
            dest=each.name,
            metavar=unit.upper() if not table["choices"] else unit,
            help=f"{table['why']} (default {each.default})",
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
