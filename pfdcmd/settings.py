"""Settings: one frozen value, from one table; defaults < file < environment < command line.

The table is `Settings` itself: each field says its key, type, unit, default and why. The file is INI text with one
section `[pfdcm]`; the environment variable of a key is `PFDCM_` and the key in capitals; the command line has the
field's flag. `PFDCM_SETTINGS_FILE` names the file. `HOST_IP` is not a setting: it is read, as the original's documents
set it, by whatever needs `%HOST_IP` (see actions.internalctl).
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pfdcmd.errors import ParameterFault

ENVIRONMENT_PREFIX = "PFDCM_"
FILE_VARIABLE = "PFDCM_SETTINGS_FILE"
SECTION = "pfdcm"

_BOOLEANS = configparser.ConfigParser.BOOLEAN_STATES
_MAX_PORT = 65535
_FOREVER_SECONDS = 1e9
_DIGITS = re.compile(r"[0-9]{1,5}", re.ASCII)


def _setting(
    default: Any,
    flag: str,
    unit: str,
    why: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    is_digits: bool = False,
) -> Any:
    """A field of the table; is_digits is for text that must be a number, as callers find it as text in the tree."""
    return field(
        default=default,
        metadata={
            "flag": flag,
            "unit": unit,
            "why": why,
            "minimum": minimum,
            "maximum": maximum,
            "choices": choices,
            "is_digits": is_digits,
        },
    )


@dataclass(frozen=True)
class Settings:
    """What a run of pfdcm goes by. Times are seconds, sizes are bytes."""

    ip_self: str = _setting("127.0.0.1", "--ipSelf", "address", "where to listen; 0.0.0.0 for every interface")
    port_self: int = _setting(
        4055, "--portSelf", "port", "the port that callers know; 0 is any free one", minimum=0, maximum=_MAX_PORT
    )
    ip_swift: str = _setting("127.0.0.1", "--ipSwift", "address", "the object store's host, for /swift")
    port_swift: str = _setting("8080", "--portSwift", "port", "the object store's port, for /swift", is_digits=True)
    http_proxy: str = _setting("", "--httpProxy", "URL", "kept for callers that read it from /this/args")
    forever: bool = _setting(False, "--forever", "", "without it one request is answered and pfdcm ends")
    http_response: bool = _setting(False, "--httpResponse", "", "the double header; without it, bare JSON")
    config_file_load: str = _setting("", "--configFileLoad", "file", "the tree, as JSON, to start from")
    config_file_save: str = _setting("", "--configFileSave", "file", "where the tree is saved after every change")
    debug_to_dir: str = _setting("", "--debugToDir", "directory", "log to pfdcm.log in this directory as well")
    verbosity: str = _setting(
        "1", "--verbosity", "level", "0 warnings, 1 what happens, 2 and more debugging", is_digits=True
    )
    log_format: str = _setting(
        "console", "--logFormat", "", "console for people, json for programs", choices=("console", "json")
    )
    type: str = _setting("swift", "--type", "", "the object store's kind; swift is the only one", choices=("swift",))
    start_listener: bool = _setting(False, "--startlistener", "", "do `xinetd service everything` at start")
    set_pacs: str = _setting("", "--setPACS", "JSON", "PACS entries to set below /PACS at start")
    dicom_dir: str = _setting("/dicom", "--dicomDir", "directory", "sets /xinetd/dataDir, logDir and tmpDir")
    state_dir: str = _setting(
        "", "--stateDir", "directory", "supervisord's; default /var/lib/pfdcm, or the user's own if not writable"
    )
    service_file: str = _setting(
        "", "--serviceFile", "file", "/xinetd/file; default in /etc/xinetd.d, or the state directory if not writable"
    )
    services_dir: str = _setting(
        "", "--servicesDir", "directory", "service files in xinetd's syntax; default services.d in the state directory"
    )
    listener_bind: str = _setting(
        "0.0.0.0", "--listenerBind", "address", "where the declared listener takes images; 127.0.0.1 for this machine"
    )
    listener_workers: int = _setting(
        2, "--listenerWorkers", "processes", "of a listener; two, so that one may die unnoticed", minimum=1
    )
    listener_drain_seconds: int = _setting(
        60, "--listenerDrainSeconds", "s", "open associations may go on when a listener ends", minimum=0, maximum=86_400
    )
    listener_start_seconds: float = _setting(
        20.0, "--listenerStartSeconds", "s", "how long a listener may take until it serves", minimum=0.1
    )
    listener_heartbeat_seconds: float = _setting(
        30.0, "--listenerHeartbeatSeconds", "s", "a worker that is silent for longer hangs, and is replaced", minimum=2
    )
    enable_token_auth: bool = _setting(
        False, "--enableTokenAuth", "", "every caller needs a token of --tokenPath's file"
    )
    token_path: str = _setting("", "--tokenPath", "file", "tokens, their names and rights; pfdcm --makeToken makes one")
    allowed_origins: str = _setting(
        "*", "--allowedOrigins", "origins", "web pages that may call, parted by commas; * for all, as ever"
    )
    tls_certificate: str = _setting("", "--tlsCertificate", "file", "speak HTTPS, with this chain (PEM)")
    tls_key: str = _setting("", "--tlsKey", "file", "the certificate's private key (PEM)")
    tls_client_ca: str = _setting(
        "", "--tlsClientCA", "file", "callers need a certificate that one of these authorities (PEM) has signed"
    )
    roots: str = _setting(
        "", "--roots", "directories", "parted by colons: files that messages name must be below one of them"
    )
    environment_names: str = _setting(
        "HOST_IP", "--environmentNames", "names", "environment variables that valueReplace ENV may read, by commas"
    )
    user: str = _setting(
        "", "--user", "account", "whom to become when started as root; default pfdcm where that account is, else root"
    )
    audit_file: str = _setting(
        "", "--auditFile", "file", "who asked for what; default audit.jsonl in the state directory"
    )
    audit_key_file: str = _setting(
        "", "--auditKeyFile", "file", "a key of the site: UIDs in the audit are hashed with it (HMAC-SHA-256)"
    )
    audit_required: bool = _setting(
        False, "--auditRequired", "", "while the audit cannot be written, calls are refused"
    )
    max_body_bytes: int = _setting(
        4 * 1024 * 1024, "--maxBodyBytes", "bytes", "a larger message is refused unread", minimum=1024
    )
    max_nesting: int = _setting(64, "--maxNesting", "levels", "a deeper message is refused", minimum=4)
    max_batch: int = _setting(100, "--maxBatch", "calls", "a longer JSON-RPC batch is refused", minimum=1)
    max_connections: int = _setting(1024, "--maxConnections", "connections", "callers connected at once", minimum=1)
    max_sockets: int = _setting(256, "--maxSockets", "connections", "of these, WebSockets open at once", minimum=1)
    socket_idle_seconds: float = _setting(
        600.0, "--socketIdleSeconds", "s", "a WebSocket that asks nothing and follows nothing is closed", minimum=1
    )
    request_seconds: float = _setting(
        60.0, "--requestSeconds", "s", "for a caller to send its whole message", minimum=0.1
    )
    max_tree_leaves: int = _setting(100_000, "--maxTreeLeaves", "leaves", "a set that passes it is refused", minimum=1)
    max_tree_characters: int = _setting(
        64 * 1024 * 1024, "--maxTreeCharacters", "characters", "of the tree's keys and texts together", minimum=1024
    )
    pacs_connect_seconds: float = _setting(10.0, "--pacsConnectSeconds", "s", "for the TCP connection", minimum=0.1)
    pacs_association_seconds: float = _setting(
        30.0, "--pacsAssociationSeconds", "s", "for the PACS to answer A-ASSOCIATE", minimum=0.1
    )
    pacs_response_seconds: float = _setting(
        60.0, "--pacsResponseSeconds", "s", "between two responses of one C-FIND or C-MOVE", minimum=0.1
    )
    pacs_query_seconds: float = _setting(600.0, "--pacsQuerySeconds", "s", "for a whole query", minimum=0.1)
    pacs_retrieve_seconds: float = _setting(
        14_400.0, "--pacsRetrieveSeconds", "s", "for all that one association of a retrieve brings", minimum=0.1
    )
    pacs_associations: int = _setting(
        16, "--pacsAssociations", "associations", "open to one PACS at once; others wait their turn", minimum=1
    )
    pacs_max_matches: int = _setting(
        20_000, "--pacsMaxMatches", "matches", "of one query, studies and series together", minimum=1
    )
    pacs_max_image_bytes: int = _setting(
        1024 * 1024 * 1024, "--pacsMaxImageBytes", "bytes", "of an image by C-GET, held in memory", minimum=1024 * 1024
    )

    retrieve_associations: int = _setting(
        8,
        "--retrieveAssociations",
        "series",
        "that one PACS sends at once; its entry may say maxAssociations",
        minimum=1,
    )
    retrieve_attempts: int = _setting(
        6, "--retrieveAttempts", "attempts", "in a row that bring no image, until a retrieve gives up", minimum=1
    )
    retrieve_backoff_seconds: float = _setting(
        5.0,
        "--retrieveBackoffSeconds",
        "s",
        "before another attempt; doubled after each that brings no image",
        minimum=0.01,
    )
    retrieve_batch_images: int = _setting(
        200, "--retrieveBatchImages", "images", "that one request at IMAGE level names", minimum=1, maximum=1000
    )
    retrieve_settle_seconds: float = _setting(
        2.0, "--retrieveSettleSeconds", "s", "for images to follow the PACS's word that it sent them", minimum=0.01
    )

    @property
    def verbosity_level(self) -> int:
        """The verbosity as a number; the tree shows both forms, as the original's did."""
        return int(self.verbosity)


