"""The token file's text: one token a line, with the name and the right of who has it. No I/O.

    # name    right     token
    ward-3    read      sha256:1c62...  (64 hexadecimal digits: the token's SHA-256)
    nightly   operate   sha256:9f0b...
    it        admin     a-token-as-it-is-sent

A token is 256 random bits where `pfdcm --makeToken` has made it: a plain hash is as good as a slow one then, as there
is nothing to guess. Tokens may stand as they are; whoever reads the file then has them.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field

from pfdcmd.actions.caller import Right
from pfdcmd.errors import ParameterFault

MAX_TOKENS = 1024
_TOKEN_BYTES = 32
_MIN_CHARACTERS = 16
_DIGEST_PREFIX = "sha256:"
_DIGEST = re.compile(r"sha256:[0-9a-fA-F]{64}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,512}=*", re.ASCII)
"""What a header can carry: RFC 6750 section 2.1, b64token."""


@dataclass(frozen=True)
class Token:
    """A caller's name and right, and the SHA-256 of the token that proves it."""

    name: str
    right: Right
    digest: bytes = field(repr=False)


def digest_of(token: str) -> bytes:
    """The SHA-256 of a token as it is sent."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def make_token(name: str, right: str) -> tuple[str, str]:
    """A fresh token. Returns: it, and its line for the file. Raises: ParameterFault: the name or the right."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    line = f"{name} {right} {_DIGEST_PREFIX}{digest_of(token).hex()}"
    parse_tokens(line)
    return token, line


def parse_tokens(text: str) -> tuple[Token, ...]:
    """The tokens of a file. Raises: ParameterFault: a line that is none, by its number; nothing of it is repeated."""
    tokens: dict[str, Token] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 3:
            raise ParameterFault(f"Line {number} is not a name, a right and a token.")
        token = Token(_parse_name(words[0], number), _parse_right(words[1], number), _parse_digest(words[2], number))
        if token.name in tokens:
            raise ParameterFault(f"Line {number} has the name of an earlier one.")
        if any(token.digest == other.digest for other in tokens.values()):
            raise ParameterFault(f"Line {number} has the token of an earlier one.")
        tokens[token.name] = token
        if len(tokens) > MAX_TOKENS:
            raise ParameterFault(f"There are more than {MAX_TOKENS} tokens.")
    return tuple(tokens.values())


def _parse_name(word: str, number: int) -> str:
    if not _NAME.fullmatch(word):
        raise ParameterFault(f"Line {number}: a name is 1 to 64 letters, digits, dots, hyphens, underscores and @.")
    return word


def _parse_right(word: str, number: int) -> Right:
    try:
        return Right[word.upper()]
    except KeyError:
        raise ParameterFault(f"Line {number}: a right is read, operate or admin.") from None


def _parse_digest(word: str, number: int) -> bytes:
    if _DIGEST.fullmatch(word):
        return bytes.fromhex(word.removeprefix(_DIGEST_PREFIX))
    if word.startswith(_DIGEST_PREFIX) or not _TOKEN.fullmatch(word) or len(word) < _MIN_CHARACTERS:
        raise ParameterFault(
            f"Line {number}: a token is sha256: and 64 hexadecimal digits, or itself, "
            f"{_MIN_CHARACTERS} to 512 letters, digits and ._~+/-."
        )
    return digest_of(word)
