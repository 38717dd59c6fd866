"""DICOM TLS to a PACS: it works with the right files, and each way it can fail is said in words that name the key."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from misbehavingpacs import HOST, misbehaving_pacs
from studyimages import study_images, study_uid

from pfdcmd.edge.pacs.net import PacsNet
from pfdcmd.errors import PeerAborted, PeerConfigurationFault, PeerTimeout, PeerTLSFailed, PeerUnreachable
from pfdcmd.pacs.level import LevelQuery
from pfdcmd.pacs.peertls import PeerTls
from pfdcmd.settings import Settings

pytestmark = pytest.mark.usefixtures("no_thread_is_left")
SETTINGS = Settings(pacs_connect_seconds=2, pacs_association_seconds=2, pacs_response_seconds=5, pacs_query_seconds=20)


@dataclass
class Site:
    """Certificates of one authority, as files, and the PACS's context."""

    authority: trustme.CA
    directory: Path

    @property
    def ca(self) -> str:
        return self.write("ca.pem", self.authority.cert_pem.bytes())

    def write(self, name: str, content: bytes) -> str:
        file = self.directory / name
        file.write_bytes(content)
        return str(file)

    def certificate(self, *names: str, **how) -> tuple[str, str]:
        """Issue one. Returns: the files of the chain and of its key."""
        issued = self.authority.issue_cert(*names, **how)
        chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
        stem = names[0].replace("*", "any")
        return self.write(f"{stem}.pem", chain), self.write(f"{stem}.key", issued.private_key_pem.bytes())

    def server(self, *names: str, wants_certificate: bool = False, **how) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*(names or (HOST,)), **how).configure_cert(context)
        if wants_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)
        return context


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def site(authority, tmp_path):
    return Site(authority, tmp_path)


def echo(pacs, tls, settings=SETTINGS):
    asyncio.run(PacsNet(settings).echo(replace(pacs.peer, tls=tls)))


def test_echo_and_find_are_encrypted(site):
    async def run(peer):
        net = PacsNet(SETTINGS)
        await net.echo(peer)
        keys = {"StudyInstanceUID": study_uid()}
        return [match async for match in net.find_level(peer, LevelQuery("SERIES", keys, 10))]

    with misbehaving_pacs(study_images(series=2, images=1), tls=site.server()) as pacs:
        assert len(asyncio.run(run(replace(pacs.peer, tls=PeerTls(ca=site.ca, checks_host=True))))) == 2


def test_both_sides_show_a_certificate(site):
    certificate, key = site.certificate("pfdcm.example.org")
    with misbehaving_pacs([], tls=site.server(wants_certificate=True)) as pacs:
        echo(pacs, PeerTls(site.ca, certificate, key, False))


def test_a_certificate_of_another_name_does_when_the_name_is_not_checked(site):
    with misbehaving_pacs([], tls=site.server("pacs.example.org")) as pacs:
        echo(pacs, PeerTls(ca=site.ca, checks_host=False))
        with pytest.raises(PeerTLSFailed, match="does not name serverIP"):
            echo(pacs, PeerTls(ca=site.ca, checks_host=True))


def test_a_certificate_of_an_authority_that_nobody_knows(site):
    with misbehaving_pacs([], tls=site.server()) as pacs:
        with pytest.raises(PeerTLSFailed, match="tlsCA"):
            echo(pacs, PeerTls(checks_host=True))
        other = site.write("other.pem", trustme.CA().cert_pem.bytes())
        with pytest.raises(PeerTLSFailed, match="not from an authority that tlsCA has"):
            echo(pacs, PeerTls(ca=other, checks_host=False))


def test_a_certificate_that_has_expired(site):
    expired = site.server(not_after=datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC))
    with misbehaving_pacs([], tls=expired) as pacs, pytest.raises(PeerTLSFailed, match="has expired"):
        echo(pacs, PeerTls(ca=site.ca, checks_host=False))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_pacs_that_asks_for_a_certificate_and_gets_none(site, version):
    context = site.server(wants_certificate=True)
    context.minimum_version = context.maximum_version = version
    with misbehaving_pacs([], tls=context) as pacs, pytest.raises(PeerTLSFailed, match="tlsCertificate"):
        echo(pacs, PeerTls(ca=site.ca, checks_host=False))


def test_a_pacs_that_does_not_know_who_issued_ours(site):
    stranger = trustme.CA().issue_cert("pfdcm.example.org")
    certificate = site.write("stranger.pem", stranger.private_key_and_cert_chain_pem.bytes())
    with (
        misbehaving_pacs([], tls=site.server(wants_certificate=True)) as pacs,
        pytest.raises(PeerTLSFailed, match="does not know who issued our certificate"),
    ):
        echo(pacs, PeerTls(site.ca, certificate, "", False))


