"""Where the server is and who asks: options before PFDCMCTL_* before the file, each key alike in all three."""

from __future__ import annotations

import ipaddress
import os
import ssl
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pfdcmd.ctl.problems import WrongUse

DEFAULT_SERVER = "http://localhost:4055"
FILE_KEYS = ("server", "token_file", "ca", "cert", "key", "timeout", "pacs")

_DEFAULT_PORT = 4055
_FILE_MAX_BYTES = 65_536
_TOKEN_MAX_CHARACTERS = 4096


@dataclass(frozen=True)
class Server:
    """Where pfdcm answers, and what it takes to be let in. path ends without a slash."""

    host: str
    port: int
    path: str
    is_tls: bool
    token: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""

    @property
    def url(self) -> str:
        """What messages call it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}{self.path}"

    @property
    def is_this_machine(self) -> bool:
        """Whether what is sent there stays on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def tls_context(self) -> ssl.SSLContext | None:
        """How the server is checked, and how we show who we are. Raises: WrongUse: naming the file that is at fault."""
        if not self.is_tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
        except OSError as error:
            raise WrongUse(
                f"--ca {self.ca} cannot be used: {_reason(error)}.", "Name a file of PEM certificates."
            ) from error
        if self.cert:
            try:
                context.load_cert_chain(self.cert, self.key or None)
            except OSError as error:
                raise WrongUse(
                    f"--cert {self.cert} cannot be used: {_reason(error)}.",
                    "Name a PEM certificate with --cert, and its private key with --key when it is in another file.",
                ) from error
        return context


@dataclass(frozen=True)
class Settings:
    """What the options before the command come to. timeout_seconds None: each call's own; pacs: the usual one or ""."""

    server: Server
    timeout_seconds: float | None
    pacs: str


def settle(options: Mapping[str, Any], file: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Args: options: those before the command, by name, as click has merged them. file: what load_file gave.

    Raises: WrongUse: naming what cannot be used.
    """
    token = _find_token(options.get("token_file"), environ)
    tls = {name: str(options.get(name) or "") for name in ("ca", "cert", "key")}
    server = parse_server(str(options.get("server") or DEFAULT_SERVER), token=token, **tls)
    usual = environ.get("PFDCMCTL_PACS") or file.get("pacs", "")
    if not isinstance(usual, str):
        raise WrongUse("The key pacs of the file of settings is no name.", 'Write it as pacs = "orthanc".')
    return Settings(server, options.get("timeout"), usual)


def default_file(environ: Mapping[str, str]) -> Path:
    """The file of settings, where the XDG base directories say."""
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "/")) / ".config")
    return Path(base) / "pfdcmctl.toml"


def load_file(file: Path, *, is_named: bool) -> dict[str, Any]:
    """The settings of a file: a key of FILE_KEYS each. One that nobody named need not be there.

    Raises: WrongUse: it cannot be read, is no TOML, or holds a key that does not exist.
    """
    try:
        with file.open("rb") as stream:
            text = stream.read(_FILE_MAX_BYTES).decode()
        content = tomllib.loads(text)
    except FileNotFoundError:
        if not is_named:
            return {}
        raise WrongUse(f"{file} is not there.", "Name a file that is with --config.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WrongUse(f"{file} cannot be used: {_reason(error)}.", 'A line is: server = "http://host:4055"') from error
    for key in content:
        if key not in FILE_KEYS:
            raise WrongUse(f"{file} has a key {key!r} that does not exist.", f"There are: {', '.join(FILE_KEYS)}.")
    return content


def parse_server(url: str, *, token: str = "", ca: str = "", cert: str = "", key: str = "") -> Server:
    """Raises: WrongUse: it is no address of a server."""
    advice = f"It is written as {DEFAULT_SERVER}, or https://host:port."
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise WrongUse(f"--server {url!r} is no address of a server.", advice) from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
        raise WrongUse(f"--server {url!r} is no address of a server.", advice)
    if any(character <= " " or character == "\x7f" for character in parts.path + host):
        raise WrongUse(f"--server {url!r} is no address of a server.", advice)
    return Server(host, port or _DEFAULT_PORT, parts.path.rstrip("/"), parts.scheme == "https", token, ca, cert, key)


def load_token(file: str) -> str:
    """The token of a file: its first line. Raises: WrongUse: there is none to be had, or others may read it."""
    try:
        with Path(file).expanduser().open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            line = stream.readline(_TOKEN_MAX_CHARACTERS)
    except OSError as error:
        raise WrongUse(
            f"--token-file {file} cannot be read: {_reason(error)}.", "Put the token there, and nothing else."
        ) from error
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise WrongUse(f"--token-file {file} can be read by everybody on this machine.", f"Close it: chmod 600 {file}")
    return check_token(line.decode("latin-1").strip(), f"--token-file {file}")


def _find_token(file: str | None, environ: Mapping[str, str]) -> str:
    if file:
        return load_token(file)
    variable = environ.get("PFDCMCTL_TOKEN", "")
    return check_token(variable, "PFDCMCTL_TOKEN") if variable else ""


def check_token(token: str, source: str) -> str:
    """Raises: WrongUse: it is nothing that can stand in a header."""
    if not token or not all("!" <= character <= "~" for character in token):
        raise WrongUse(f"{source} holds no token.", "A token is one line of letters, digits and signs, without spaces.")
    return token


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".")
