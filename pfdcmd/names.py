"""Checked strings: text that has been found fit to be an AE title, a UID, a port.

Each `parse_*` takes what a caller or a file said and returns the value, or raises ParameterFault naming the parameter.
"""

from __future__ import annotations

import re
from typing import NewType

from pfdcmd.errors import ParameterFault

AETitle = NewType("AETitle", str)
Uid = NewType("Uid", str)
Port = NewType("Port", int)

_UID = re.compile(r"[0-9]+(\.[0-9]+)*\Z")
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}\Z")
_UID_MAX_LENGTH = 64


def parse_ae_title(text: object, parameter: str) -> AETitle:
    """One to 16 characters of the default repertoire, no backslash, not only spaces; outer spaces do not count.

    Source: DICOM PS3.5 section 6.2, value representation AE.
    """
    if isinstance(text, str):
        title = text.strip(" ")
        if title and _AE_TITLE.match(title):
            return AETitle(title)
    raise ParameterFault(
        f"{parameter} must be an AE title: 1 to 16 printable ASCII characters, no backslash.", parameter=parameter
    )


def parse_uid(text: object, parameter: str) -> Uid:
    """Digits and dots, at most 64 characters; leading zeros of a component are tolerated, as PACSs send them.

    Source: DICOM PS3.5 section 9.1.
    """
    if isinstance(text, str):
        uid = text.strip(" \0")
        if len(uid) <= _UID_MAX_LENGTH and _UID.match(uid):
            return Uid(uid)
    raise ParameterFault(
        f"{parameter} must be a UID: digits and dots, at most {_UID_MAX_LENGTH} characters.", parameter=parameter
    )


def parse_port(value: object, parameter: str) -> Port:
    """A TCP port, 1 to 65535, as a number or as decimal digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,5}\s*", value, re.ASCII):
        number = int(value)
    else:
        number = 0
    if not 1 <= number <= 65535:
        raise ParameterFault(f"{parameter} must be a TCP port, 1 to 65535.", parameter=parameter)
    return Port(number)
