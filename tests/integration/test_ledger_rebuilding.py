"""A ledger lost while pfdcm is down is made again from the files at the start, before anybody asks for a series.

It is read as its file, so that no question has it look; receipts are taken away as well, so that they cannot tell.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import sqlite3
from pathlib import Path

from bench import lean
from listenerprocess import wait_for
from pfdcmprocess import free_port, running
from smallimages import small_image

from pfdcmd.edge.retrieve.ledger import FILE_NAME

SECONDS = 60
IMAGES = 3
# Enough that a pfdcm can be killed before it is through.
MANY_SERIES = 3_000


@contextlib.contextmanager
def started(root: Path):
    """A pfdcm with services of its own; it ends as by SIGTERM, its listeners with it."""
    (root / "services.d").mkdir(exist_ok=True)
    with running(root, "--forever", "--httpResponse", "--servicesDir", str(root / "services.d")) as pfdcm:
        yield pfdcm


def filed(port: int, *series: str) -> None:
    """Send images of these series, once somebody listens."""

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    wait_for(listens, "the listener listens", SECONDS)
    images = [small_image(number, series=uid, size=64) for uid in series for number in range(1, IMAGES + 1)]
    lean.send("127.0.0.1", port, lean.encode(images))


def noted(root: Path) -> dict[str, int]:
    """Series -> images that are here, as the ledger's file says; nothing as long as it is not one."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"file:{root}/state/{FILE_NAME}?mode=ro", uri=True)) as db,
    ):
        return dict(db.execute("SELECT uid, present FROM series WHERE present"))
    return {}


def lose_ledger(root: Path) -> None:
    for file in (root / "state").glob(f"{FILE_NAME}*"):
        file.unlink()
    shutil.rmtree(root / "state" / "receipts")


def make_series(root: Path, number: int) -> None:
    """One that was filed long ago, with one image."""
    directory = root / "dicom" / "data" / "patient" / "study" / f"series{number}"
    directory.mkdir(parents=True)
    (directory / f"00001-1.9.{number}.1.dcm").write_bytes(b"x")
    (directory / "series.info").touch()
    maps = root / "dicom" / "log" / "series_map"
    maps.mkdir(parents=True, exist_ok=True)
    (maps / f"1.9.{number}.json").write_text(json.dumps({f"1.9.{number}": str(directory)}))


def test_every_image_that_a_listener_has_filed_is_known_again(tmp_path):
    port, other_port = free_port(), free_port()
    (tmp_path / "services.d").mkdir()
    (tmp_path / "services.d" / "other").write_text(
        f"service other\n{{\n    port = {other_port}\n    bind = 127.0.0.1\n    workers = 1\n"
        + "".join(f"    {kind}_dir = {tmp_path}/other/{kind}\n" for kind in ("data", "log", "tmp"))
        + "}\n"
    )
    with started(tmp_path) as pfdcm:
        pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": str(port)})
        assert pfdcm.ask("xinetd", {"object": "service", "do": "everything"})["status"] is True
        filed(port, "1.9.1", "1.9.2")
        filed(other_port, "1.9.3")
    everything = dict.fromkeys(("1.9.1", "1.9.2", "1.9.3"), IMAGES)
    lose_ledger(tmp_path)
    with started(tmp_path) as pfdcm:
        wait_for(lambda: noted(tmp_path) == everything, "the ledger knows of every image", SECONDS)
        told = pfdcm.ask("PACSinteract", {"do": "retrieveStatus", "on": {"series_uid": "1.9.1"}, "PACS": "help"})
        assert told["retrieveStatus"]["numDCMfiles"] == IMAGES


def test_what_a_killed_pfdcm_had_begun_to_read_is_read_to_the_end(tmp_path):
    for number in range(MANY_SERIES):
        make_series(tmp_path, number)
    with started(tmp_path) as pfdcm:
        wait_for(lambda: noted(tmp_path), "the first series is known", SECONDS)
        pfdcm.process.kill()
        pfdcm.wait()
    assert 0 < len(noted(tmp_path)) < MANY_SERIES
    with started(tmp_path):
        wait_for(lambda: len(noted(tmp_path)) == MANY_SERIES, "every series is known", SECONDS)