def read_settings(
    *, file: Path | None = None, environ: Mapping[str, str] | None = None, options: Mapping[str, Any] | None = None
) -> Settings:
    """Merge the sources, weakest first: the table's defaults, the file, the environment, the command line.

    Args:    options: key -> value, of the keys that the command line named.
    Raises:  ParameterFault: an unknown key or a value of the wrong kind, naming the key and where it stands.
    """
    values: dict[str, Any] = {}
    if file is not None:
        values.update(_from_file(file))
    values.update(_from_environment(environ or {}))
    values.update(options or {})
    return Settings(**values)


def format_settings(settings: Settings) -> str:
    """The settings as the text of a settings file, each key below what it means, its unit and its default."""
    lines = [f"[{SECTION}]"]
    for setting in fields(Settings):
        facts = setting.metadata
        unit = f" ({facts['unit']})" if facts["unit"] else ""
        lines += [
            f"# {facts['flag']}{unit}: {facts['why']}",
            f"# default: {format_value(setting.default) or 'nothing'}",
            f"{setting.name} = {format_value(getattr(settings, setting.name))}".rstrip(),
            "",
        ]
    return "\n".join(lines)


def format_value(value: Any) -> str:
    """A setting's value as the text that `convert` takes."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) and value < 1e6 else str(value)


def convert(key: str, text: str) -> Any:
    """The value of one key from its text. Raises: ParameterFault: not of the key's type, or outside its limits."""
    setting = next(f for f in fields(Settings) if f.name == key)
    facts = setting.metadata
    kind: type[Any] = type(setting.default)
    if kind is bool:
        if text.lower() not in _BOOLEANS:
            raise ParameterFault(f"{key} must be yes or no, not {text!r}.")
        return _BOOLEANS[text.lower()]
    if facts["choices"] and text not in facts["choices"]:
        raise ParameterFault(f"{key} must be {' or '.join(facts['choices'])}, not {text!r}.")
    if facts["is_digits"] and not _DIGITS.fullmatch(text):
        raise ParameterFault(f"{key} must be a whole number ({facts['unit']}), not {text!r}.")
    try:
        value = kind(text)
    except ValueError as error:
        raise ParameterFault(f"{key} must be a number ({facts['unit']}), not {text!r}.") from error
    _check_limits(key, value, facts)
    return value