def test_old_versions_and_weak_ciphers_are_not_spoken(site):
    weak = site.server()
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("AES128-SHA")
    with misbehaving_pacs([], tls=weak) as pacs, pytest.raises(PeerTLSFailed, match="no cipher"):
        echo(pacs, PeerTls(ca=site.ca, checks_host=False))


@contextlib.contextmanager
def answering(answer):
    """A port where what comes first is answered by these bytes, and the connection then ended. Gives: the port."""

    def accept():
        connection, _ = server.accept()
        with connection:
            connection.settimeout(10)
            connection.recv(65_536)
            connection.sendall(answer)

    with contextlib.closing(socket.create_server((HOST, 0))) as server:
        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize(
    ("answer", "said"),
    [(bytes.fromhex("07000000000400000200"), "does not speak TLS"), (b"", "may not speak TLS")],
)
def test_a_port_without_tls(site, answer, said):
    with misbehaving_pacs([]) as pacs, answering(answer) as port:
        pacs.port = port
        with pytest.raises(PeerTLSFailed, match=said):
            echo(pacs, PeerTls(ca=site.ca, checks_host=False))


def test_a_tls_port_without_tls_in_the_entry(site):
    with misbehaving_pacs([], tls=site.server()) as pacs, pytest.raises((PeerAborted, PeerTimeout)):
        echo(pacs, None)


def test_a_port_that_says_nothing_to_a_handshake(site):
    settings = replace(SETTINGS, pacs_connect_seconds=0.5)
    with contextlib.closing(socket.create_server((HOST, 0))) as server, misbehaving_pacs([]) as pacs:
        pacs.port = server.getsockname()[1]
        with pytest.raises((PeerTLSFailed, PeerTimeout), match=r"did not answer in time|did not agree on encryption"):
            echo(pacs, PeerTls(ca=site.ca, checks_host=False), settings)


def test_a_port_where_nobody_is_stays_unreachable(site):
    with misbehaving_pacs([]) as pacs:
        pacs.port = 1
        with pytest.raises(PeerUnreachable, match="Connection refused"):
            echo(pacs, PeerTls(ca=site.ca, checks_host=False))


def _encrypted(site, key):
    private = load_pem_private_key(Path(key).read_bytes(), None)
    locked = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    return site.write("locked.key", locked)


def test_files_that_are_not_what_they_should_be(site):
    certificate, key = site.certificate("pfdcm.example.org")
    _, other_key = site.certificate("other.example.org")
    nonsense = site.write("nonsense.pem", b"nonsense")
    missing = str(site.directory / "missing.pem")
    cases = [
        (PeerTls(ca=missing), "tlsCA cannot be read: No such file"),
        (PeerTls(ca=nonsense), "tlsCA holds no certificates"),
        (PeerTls(site.ca, missing, key), "tlsCertificate cannot be read"),
        (PeerTls(site.ca, certificate, missing), "tlsKey cannot be read"),
        (PeerTls(site.ca, nonsense, key), "is no PEM file"),
        (PeerTls(site.ca, certificate, other_key), "tlsKey is not the key of tlsCertificate"),
        (PeerTls(site.ca, certificate, _encrypted(site, key)), "tlsKey is encrypted"),
    ]
    with misbehaving_pacs([]) as pacs:
        for tls, said in cases:
            with pytest.raises(PeerConfigurationFault, match=said):
                echo(pacs, tls)
        assert not pacs.associations


def test_a_pacs_that_goes_away_in_the_handshake_can_be_given_up(site):
    """The connection that `stop` cuts is the encrypted one, which the plain one has become."""

    async def run(peer):
        task = asyncio.ensure_future(PacsNet(replace(SETTINGS, pacs_connect_seconds=60)).echo(peer))
        await asyncio.to_thread(accepted.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    accepted = threading.Event()

    def accept():
        connection, _ = server.accept()
        with connection:
            accepted.set()
            connection.settimeout(10)
            while connection.recv(4096):
                pass

    with contextlib.closing(socket.create_server((HOST, 0))) as server, misbehaving_pacs([]) as pacs:
        other = threading.Thread(target=accept)
        other.start()
        pacs.port = server.getsockname()[1]
        asyncio.run(run(replace(pacs.peer, tls=PeerTls(ca=site.ca, checks_host=False))))
        other.join(10)
        assert not other.is_alive()
