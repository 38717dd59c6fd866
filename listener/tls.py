"""DICOM over TLS: connections of one service are encrypted before anything of an association is read.

The files are read again when they change: a certificate that was renewed is used for the next connection, open ones go
on with the former. Files that cannot be used leave the former in force, with a line in the log.

Source: DICOM PS3.15 section B.12, BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile; RFC 9325 section 4.2.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading

from listener.config import TLS_1_3, Config

_LOG = logging.getLogger("listener.tls")
# RFC 9325, section 4.2: forward secret and authenticated; the suites of TLS 1.3 are all so.
_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"
_FIRST_VERSION = {True: ssl.TLSVersion.TLSv1_3, False: ssl.TLSVersion.TLSv1_2}

_Signature = tuple[tuple[int, int, int], ...]


class TlsDoor:
    """The certificate, key and authorities of one service; any thread may use it."""

    def __init__(self, config: Config) -> None:
        """Raises: OSError: the files cannot be read, or are not what they should be."""
        self._config = config
        self._files = [file for file in (config.tls_certificate, config.tls_key, config.tls_ca) if file]
        self._mutex = threading.Lock()
        self._signature = self._sign()
        self._context = make_context(config)

    def wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        """The encrypted connection, whose handshake is still to come; `sock` is not to be used any more.

        Raises: OSError: the connection is gone.
        """
        return self._current().wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def explain(self, error: OSError) -> str:
        """Why a handshake has failed, in OpenSSL's own words, which hold nothing that the peer chose."""
        return _reason_of(error)

    def _current(self) -> ssl.SSLContext:
        with self._mutex:
            signature = self._sign()
            if signature != self._signature:
                # Also when it fails: it is tried again when they have changed again, and said once.
                self._signature = signature
                try:
                    self._context = make_context(self._config)
                    _LOG.warning("the TLS certificate was read again")
                except OSError as error:
                    _LOG.error("the TLS files have changed and cannot be used, the former are: %s", _reason_of(error))
            return self._context

    def _sign(self) -> _Signature:
        """What tells whether a file is another than before; a missing one is one, too."""
        return tuple(_sign(file) for file in self._files)


def make_context(config: Config) -> ssl.SSLContext:
    """Raises: OSError: the files cannot be read; ssl.SSLError, which is one: they are not what they should be."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _FIRST_VERSION[config.tls_profile == TLS_1_3]
    context.set_ciphers(_SUITES)
    # Without resumption: each association shows its certificate, as it is now.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0
    # An encrypted key would have OpenSSL ask on a terminal.
    context.load_cert_chain(config.tls_certificate, config.tls_key or None, password=lambda: b"")
    if config.tls_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cafile=config.tls_ca)
    return context


def _reason_of(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "connection closed").replace("_", " ").lower()
    if isinstance(error, TimeoutError):
        return "no handshake in time"
    return error.strerror or "connection lost"


def _sign(file: str) -> tuple[int, int, int]:
    try:
        there = os.stat(file)  # noqa: PTH116 - text in, as configured
    except OSError:
        return (0, 0, 0)
    return (there.st_ino, there.st_size, there.st_mtime_ns)
