"""Whom pfdcm runs as: started by root it becomes an ordinary account before it opens or reads anything.

Directories that it is about to use and that are not there yet are made for that account; what is there belongs to whom
it does, and has to be handed over by who knows what is in it. After this nothing of ours is root's: supervisord and
the listeners run as the same account, so that a service's `user`, `group` and `nice` below 0, and ports below 1024,
are not to be had (CAP_NET_BIND_SERVICE is lost, too: systemd's User= and AmbientCapabilities= keep it).
"""

from __future__ import annotations

import os
import pwd
from collections.abc import MutableMapping
from pathlib import Path

from pfdcmd.edge.places import SYSTEM_STATE_DIR
from pfdcmd.errors import ParameterFault
from pfdcmd.settings import Settings

DEFAULT_ACCOUNT = "pfdcm"
STAYS_ROOT = "pfdcm runs as root; --user ACCOUNT, or an account pfdcm on this machine, makes it an ordinary one"
NO_LONGER_ROOT = "pfdcm has become %s: services' user and group, nice below 0 and ports below 1024 are not to be had"


def find_account(settings: Settings) -> pwd.struct_passwd | None:
    """Whom to become; None to stay who we are, which `root` asks for whoever that is.

    Raises: ParameterFault: there is no such account, or only root could become it.
    """
    if settings.user == "root":
        return None
    name = settings.user or DEFAULT_ACCOUNT
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        if settings.user:
            raise ParameterFault(f"There is no account {name} (--user).") from None
        return None
    if os.geteuid() != 0:
        if settings.user and account.pw_uid != os.geteuid():
            raise ParameterFault(f"Only root can become {name}; leave --user out, or start pfdcm as root.")
        return None
    return account if account.pw_uid != 0 else None


def become(account: pwd.struct_passwd, settings: Settings, environ: MutableMapping[str, str]) -> None:
    """Become the account, with its groups and its home, for good.

    Raises: ParameterFault: a directory cannot be made, or is there and is not the account's to write to.
    """
    directories = _directories(settings)
    for directory, mode in directories.items():
        _make_for(account, directory, mode)
    os.initgroups(account.pw_name, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    environ.update(HOME=account.pw_dir, USER=account.pw_name, LOGNAME=account.pw_name)
    for directory in directories:
        if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
            raise ParameterFault(
                f"{directory} is not for {account.pw_name} to write to: chown -R {account.pw_name}: {directory} "
                "once the listeners have ended, or go on as before with --user root."
            )


def _directories(settings: Settings) -> dict[Path, int]:
    """Directory -> its mode when it is made, of those that pfdcm writes to by its settings alone."""
    named = {
        settings.state_dir or str(SYSTEM_STATE_DIR): 0o700,
        settings.dicom_dir: 0o750,
        settings.debug_to_dir: 0o750,
    }
    return {Path(name).absolute(): mode for name, mode in named.items() if name}


def _make_for(account: pwd.struct_passwd, directory: Path, mode: int) -> None:
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    try:
        for each in reversed(missing):
            each.mkdir(mode=mode if each == directory else 0o755)
        if missing:
            os.chown(directory, account.pw_uid, account.pw_gid)
    except OSError as error:
        raise ParameterFault(f"{directory} cannot be made: {error.strerror}.") from error
