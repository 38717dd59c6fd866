"""Who sends the images: DCMTK's own programs, many of them at once, and Orthanc's C-MOVE."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.bench import lean as lean_sender
from tests.bench.workloads import Workload

HOST = "127.0.0.1"
_ECHOES = 8


class SendFailed(Exception):
    """A sender ended with an error."""


def storescu(workload: Workload, port: int, environ: Mapping[str, str]) -> None:
    """One association, all files of the directory."""
    _run([_storescu(port, [str(workload.directory)], "+sd")], environ)


def dcmsend(workload: Workload, port: int, environ: Mapping[str, str]) -> None:
    """One association, all files of the directory."""
    _run([["dcmsend", HOST, str(port), "+sd", str(workload.directory)]], environ)


def storescu_at_once(workload: Workload, port: int, environ: Mapping[str, str], *, associations: int) -> None:
    """As many processes as associations, each with its share of the files."""
    files = [str(file) for file in workload.files]
    shares = [files[number::associations] for number in range(associations)]
    _run([_storescu(port, share) for share in shares], environ)


def echo_at_once(port: int) -> None:
    """A few C-ECHOs, so that every worker has served once: receivers are measured as they are after days."""
    _run([["echoscu", HOST, str(port)] for _ in range(_ECHOES)], {})


def lean(workload: Workload, port: int, _: Mapping[str, str]) -> None:
    """One association, all files, PDUs encoded beforehand (call encode_beforehand before the clock starts)."""
    lean_sender.send(HOST, port, encode_beforehand(workload))


def lean_small_pdus(workload: Workload, port: int, _: Mapping[str, str]) -> None:
    """The same in PDUs that every receiver takes: storescp asks for no more than 16 kB."""
    lean_sender.send(HOST, port, encode_in_small_pdus(workload))


@functools.lru_cache(maxsize=1)
def encode_in_small_pdus(workload: Workload) -> lean_sender.Encoded:
    """The PDUs of the workload, none above storescp's default of 16,384 bytes."""
    return lean_sender.encode(map(lean_sender.image_of_file, workload.files), max_pdu_bytes=16_384)


@functools.lru_cache(maxsize=1)
def encode_beforehand(workload: Workload) -> lean_sender.Encoded:
    """The PDUs of the workload; kept until another one is asked for."""
    return lean_sender.encode(map(lean_sender.image_of_file, workload.files))


def _storescu(port: int, files: list[str], *options: str) -> list[str]:
    return ["storescu", *options, HOST, str(port), *files]


def _run(commands: list[list[str]], environ: Mapping[str, str]) -> None:
    devnull = Path(os.devnull).open("wb")  # noqa: SIM115 - shared by many processes below
    with devnull:
        processes = [
            subprocess.Popen(command, stdout=devnull, stderr=devnull, env={**os.environ, **environ})
            for command in commands
        ]
        failed = sum(process.wait() != 0 for process in processes)
    if failed:
        raise SendFailed(f"{failed} of {len(commands)} senders failed")
