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

from listener.admission import TitleRules
from listener.contexts import Served
from listener.errors import ConfigurationFault
from listener.runlog import SAID_BY_DEFAULT

DURABLE = "durable"
WRITTEN = "written"
BCP_195 = "bcp195"
TLS_1_3 = "tls13"


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
    tls_certificate: str = _key("", "file", "PEM, with the chain: peers must speak TLS; none: they must not")
    tls_key: str = _key("", "file", "PEM, its private key, not encrypted; none: in the certificate's file")
    tls_ca: str = _key("", "file", "PEM: peers need a certificate that one of these has signed; none: they need none")
    tls_profile: str = _key(
        BCP_195,
        "",
        "bcp195: TLS 1.2 and 1.3 (DICOM PS3.15 section B.12); tls13: TLS 1.3 alone",
        choices=(BCP_195, TLS_1_3),
    )
    min_free_bytes: int = _key(
        16_777_216,
        "bytes",
        "free below data_dir; while there are fewer, images are refused unread; 0: no floor",
        minimum=0,
    )
    min_free_inodes: int = _key(64, "inodes", "likewise; 0: no floor", minimum=0)
    quarantine_dir: str = _key(
        "", "path", "of the directory for images that cannot be filed; empty: `quarantine` beside the spool, or in it"
    )
    quarantine_max_bytes: int = _key(
        10_737_418_240, "bytes", "there; what goes beyond is dropped; 0: nothing is kept", minimum=0
    )
    quarantine_max_files: int = _key(10_000, "images", "likewise", minimum=0)
    max_associations: int = _key(
        384, "associations", "open in one worker; a further one is told to come again", minimum=1, maximum=4096
    )
    max_open_series: int = _key(
        4096, "series", "that one association keeps open; beyond, the least recent is closed", minimum=1, maximum=65_536
    )
    artim_seconds: float = _key(
        30.0, "s", "for the peer's A-ASSOCIATE-RQ, and for it to close the connection", minimum=0.1
    )
    idle_timeout_seconds: float = _key(300.0, "s", "without a byte from the peer", minimum=0.1)
    association_timeout_seconds: float = _key(86_400.0, "s", "for one association as a whole", minimum=1)
    drain_seconds: float = _key(60.0, "s", "for open associations to end after SIGTERM", minimum=0)
    cleaning_seconds: float = _key(60.0, "s", "between two looks for what a killed worker left behind", minimum=0.1)
    ae_titles: tuple[str, ...] = _key((), "titles", "by which peers call the service")
    require_called_ae: bool = _key(False, "yes or no", "reject peers that call another title")
    allowed_calling_aes: tuple[str, ...] = _key((), "titles", "of peers; others are rejected; none: any")
    only_from: tuple[str, ...] = _key((), "networks", "and host names that may connect; none: any")
    is_for_nobody: bool = _key(False, "yes or no", "only_from is given, and empty: nobody may connect")
    no_access: tuple[str, ...] = _key((), "networks", "and host names that may not connect")
    access_times: tuple[str, ...] = _key((), "intervals", "HH:MM-HH:MM of local time when peers may connect; none: any")
    instances: int = _key(0, "associations", "open at once in all workers together; 0: no limit", minimum=0)
    per_source: int = _key(0, "associations", "the same, from one address", minimum=0)
    cps_connections: int = _key(0, "connections", "in a second, in all workers together; 0: no limit", minimum=0)
    cps_wait_seconds: int = _key(10, "s", "for which all are refused when there were more", minimum=1)
    max_load: float = _key(
        0.0, "load", "one-minute load average from which on peers are refused; 0: no limit", minimum=0
    )
    sop_classes: tuple[str, ...] = _key((), "UIDs", "of SOP classes that are accepted; none: all of storage")
    transfer_syntaxes: tuple[str, ...] = _key((), "UIDs", "of transfer syntaxes that are accepted; none: all known")
    layout: str = _key("pypx", "", "how files are named below data_dir", choices=("pypx",))
    user: str = _key("", "account", "whom to run as; only root can change")
    group: str = _key("", "account", "its group, when not the user's own")
    has_supplementary_groups: bool = _key(False, "yes or no", "run with the user's supplementary groups")
    nice: int = _key(0, "niceness", "added to the niceness", minimum=-20, maximum=19)
    umask: int = _key(-1, "mode", "of files and directories made; -1: as inherited", minimum=-1, maximum=0o777)
    rlimit_as_bytes: int = _key(0, "bytes", "of address space; 0: as inherited", minimum=0)
    rlimit_files: int = _key(0, "files", "open at once; 0: as inherited", minimum=0)
    log_on_success: tuple[str, ...] = _key(
        SAID_BY_DEFAULT, "words", "of PID HOST EXIT DURATION TRAFFIC: what an association's line in listen.run.log says"
    )
    log_on_failure: tuple[str, ...] = _key(
        ("HOST",), "words", "of HOST ATTEMPT: what the line of a peer that was refused says; none: no line"
    )
    report_file: str = _key("", "file", "where to report about once a second; empty: nowhere")
    counts_file: str = _key("", "file", "what all workers of the service count together; empty: this is the only one")
    receipts_dir: str = _key(
        "", "path", "of a directory: a line there for each image, what has come of it; empty: none"
    )
    worker: int = _key(0, "number", "of this worker in its service, for the names of its receipts", minimum=0)
    run_log_bytes: int = _key(10_485_760, "bytes", "of listen.run.log before it becomes listen.run.log.1", minimum=4096)

    @property
    def is_durable(self) -> bool:
        """Whether success means that the image is on disk."""
        return self.ack == DURABLE

    @property
    def titles(self) -> TitleRules:
        """Which AE titles are let in."""
        return TitleRules(
            frozenset(self.ae_titles if self.require_called_ae else ()), frozenset(self.allowed_calling_aes)
        )

    @property
    def served(self) -> Served:
        """What is negotiated."""
        return Served(frozenset(self.sop_classes), frozenset(self.transfer_syntaxes))


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
    config = Config(**values)
    if (config.tls_key or config.tls_ca) and not config.tls_certificate:
        raise ConfigurationFault("tls_key and tls_ca need tls_certificate")
    return config


def _checked(key: str, value: object, kind: type, table: Mapping[str, Any]) -> Any:
    """The value in its key's type and within its bounds; a number may come as text."""
    if kind is tuple:
        return _checked_list(key, value)
    if kind is bool:
        value = {"yes": True, "no": False}.get(value, value) if isinstance(value, str) else value
        if not isinstance(value, bool):
            raise ConfigurationFault(f"{key} must be yes or no")
        return value
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


def _checked_list(key: str, value: object) -> tuple[str, ...]:
    """A list of texts; on the command line, parted by commas."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) and "\0" not in item for item in items):
        raise ConfigurationFault(f"{key} must be a list of texts")
    return tuple(item for item in items if item)
