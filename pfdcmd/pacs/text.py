"""Text of a PACS's answers: bytes in any of DICOM's character sets -> str, never raising.

Bytes that their declared character set does not know become U+FFFD. What is undeclared, or declared as something that
does not exist, is read as UTF-8 when it is valid UTF-8, else as Latin-1: that is what such PACSs send.
Source: DICOM PS3.3 section C.12.1.1.2, PS3.5 sections 6.1.2.4 and 6.1.2.5.
"""

from __future__ import annotations

import re

from pydicom.charset import CODES_TO_ENCODINGS, python_encoding

_ESCAPE = b"\x1b"
_FRAGMENT = re.compile(rb"\A[^\x1b]+|\x1b[^\x1b]*")
_ESCAPE_SEQUENCE = re.compile(rb"\x1b(?:\$[()]?[A-D]|[()\-][A-Z])")

# Character sets without code extensions: an escape character in them is just a character.
_STAND_ALONE = frozenset(("UTF8", "GB18030", "GBK"))
# Python's codecs of these read the escape sequences themselves.
_WITH_ESCAPES = frozenset(("iso2022_jp", "iso2022_jp_2"))

# What returns a text to its first character set: PS3.5 section 6.1.2.5.3.
_TEXT_DELIMITER = re.compile(rb"[\\\r\n\f\t]")
_NAME_DELIMITER = re.compile(rb"[\\^=\r\n\f\t]")


def decode_text(raw: bytes, character_sets: tuple[str, ...], *, is_name: bool = False) -> str:
    """Decode one value (several are left joined by backslashes).

    Args: character_sets: the defined terms of SpecificCharacterSet, () when absent; is_name: its VR is PN.
    """
    first = _codec(character_sets[0]) if character_sets else None
    if _ESCAPE not in raw or first in _STAND_ALONE:
        return _decode(raw, first)
    delimiter = _NAME_DELIMITER if is_name else _TEXT_DELIMITER
    return "".join(_decode_fragment(fragment, first, delimiter) for fragment in _FRAGMENT.findall(raw))


def split_character_sets(raw: bytes) -> tuple[str, ...]:
    """The defined terms of a SpecificCharacterSet element."""
    text = raw.decode("latin-1").strip(" \0")
    return tuple(term.strip() for term in text.split("\\")) if text else ()


def _decode_fragment(fragment: bytes, first: str | None, delimiter: re.Pattern[bytes]) -> str:
    escape = _ESCAPE_SEQUENCE.match(fragment)
    codec = CODES_TO_ENCODINGS.get(escape.group()) if escape else None
    if escape is None or codec is None:
        return _decode(fragment, first)
    if codec in _WITH_ESCAPES:
        return fragment.decode(codec, errors="replace")
    body = fragment[escape.end() :]
    end = delimiter.search(body)
    if end is None:
        return body.decode(codec, errors="replace")
    return body[: end.start()].decode(codec, errors="replace") + _decode(body[end.start() :], first)


def _decode(raw: bytes, codec: str | None) -> str:
    if codec is not None:
        return raw.decode(codec, errors="replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _codec(term: str) -> str | None:
    """Python's codec of a defined term, common misspellings included; None for the default repertoire and nonsense."""
    words = re.sub(r"[\s_\-]+", " ", term.strip().upper())
    for spelling in (term, words, words.replace("ISO IR", "ISO_IR")):
        if spelling and spelling in python_encoding and not spelling.endswith("IR 6"):
            return python_encoding[spelling]
    return None
