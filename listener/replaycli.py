"""pfdcm-listener replay: file the images in quarantine again."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from listener.config import Config, read_config
from listener.errors import ConfigurationFault, ImageFault
from listener.opening import open_archive
from listener.privileges import let_write, make_directories, take_on
from listener.quarantine import names
from listener.replay import Replay
from listener.runlog import printable
from listener.storage import Storage, open_receipts

_EPILOG = """\
An image is filed by the same rules as one that a peer sends, must match its own File Meta, and leaves the quarantine
when it is filed. The service may go on receiving meanwhile. Exit status: 0 when all were filed, 1 when some were not,
2 when nothing could be tried.

Try it:
  pfdcm-listener replay --config /var/lib/pfdcm/services/dicomlistener-10402.json --all --dry-run
"""
_EXIT_LEFT = 1
_EXIT_USAGE = 2


def main(arguments: Sequence[str]) -> int:
    """Replay what the arguments name. Returns the exit status."""
    options = vars(_parser().parse_args(arguments))
    chosen: list[str] = options.pop("names")
    is_all, is_dry = options.pop("all"), options.pop("dry_run")
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        if is_all == bool(chosen):
            raise ConfigurationFault("name images, or say --all")
        storage = _open(read_config(options.pop("config", None), options))
    except (ConfigurationFault, OSError) as error:
        print(f"pfdcm-listener replay: {error}", file=sys.stderr)
        return _EXIT_USAGE
    try:
        return _replay(storage, chosen, is_dry=is_dry)
    except OSError as error:
        print(f"pfdcm-listener replay: {error}", file=sys.stderr)
        return _EXIT_USAGE
    finally:
        storage.close()


def _open(config: Config) -> Storage:
    """As a worker does: what only pfdcm's user may open first, then as the service's user."""
    receipts = open_receipts(config)
    make_directories(config)
    let_write(config, receipts.directory_fd)
    take_on(config)
    return Storage(config, open_archive(config), receipts)


def _replay(storage: Storage, chosen: Sequence[str], *, is_dry: bool) -> int:
    replay = Replay(storage)
    try:
        there = names(replay.spool)
        stems = [Path(name).name.removesuffix(".dcm").removesuffix(".json") for name in chosen] or there
        done = sum(_replay_one(replay, stem, is_there=stem in there, is_dry=is_dry) for stem in dict.fromkeys(stems))
    finally:
        replay.close()
    left = len(dict.fromkeys(stems)) - done
    print(f"{replay.spool.directory}: {done} {'could be ' if is_dry else ''}filed, {left} not")
    return _EXIT_LEFT if left else 0


def _replay_one(replay: Replay, stem: str, *, is_there: bool, is_dry: bool) -> bool:
    """One line about one image. Returns: whether it is filed, or could be."""
    try:
        if not is_there:
            outcome, is_done = "not in quarantine", False
        elif is_dry:
            outcome, is_done = f"could be filed, {replay.check(stem)}", True
        else:
            outcome, is_done = replay.file(stem), True
    except ImageFault as fault:
        outcome, is_done = f"stays, {fault.status:04X}: {fault}", False
    except OSError as error:
        outcome, is_done = f"filed, and cannot be taken from quarantine: {error.strerror}", False
    print(f"{printable(stem)}: {outcome}")
    return is_done


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pfdcm-listener replay",
        description="File images that are in quarantine again, after what was in the way has been mended.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the listener's configuration, a JSON object")
    for short, key, why in (
        ("-d", "data_dir", "images are filed below it"),
        ("-l", "log_dir", "the map files"),
        ("-t", "tmp_dir", "images on their way in"),
        ("-q", "quarantine_dir", "the quarantine, when it is not beside the spool"),
    ):
        parser.add_argument(short, f"--{key.replace('_', '-')}", dest=key, metavar="DIRECTORY", help=why)
    parser.add_argument("--all", action="store_true", default=False, help="every image that is there")
    parser.add_argument(
        "--dry-run", action="store_true", default=False, help="say what could be filed, and file nothing"
    )
    parser.add_argument("names", nargs="*", default=[], metavar="NAME", help="an image's name, with or without .dcm")
    return parser
