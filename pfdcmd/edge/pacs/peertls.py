"""TLS to a PACS: the context that an entry's files make, and in words why a connection could not be encrypted.

The profile is PS3.15 section B.12 (BCP 195, RFC 9325): TLS 1.2 or later, forward secrecy, authenticated encryption.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from pfdcmd.edge.pacs.peersocket import PromptTlsSocket
from pfdcmd.errors import PeerConfigurationFault, PeerTLSFailed
from pfdcmd.pacs.peertls import PeerTls

# Of TLS 1.2; those of 1.3 all are. RFC 9325 section 4.2.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"

_SELF_SIGNED_CODES = frozenset((18, 19))  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, ..._SELF_SIGNED_CERT_IN_CHAIN
_UNKNOWN_ISSUER_CODES = frozenset((2, 20, 21))
_EXPIRED_CODE, _NOT_YET_VALID_CODE = 10, 9
_WRONG_NAME_CODES = frozenset((62, 64))  # X509_V_ERR_HOSTNAME_MISMATCH, ..._IP_ADDRESS_MISMATCH

_CAUSES = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS on this port; take tls out of the entry, or give its TLS port",
    "UNEXPECTED_EOF_WHILE_READING": "it closed the connection; it may not speak TLS on this port",
    "UNSUPPORTED_PROTOCOL": "it speaks no TLS from 1.2 on",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks no TLS from 1.2 on",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it shares no cipher with us, or asks for a certificate; see tlsCertificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for our certificate; give tlsCertificate",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know who issued our certificate (tlsCertificate)",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not take our certificate (tlsCertificate)",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our certificate (tlsCertificate) has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not take our certificate (tlsCertificate)",
}


def make_context(tls: PeerTls) -> ssl.SSLContext:
    """The context of a connection to a PACS.

    Raises: PeerConfigurationFault: a file is not there or does not hold what it should; the message names the key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.check_hostname = tls.checks_host
    context.sslsocket_class = PromptTlsSocket
    if tls.ca:
        _check_readable(tls.ca, "tlsCA")
        try:
            context.load_verify_locations(tls.ca)
        except (OSError, ssl.SSLError) as error:
            raise PeerConfigurationFault("tlsCA holds no certificates in PEM form.", cause=str(error)) from error
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if tls.certificate:
        _load_own(context, tls)
    return context


def why_not_encrypted(error: OSError) -> PeerTLSFailed:
    """The fault of a handshake that failed, or of an encrypted connection that was ended for its certificate's sake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        cause = _why_not_trusted(error)
    elif isinstance(error, ssl.SSLError):
        reason = error.reason or "unknown reason"
        cause = _CAUSES.get(reason, reason.lower().replace("_", " "))
    elif isinstance(error, TimeoutError):
        cause = "it did not answer in time; it may not speak TLS on this port"
    else:
        cause = "it closed the connection; it may not speak TLS on this port"
    return PeerTLSFailed(f"The connection to the PACS could not be encrypted: {cause}.", cause=str(error))


def _why_not_trusted(error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code in _WRONG_NAME_CODES:
        return "its certificate does not name serverIP; correct serverIP, or leave tlsCheckHost out"
    if code == _EXPIRED_CODE:
        return "its certificate has expired"
    if code == _NOT_YET_VALID_CODE:
        return "its certificate is not valid yet; the clocks may differ"
    if code in _SELF_SIGNED_CODES:
        return "its certificate is signed by itself; give it, or its authority's, as tlsCA"
    if code in _UNKNOWN_ISSUER_CODES:
        return "its certificate is not from an authority that tlsCA has"
    return f"its certificate is not trusted ({error.verify_message})"


def _load_own(context: ssl.SSLContext, tls: PeerTls) -> None:
    _check_readable(tls.certificate, "tlsCertificate")
    if tls.key:
        _check_readable(tls.key, "tlsKey")
    try:
        context.load_cert_chain(tls.certificate, tls.key or None, password=_no_password)
    except _PasswordWanted as error:
        raise PeerConfigurationFault("tlsKey is encrypted; pfdcm has nobody to ask for its password.") from error
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        text = "tlsKey is not the key of tlsCertificate." if mismatch else "tlsCertificate or tlsKey is no PEM file."
        raise PeerConfigurationFault(text, cause=str(error)) from error


class _PasswordWanted(ValueError):
    """A key is encrypted."""


def _no_password() -> str:
    raise _PasswordWanted


def _check_readable(path: str, key: str) -> None:
    """OpenSSL says of a missing file neither which nor always why."""
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise PeerConfigurationFault(f"{key} cannot be read: {error.strerror}.", cause=str(error)) from error
