"""What a worker becomes before it serves: its user, niceness, limits and umask.

Source: xinetd.conf(5), `user group groups nice rlimit_as rlimit_files umask`.
"""

from __future__ import annotations

import grp
import importlib
import os
import pwd
import resource
from pathlib import Path

from listener.config import Config
from listener.errors import ConfigurationFault

NO_UMASK = -1


def take_on(config: Config) -> None:
    """Raises: ConfigurationFault: this process may not become so; the message names the attribute."""
    if config.umask != NO_UMASK:
        os.umask(config.umask)
    try:
        if config.nice:
            os.nice(config.nice)
    except OSError as error:
        raise ConfigurationFault(f"nice {config.nice}: {error.strerror}") from error
    _limit(resource.RLIMIT_NOFILE, config.rlimit_files, "rlimit_files")
    _limit(resource.RLIMIT_AS, config.rlimit_as_bytes, "rlimit_as")
    if os.geteuid() == 0:
        _become(config)


def _limit(kind: int, value: int, name: str) -> None:
    if not value:
        return
    try:
        resource.setrlimit(kind, (value, value))
    except (OSError, ValueError) as error:
        raise ConfigurationFault(f"{name} {value}: {error}") from error


def _become(config: Config) -> None:
    """Change to the user and group; xinetd's default for the group is the user's own."""
    if not config.user and not config.group:
        return
    user = _find_user(config.user or str(os.getuid()))
    if user.pw_uid == 0 and not config.group:
        return
    gid = _find_group(config.group) if config.group else user.pw_gid
    groups = os.getgrouplist(user.pw_name, gid) if config.has_supplementary_groups else [gid]
    for directory in (config.data_dir, config.log_dir, config.tmp_dir):
        _hand_over(Path(directory), user.pw_uid, gid)
    # what is imported with the first peer may lie where only root can read
    importlib.import_module("listener.connection")
    try:
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(user.pw_uid)
    except OSError as error:
        raise ConfigurationFault(f"user {config.user}, group {config.group}: {error.strerror}") from error


def _hand_over(directory: Path, uid: int, gid: int) -> None:
    """A directory that is not there yet is made for the user; one that is there belongs to whom it does."""
    if directory.exists():
        return
    try:
        directory.mkdir(parents=True)
        os.chown(directory, uid, gid)
    except OSError as error:
        raise ConfigurationFault(f"{directory}: {error.strerror}") from error


def _find_user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except KeyError as error:
        raise ConfigurationFault(f"there is no user {name}") from error


def _find_group(name: str) -> int:
    try:
        return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise ConfigurationFault(f"there is no group {name}") from error
