"""The values of a service's attributes: the words right of the operator to what they mean.

Each parser takes the words and returns a value fit for JSON, or raises ParameterFault saying what the attribute wants;
the caller knows attribute, file and line.
Source: xinetd.conf(5) for the forms; DICOM PS3.5 section 6.2 for AE titles and UIDs.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from pfdcmd.errors import ParameterFault, ServiceFault
from pfdcmd.names import parse_ae_title, parse_port, parse_uid

Words = tuple[str, ...]
Value = str | int | float | bool | list[str] | list[int]
Parser = Callable[[Words], Value]

UNLIMITED = "UNLIMITED"
MAX_LIST_WORDS = 1024
MAX_PATH_LENGTH = 1024

_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
_SIGNED = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)
_OCTAL = re.compile(r"[0-7]{1,4}", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,15})([KMG]?)", re.ASCII)
_SIZE_FACTORS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_INTERVAL = re.compile(r"([0-9]{1,2}):([0-9]{1,2})-([0-9]{1,2}):([0-9]{1,2})", re.ASCII)
_ACCOUNT = re.compile(r"[a-z_0-9][a-z0-9_.-]{0,31}\$?", re.ASCII | re.IGNORECASE)
_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\.?",
    re.ASCII | re.IGNORECASE,
)
_FACTORIZED = re.compile(r"([0-9.]*\.)\{([0-9,]+)\}", re.ASCII)
_SYNTAX = frozenset("\"'\\{}")


def one(parse: Callable[[str], Value]) -> Parser:
    """A parser of exactly one word."""

    def parse_words(words: Words) -> Value:
        if len(words) != 1:
            raise ParameterFault("takes one value")
        return parse(words[0])

    return parse_words


def several(parse: Callable[[str], str]) -> Parser:
    """A parser of a list, each word on its own; repeated ones count once."""

    def parse_words(words: Words) -> Value:
        if not words:
            raise ParameterFault("needs at least one value")
        if len(words) > MAX_LIST_WORDS:
            raise ParameterFault(f"takes at most {MAX_LIST_WORDS} values")
        return list(dict.fromkeys(parse(word) for word in words))

    return parse_words


def subset(*words: str) -> Parser:
    """A parser of any of these words, or of none."""
    parse = choice(*words)
    return lambda given: list(dict.fromkeys(parse(word) for word in given))


def switch(word: str) -> bool:
    """`yes` or `no`."""
    if word not in ("yes", "no"):
        raise ParameterFault("must be yes or no")
    return word == "yes"


def number(low: int, high: int, unit: str) -> Callable[[str], int]:
    """A parser of a whole number within bounds."""

    def parse(word: str) -> int:
        value = int(word) if _NUMBER.fullmatch(word) else -1
        if not low <= value <= high:
            raise ParameterFault(f"must be a whole number of {unit}, {low} to {high}")
        return value

    return parse


def count_or_unlimited(word: str) -> int:
    """A number of at least 1, or UNLIMITED, which is 0."""
    if word == UNLIMITED:
        return 0
    value = int(word) if _NUMBER.fullmatch(word) else 0
    if not 1 <= value <= 1_000_000:
        raise ParameterFault(f"must be a number, 1 to 1000000, or {UNLIMITED}")
    return value


def seconds(word: str) -> float:
    """A time of 0.1 s or more."""
    if not _DECIMAL.fullmatch(word) or not 0.1 <= float(word) <= 1e8:
        raise ParameterFault("must be a number of seconds, at least 0.1")
    return float(word)


def size(low: int) -> Callable[[str], int]:
    """A parser of a number of bytes, or of K, M or G of them."""

    def parse(word: str) -> int:
        match = _SIZE.fullmatch(word)
        if match is None or not low <= int(match[1]) * _SIZE_FACTORS[match[2]] < 2**62:
            raise ParameterFault(f"must be a number of bytes, at least {low}; K, M or G may follow it")
        return int(match[1]) * _SIZE_FACTORS[match[2]]

    return parse


def size_or_unlimited(low: int) -> Callable[[str], int]:
    """As size; UNLIMITED is 0."""
    return lambda word: 0 if word == UNLIMITED else size(low)(word)


def load(word: str) -> float:
    """A load average above 0."""
    if not _DECIMAL.fullmatch(word) or not float(word) > 0:
        raise ParameterFault("must be a load average above 0, like 2 or 2.5")
    return float(word)


def niceness(word: str) -> int:
    """A niceness, -20 to 19 (nice(2))."""
    if not _SIGNED.fullmatch(word) or not -20 <= int(word) <= 19:
        raise ParameterFault("must be a number, -20 to 19")
    return int(word)


def octal(word: str) -> int:
    """A file mode creation mask, up to 777."""
    if not _OCTAL.fullmatch(word) or int(word, 8) > 0o777:
        raise ParameterFault("must be an octal number, at most 777")
    return int(word, 8)


def choice(*words: str) -> Callable[[str], str]:
    """A parser of one of these words."""

    def parse(word: str) -> str:
        if word not in words:
            raise ParameterFault(f"must be {' or '.join(words)}")
        return word

    return parse


def account(word: str) -> str:
    """The name or number of a user or group."""
    if not _ACCOUNT.fullmatch(word):
        raise ParameterFault("must be a name or number of this machine's accounts")
    return word


def port(word: str) -> int:
    """A TCP port."""
    try:
        return parse_port(word, "port")
    except ParameterFault:
        raise ParameterFault("must be a TCP port, 1 to 65535") from None


def address(word: str) -> str:
    """An address of this machine, IPv4 or IPv6, in its shortest form."""
    try:
        parsed = ipaddress.ip_address(word)
    except ValueError:
        raise ParameterFault("must be an IPv4 or IPv6 address of this machine, or 0.0.0.0 or ::") from None
    if isinstance(parsed, ipaddress.IPv6Address) and (parsed.scope_id or parsed.ipv4_mapped):
        raise ParameterFault("must be an IPv6 address without a zone, and not an IPv4 address in disguise")
    return str(parsed)


def directory(word: object) -> str:
    """An absolute path that can stand in a service file, whose words are parted by white space and cannot be quoted."""
    if not isinstance(word, str) or not word.startswith("/") or len(word) > MAX_PATH_LENGTH:
        raise ParameterFault(f"must be an absolute path of at most {MAX_PATH_LENGTH} characters")
    if not word.isprintable() or any(c.isspace() or c in _SYNTAX for c in word):
        raise ParameterFault("must not hold spaces, control characters, quotes, backslashes or braces")
    if ".." in word.split("/"):
        raise ParameterFault("must not hold '..'")
    return word


def check_directory(value: object, what: str) -> str:
    """As directory, for a value that is not an attribute's. Raises: ServiceFault: the message names `what`."""
    try:
        return directory(value)
    except ParameterFault as fault:
        raise ServiceFault(f"{what} {fault.message}.") from fault


