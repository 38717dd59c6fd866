"""TLS for the HTTP port: the certificate, what is negotiated, and the handshake of each connection.

The profile is BCP 195 (RFC 9325): TLS 1.2 and 1.3, forward secrecy and authenticated encryption, no compression and no
renegotiation. Files are read anew when one of them changes; connections that are open keep what they have.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pfdcmd.errors import ParameterFault
from pfdcmd.settings import Settings

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2; those of TLS 1.3 are all fit. RFC 9325 section 4.2."""

HANDSHAKE_SECONDS = 10.0
_CLOSING_SECONDS = 5.0
_LOOK_SECONDS = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TlsFiles:
    """What the operator gives: PEM files; client_ca is None where callers need no certificate."""

    certificate: Path
    key: Path
    client_ca: Path | None


class HttpTls:
    """The TLS context in force."""

    def __init__(self, files: TlsFiles, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises: ParameterFault: the files cannot be used; the message says which and why."""
        self._files = files
        self._clock = clock
        self._signature = _signature(files)
        self._context = _make_context(files)
        self._looked = clock()

    def context(self) -> ssl.SSLContext:
        """The context for a new connection; looks at most once a second whether the files have changed."""
        if self._clock() - self._looked >= _LOOK_SECONDS:
            self._looked = self._clock()
            if _signature(self._files) != self._signature:
                self._reload()
        return self._context

    def _reload(self) -> None:
        """Read the files again. When they cannot be used the former certificate stays, and the log says so."""
        self._signature = _signature(self._files)
        try:
            self._context = _make_context(self._files)
        except ParameterFault as fault:
            _log.error("The former certificate stays in force: %s", fault.message)
            return
        _log.info("the certificate %s is in force", self._files.certificate)


class Handshake(asyncio.Protocol):
    """A connection until it is encrypted: counted as any other, and given up when that takes too long."""

    def __init__(self, tls: HttpTls, open_connections: set[Any], make: Callable[[], asyncio.Protocol]) -> None:
        """make: the protocol of the connection once it is encrypted."""
        self._tls = tls
        self._open_connections = open_connections
        self._make = make
        self._shaking: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            return
        # not a byte of the handshake is to come here instead of there
        transport.pause_reading()
        self._open_connections.add(self)
        self._shaking = asyncio.get_running_loop().create_task(self._encrypt(transport))

    async def _encrypt(self, transport: asyncio.Transport) -> None:
        protocol = self._make()
        try:
            encrypted = await asyncio.get_running_loop().start_tls(
                transport,
                protocol,
                self._tls.context(),
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=_CLOSING_SECONDS,
            )
        except OSError as error:  # ssl.SSLError is one
            _log.info("no TLS with %s: %s", _address(transport), _reason(error))
            transport.abort()
            return
        finally:
            self._open_connections.discard(self)
        if encrypted is not None:
            protocol.connection_made(encrypted)


def open_tls(settings: Settings) -> HttpTls | None:
    """TLS as the settings have it, None for plain HTTP. Raises: ParameterFault: they cannot be used."""
    if not (settings.tls_certificate or settings.tls_key or settings.tls_client_ca):
        return None
    if not (settings.tls_certificate and settings.tls_key):
        raise ParameterFault("TLS needs both --tlsCertificate and --tlsKey.")
    client_ca = Path(settings.tls_client_ca) if settings.tls_client_ca else None
    return HttpTls(TlsFiles(Path(settings.tls_certificate), Path(settings.tls_key), client_ca))


def _make_context(files: TlsFiles) -> ssl.SSLContext:
    for path, option in _named(files):
        try:
            path.open("rb").close()
        except OSError as error:
            raise ParameterFault(f"{path} cannot be read: {error.strerror} ({option}).") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        # a key with a passphrase is refused: nobody is there to type it
        context.load_cert_chain(files.certificate, files.key, password=b"")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ParameterFault(
            f"{files.certificate} and {files.key} cannot be used as certificate and key: {_reason(error)}."
        ) from error
    if files.client_ca is not None:
        try:
            context.load_verify_locations(files.client_ca)
        except (OSError, ssl.SSLError) as error:
            raise ParameterFault(f"{files.client_ca} holds no certificates: {_reason(error)}.") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _named(files: TlsFiles) -> list[tuple[Path, str]]:
    named = [(files.certificate, "--tlsCertificate"), (files.key, "--tlsKey")]
    return named if files.client_ca is None else [*named, (files.client_ca, "--tlsClientCA")]


def _signature(files: TlsFiles) -> tuple[tuple[int, int, int] | None, ...]:
    return tuple(_state(path) for path, _ in _named(files))


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _reason(error: Exception) -> str:
    """OpenSSL's own words, such as KEY_VALUES_MISMATCH."""
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__


def _address(transport: asyncio.BaseTransport) -> str:
    name = transport.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) and name else "a caller"
