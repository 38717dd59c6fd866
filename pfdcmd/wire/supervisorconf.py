"""supervisord's configuration, from services and paths: pure text.

One supervisord on a private unix socket; one [fcgi-program:GROUP] per group of workers, because there supervisord hands
a listening socket to each worker as file descriptor 0: a worker may die, the socket stays. Which socket that is, the
interface `sockets` decides (see edge.listeners.socketkeeper); the line `socket` names it as far as supervisord's syntax
can.
Source: Supervisor's manual, "Configuration File".
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pfdcmd.errors import ServiceFault
from pfdcmd.service.config import ServiceConfig

BACKLOG = 4096
"""Connections that wait while no worker lives: Linux's own limit (listen(2), somaxconn); storescp asks for 1."""

_SOCKET_PATH_MAX_BYTES = 107
"""unix(7): sun_path is 108 bytes, the last of them NUL."""

_PID_SUFFIX_BYTES = len(".4194304")
"""supervisord binds to its socket's name with its process id appended, and renames."""

_RPC_INTERFACES = {
    "supervisor": "supervisor.rpcinterface:make_main_rpcinterface",
    "sockets": "pfdcmd.edge.listeners.socketkeeper:make_keeper",
}

_NO_IPV6 = "127.0.0.1"
"""supervisord's syntax has no IPv6 addresses; the keeper opens the real one."""

_KILL_MARGIN_SECONDS = 10
_LOG_MAX_BYTES = 5_000_000
_LOG_BACKUPS = 3


@dataclass(frozen=True)
class SupervisorPaths:
    """Where supervisord and its listeners keep their own things, all below the state directory."""

    state_dir: Path

    @property
    def configuration(self) -> Path:
        return self.state_dir / "supervisord.conf"

    @property
    def socket(self) -> Path:
        return self.state_dir / "supervisord.sock"

    @property
    def pid_file(self) -> Path:
        return self.state_dir / "supervisord.pid"

    @property
    def lock_file(self) -> Path:
        return self.state_dir / "supervisord.lock"

    @property
    def log_file(self) -> Path:
        return self.state_dir / "log" / "supervisord.log"

    @property
    def services_dir(self) -> Path:
        return self.state_dir / "services"

    @property
    def live_dir(self) -> Path:
        """What workers report, and what they count together; of no value after the processes."""
        return self.state_dir / "live"

    @property
    def receipts_dir(self) -> Path:
        """Where workers say what has come of each image: the ledger's source."""
        return self.state_dir / "receipts"

    def report(self, group: str, worker: int) -> Path:
        """Where a worker of a group reports."""
        return self.live_dir / f"{group}-{worker}.report"

    def counts(self, service_name: str) -> Path:
        """Where the workers of a service count together, whatever their group."""
        return self.live_dir / f"{service_name}.counts"

    def listener_configuration(self, group: str) -> Path:
        """What each worker of a group reads when it starts."""
        return self.services_dir / f"{group}.json"

    def record(self, group: str) -> Path:
        """What a group was last brought up as, so that another pfdcm knows what it finds running."""
        return self.services_dir / f"{group}.applied"


def check_state_dir(state_dir: Path) -> SupervisorPaths:
    """The paths below a state directory that a unix socket and supervisord's configuration can name.

    Raises: ServiceFault: the path is relative, too long, or holds white space, a semicolon or what cannot be printed.
    """
    paths = SupervisorPaths(state_dir)
    text = str(state_dir)
    if not state_dir.is_absolute() or not text.isprintable() or any(c.isspace() or c == ";" for c in text):
        raise ServiceFault("The state directory must be an absolute path without spaces or semicolons; see --stateDir.")
    room = _SOCKET_PATH_MAX_BYTES - _PID_SUFFIX_BYTES
    if len(str(paths.socket).encode()) > room:
        longest = room - len(b"/" + paths.socket.name.encode())
        raise ServiceFault(
            f"The state directory's path is too long for a unix socket ({longest} bytes at most); "
            "choose a shorter one with --stateDir."
        )
    return paths


def format_supervisord_conf(
    paths: SupervisorPaths,
    groups: Iterable[tuple[str, ServiceConfig]],
    *,
    interpreter: str,
    user: str | None,
    file_limit: int,
) -> str:
    """supervisord.conf for these groups of workers, each with the service that it serves.

    Args: interpreter: the Python that has the listener installed.
          user: set only when supervisord runs as root, which it wants confirmed.
          file_limit: open files that supervisord and the workers may have.
    """
    head = _section("unix_http_server", [("file", _escape(paths.socket)), ("chmod", "0700")])
    head += _section(
        "supervisord",
        [
            ("logfile", _escape(paths.log_file)),
            ("logfile_maxbytes", _LOG_MAX_BYTES),
            ("logfile_backups", _LOG_BACKUPS),
            ("loglevel", "info"),
            ("pidfile", _escape(paths.pid_file)),
            ("identifier", "pfdcm"),
            ("directory", _escape(paths.state_dir)),
            ("minfds", file_limit),
            ("nocleanup", "true"),
            *([("user", user)] if user else []),
        ],
    )
    head += _section("supervisorctl", [("serverurl", f"unix://{_escape(paths.socket)}")])
    for name, factory in _RPC_INTERFACES.items():
        head += _section(f"rpcinterface:{name}", [("supervisor.rpcinterface_factory", factory)])
    return head + "".join(_format_program(paths, group, service, interpreter) for group, service in groups)


def _format_program(paths: SupervisorPaths, group: str, service: ServiceConfig, interpreter: str) -> str:
    # -P keeps the current directory from being searched for modules
    words = [interpreter, "-P", "-m", "listener.cli", "--config", str(paths.listener_configuration(group))]
    report = _escape(paths.live_dir / group) + "-%(process_num)d.report"
    command = f"{_escape(shlex.join(words))} --report-file {report} --worker %(process_num)d"
    host = service.bind if ":" not in service.bind else _NO_IPV6
    log_dir = _escape(_escape(paths.log_file.parent))  # supervisord expands the names of child logs twice
    return _section(
        f"fcgi-program:{group}",
        [
            ("socket", f"tcp://{host}:{service.port}"),
            ("socket_backlog", BACKLOG),
            ("command", command),
            ("process_name", "worker-%(process_num)d"),
            ("numprocs", service.workers),
            ("autorestart", "true"),
            ("startsecs", 1),
            ("startretries", 3),
            ("stopsignal", "TERM"),
            ("stopwaitsecs", service.drain_seconds + _KILL_MARGIN_SECONDS),
            ("redirect_stderr", "true"),
            ("stdout_logfile", f"{log_dir}/{group}-%(process_num)d.log"),
            ("stdout_logfile_maxbytes", _LOG_MAX_BYTES),
            ("stdout_logfile_backups", _LOG_BACKUPS),
            ("environment", 'PYTHONUNBUFFERED="1"'),
        ],
    )


def _section(name: str, rows: Sequence[tuple[str, object]]) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in rows) + "\n"


def _escape(value: object) -> str:
    return str(value).replace("%", "%%")
