"""The DCMTK command lines that would do the same: for people to read, and to paste into a shell.

pfdcm never runs them. Whatever a caller or a PACS put into a key, the shell passes it on as one argument, unread.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from pfdcmd.pacs.peer import Peer

# Between double quotes a shell reads ` $ " and the backslash, and an interactive one !, which cannot be escaped there.
_SPECIAL_IN_DOUBLE_QUOTES = re.compile(r'[`$"\\!\n]')


def find_command(program: str, keys: Mapping[str, str], peer: Peer) -> str:
    """The findscu call of one C-FIND: `-xi` is implicit VR only, `-S` the Study Root model (findscu(1)).

    Args: program: the path of findscu; keys: keyword -> value, an empty one to ask the element back.
    """
    options = " ".join(
        f"-k {keyword}" if not value else f"-k {_quote_key(keyword, value)}" for keyword, value in keys.items()
    )
    return f"{shlex.quote(program)} -xi -S  {options}  {_addresses(peer)}"


def move_command(program: str, study_uid: str | None, series_uid: str, peer: Peer) -> str:
    """The movescu call of one series. Its keys stand unquoted, as callers cut them out: UIDs need no quotes.

    Args: program: the path of movescu; study_uid: None when the study is not known.
    """
    keys = {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
    options = " ".join(f"-k {shlex.quote(f'{keyword}={value}')}" for keyword, value in keys.items() if value)
    destination = shlex.quote(peer.move_destination)
    return f"{shlex.quote(program)} -S --move {destination} --timeout 5 {options}  {_addresses(peer)}"


def _quote_key(keyword: str, value: str) -> str:
    argument = f"{keyword}={value}"
    return shlex.quote(argument) if _SPECIAL_IN_DOUBLE_QUOTES.search(argument) else f'"{argument}"'


def _addresses(peer: Peer) -> str:
    called, calling, host = (shlex.quote(text) for text in (peer.called_ae, peer.calling_ae, peer.host))
    return f"-aec {called} -aet {calling} {host} {peer.port}"