def ae_title(word: str) -> str:
    """An AE title (PS3.5 section 6.2)."""
    try:
        return parse_ae_title(word, "it")
    except ParameterFault:
        raise ParameterFault("must be AE titles: 1 to 16 printable ASCII characters each, no backslash") from None


def uid(word: str) -> str:
    """A UID (PS3.5 section 9.1)."""
    try:
        return parse_uid(word, "it")
    except ParameterFault:
        raise ParameterFault("must be UIDs: digits and dots, at most 64 characters each") from None


def peers(words: Words) -> list[str]:
    """Who: networks in their shortest form, and host names; for only_from and no_access.

    The forms of xinetd.conf(5), `only_from`: an address, whose components that are 0 on the right are wildcards; a
    factorized one; address/bits; IPv6 the same without wildcards; a host name.
    """
    if len(words) > MAX_LIST_WORDS:
        raise ParameterFault(f"takes at most {MAX_LIST_WORDS} values")
    return list(dict.fromkeys(each for word in words for each in _peer(word)))


def _peer(word: str) -> list[str]:
    factorized = _FACTORIZED.fullmatch(word)
    try:
        if factorized:
            return [_network(factorized[1] + last) for last in factorized[2].split(",")]
        if re.fullmatch(r"[0-9.]+(/[0-9.]+)?", word, re.ASCII) or ":" in word:
            return [_network(word)]
    except ValueError:
        raise ParameterFault(f"has {word[:64]!r}, which is neither an address nor a network") from None
    if word.startswith("."):
        raise ParameterFault(
            f"has {word[:64]!r}: a domain needs a reverse lookup for each connection, which is not made; "
            "name the hosts or their network"
        )
    if not _HOST_NAME.fullmatch(word):
        raise ParameterFault(f"has {word[:64]!r}, which is neither an address, nor a network, nor a host name")
    return [word.lower()]


def _network(text: str) -> str:
    if "/" in text or ":" in text:
        return str(ipaddress.ip_network(text, strict=False))
    components = text.rstrip(".").split(".")
    if len(components) > 4:
        raise ValueError(text)
    components += ["0"] * (4 - len(components))
    bits = 32
    while bits and int(components[bits // 8 - 1]) == 0:
        bits -= 8
    return str(ipaddress.ip_network(f"{'.'.join(components)}/{bits}"))


def interval(word: str) -> str:
    """hour:minute-hour:minute as HH:MM-HH:MM; both ends belong to it; one that ends before it begins spans midnight."""
    match = _INTERVAL.fullmatch(word)
    if match is None:
        raise ParameterFault("must be intervals like 22:00-6:00")
    hours, minutes = (int(match[1]), int(match[3])), (int(match[2]), int(match[4]))
    if max(minutes) > 59 or hours[0] > 23 or hours[1] * 60 + minutes[1] > 24 * 60:
        raise ParameterFault("has hours above 23 or minutes above 59")
    return f"{hours[0]:02}:{minutes[0]:02}-{hours[1]:02}:{minutes[1]:02}"


def rate(words: Words) -> list[int]:
    """Connections in a second, and seconds to wait when there were more."""
    if len(words) != 2 or not all(_NUMBER.fullmatch(word) and 1 <= int(word) <= 1_000_000 for word in words):
        raise ParameterFault("takes two numbers: connections in a second, and seconds to wait when there were more")
    return [int(word) for word in words]