def _check_limits(key: str, value: Any, facts: Mapping[str, Any]) -> None:
    if facts["minimum"] is not None and not value >= facts["minimum"]:
        raise ParameterFault(f"{key} must be at least {facts['minimum']} ({facts['unit']}), not {value}.")
    if isinstance(value, float) and value > _FOREVER_SECONDS:
        raise ParameterFault(f"{key} must be at most {_FOREVER_SECONDS:g} ({facts['unit']}), not {value}.")
    if facts["maximum"] is not None and not value <= facts["maximum"]:
        raise ParameterFault(f"{key} must be at most {facts['maximum']} ({facts['unit']}), not {value}.")


def _from_file(file: Path) -> dict[str, Any]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with file.open(encoding="utf-8") as stream:
            parser.read_file(stream)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        reason = " ".join(str(error).split())
        raise ParameterFault(f"The settings file {file} cannot be read: {reason}") from error
    if parser.sections() != [SECTION]:
        raise ParameterFault(f"The settings file {file} must have one section, [{SECTION}].")
    return _convert(parser.items(SECTION), f"the settings file {file}", str)


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    named = [
        (name.removeprefix(ENVIRONMENT_PREFIX).lower(), value)
        for name, value in environ.items()
        if name.startswith(ENVIRONMENT_PREFIX) and name != FILE_VARIABLE
    ]
    return _convert(named, "the environment", lambda key: ENVIRONMENT_PREFIX + key.upper())


def _convert(items: Iterable[tuple[str, str]], where: str, spell: Callable[[str], str]) -> dict[str, Any]:
    """Values from texts; spell writes a key as `where` has it."""
    known = {f.name for f in fields(Settings)}
    values: dict[str, Any] = {}
    for key, text in items:
        if key not in known:
            raise ParameterFault(f"There is no setting {spell(key)} (in {where}); --showSettings lists them.")
        try:
            values[key] = convert(key, text)
        except ParameterFault as fault:
            raise ParameterFault(f"{fault.message} (in {where})") from fault
    return values
