"""Configuration: one frozen value from one table; defaults < JSON file < command line.

The table is `Config` itself: each field says its key, type, unit, default and why. The file is one JSON object with
these keys; an unknown one is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from listener.errors import ConfigurationFault

DURABLE = "durable"
WRITTEN = "written"


def _key(
    default: Any,
    unit: str,
    why: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    return field(
        default=default, metadata={"unit": unit, "why": why, "min": minimum, "max": maximum, "choices": choices}
    )


@dataclass(frozen=True)
class Config:
    """What a worker goes by. Times are seconds, sizes are bytes."""

    service: str = _key("dicomlistener", "name", "the service's name, for logs")
    bind: str = _key("127.0.0.1", "address", "where to listen when no listening socket is handed over as fd 0")
    port: int = _key(10402, "port", "likewise", minimum=0, maximum=65535)
    data_dir: str = _key("/dicom/data", "directory", "images are filed below it")
    log_dir: str = _key("/dicom/log", "directory", "the map files and listen.run.log")
    tmp_dir: str = _key("/dicom/tmp", "directory", "images on their way in, when on data_dir's file system")
    ack: str = _key(
        DURABLE,
        "",
        "durable: on disk before success is answered; written: handed to the kernel",
        choices=(DURABLE, WRITTEN),
    )
    max_pdu_bytes: int = _key(
        1_048_576, "bytes", "offered to the peer; larger PDUs mean fewer headers", minimum=4096, maximum=16_777_216
    )
    receive_buffer_bytes: int = _key(
        262_144, "bytes", "of one association; what one read takes at most", minimum=4096, maximum=16_777_216
    )
    max_image_bytes: int = _key(
        8_589_934_592, "bytes", "a larger image is read to its end, dropped and refused", minimum=1024
    )
    max_associations: int = _key(
        384, "associations", "open in one worker; a further one is told to come again", minimum=1, maximum=4096
    )
    max_open_series: int = _key(
        256, "series", "that one association keeps open; beyond, the least recent is closed", minimum=1, maximum=65_536
    )
    artim_seconds: float = _key(
        30.0, "s", "for the peer's A-ASSOCIATE-RQ, and for it to close the connection", minimum=0.1
    )
    idle_timeout_seconds: float = _key(300.0, "s", "without a byte from the peer", minimum=0.1)
    association_timeout_seconds: float = _key(86_400.0, "s", "for one association as a whole", minimum=1)
    drain_seconds: float = _key(60.0, "s", "for open associations to end after SIGTERM", minimum=0)
    cleaning_seconds: float = _key(60.0, "s", "between two looks for what a killed worker left behind", minimum=0.1)
    run_log_bytes: int = _key(10_485_760, "bytes", "of listen.run.log before it becomes listen.run.log.1", minimum=4096)

    @property
    def is_durable(self) -> bool:
        return self.ack == DURABLE


def read_config(file: Path | None, options: Mapping[str, Any]) -> Config:
    """Merge the file (when there is one) and the command line's options over the defaults.

    Raises: ConfigurationFault: naming the key, and the file when it is at fault.
    """
    values: dict[str, Any] = {}
    if file is not None:
        try:
            loaded = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigurationFault(f"the configuration file {file} cannot be read: {error}") from error
        if not isinstance(loaded, dict):
            raise ConfigurationFault(f"the configuration file {file} must hold one JSON object")
        values.update(loaded)
    values.update(options)
    table = {each.name: each for each in fields(Config)}
    for key, value in values.items():
        if key not in table:
            raise ConfigurationFault(f"there is no key {key!r}; --help lists them")
        values[key] = _checked(key, value, type(table[key].default), table[key].metadata)
    return Config(**values)


def _checked(key: str, value: object, kind: type, table: Mapping[str, Any]) -> Any:
    """The value in its key's type and within its bounds; a number may come as text."""
    if kind is str:
        if not isinstance(value, str) or "\0" in value:
            raise ConfigurationFault(f"{key} must be text")
        if table["choices"] and value not in table["choices"]:
            raise ConfigurationFault(f"{key} must be one of {', '.join(table['choices'])}, not {value!r}")
        if table["unit"] == "directory" and not value:
            raise ConfigurationFault(f"{key} must name a directory")
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ConfigurationFault(f"{key} must be a number ({table['unit']})")
    try:
        number = kind(value)
    except (ValueError, OverflowError) as error:
        raise ConfigurationFault(f"{key} must be a number ({table['unit']}), not {value!r}") from error
    low, high = table["min"], table["max"]
    if not (low is None or number >= low) or not (high is None or number <= high):
        bounds = f"at least {low}" if high is None else f"{low} to {high}"
        raise ConfigurationFault(f"{key} must be {bounds} ({table['unit']}), not {value}")
    return number
