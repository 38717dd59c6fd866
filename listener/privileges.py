"""What a worker becomes before it serves: its user, niceness, limits and umask.

Source: xinetd.conf(5), `user group groups nice rlimit_as rlimit_files umask`.
"""

from __future__ import annotations

import grp
import importlib
import os
import pwd
import resource
from dataclasses import dataclass
from pathlib import Path

from listener.config import Config
from listener.errors import ConfigurationFault

NO_UMASK = -1
# sticky; the others may add to it, no more
_DROP_BOX = 0o1733


def make_directories(config: Config) -> None:
    """Set the umask, and make what is missing of the directories for the user that `take_on` will change to.

    Raises: ConfigurationFault: there is no such user or group. OSError: they cannot be made now.
    """
    if config.umask != NO_UMASK:
        os.umask(config.umask)
    account = _account(config) if os.geteuid() == 0 else None
    if account is not None:
        for directory in (config.data_dir, config.log_dir, config.tmp_dir):
            _hand_over(Path(directory), account.uid, account.gid)
        if config.quarantine_dir:
            _hand_over(Path(config.quarantine_dir), account.uid, account.gid, mode=0o700)


def let_write(config: Config, directory_fd: int) -> None:
    """Let the user whom `take_on` changes to make files in a directory that is open, and not list or remove others'.

    The directory is reached by its descriptor alone: it lies in one that only pfdcm's own user may enter. Several
    services' users share it. Raises: OSError; ConfigurationFault: there is no such user or group.
    """
    if directory_fd >= 0 and os.geteuid() == 0 and _account(config) is not None:
        os.fchmod(directory_fd, _DROP_BOX)


def take_on(config: Config) -> None:
    """Become all else. Raises: ConfigurationFault: this process may not become so; the message names the attribute."""
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


@dataclass(frozen=True)
class _Account:
    name: str
    uid: int
    gid: int


def _account(config: Config) -> _Account | None:
    """Whom to change to, if anybody; xinetd's default for the group is the user's own."""
    if not config.user and not config.group:
        return None
    user = _find_user(config.user or str(os.getuid()))
    if user.pw_uid == 0 and not config.group:
        return None
    return _Account(user.pw_name, user.pw_uid, _find_group(config.group) if config.group else user.pw_gid)


def _become(config: Config) -> None:
    """Change to the user and group."""
    account = _account(config)
    if account is None:
        return
    groups = os.getgrouplist(account.name, account.gid) if config.has_supplementary_groups else [account.gid]
    # what is imported with the first peer may lie where only root can read
    importlib.import_module("listener.connection")
    try:
        os.setgroups(groups)
        os.setgid(account.gid)
        os.setuid(account.uid)
    except OSError as error:
        raise ConfigurationFault(f"user {config.user}, group {config.group}: {error.strerror}") from error


def _hand_over(directory: Path, uid: int, gid: int, mode: int = 0o777) -> None:
    """A directory that is not there yet is made for the user; one that is there belongs to whom it does."""
    if not directory.exists():
        directory.mkdir(mode, parents=True)
        os.chown(directory, uid, gid)


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
