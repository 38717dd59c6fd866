"""Workers that speak TLS: who is let in, who is not, and that neither harms anybody."""

import json
import signal
import socket
import ssl
import struct

import pytest
import trustme
from bench.lean import encode
from listenerprocess import running_workers, wait_for
from smallimages import small_image

from listener.report import REPORT_BYTES

HOST = "127.0.0.1"


class Pki:
    """An authority, the listener's files, and peers' contexts."""

    def __init__(self, directory):
        self.authority = trustme.CA()
        self.files = directory
        directory.mkdir()
        self.renew()
        self.authority.cert_pem.write_to_path(directory / "ca.pem")

    def renew(self):
        issued = self.authority.issue_cert(HOST)
        issued.private_key_pem.write_to_path(self.files / "key.pem")
        issued.cert_chain_pems[0].write_to_path(self.files / "cert.pem")
        return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())

    def config(self, **more):
        return {"tls_certificate": str(self.files / "cert.pem"), "tls_key": str(self.files / "key.pem"), **more}

    def mutual(self, **more):
        return self.config(tls_ca=str(self.files / "ca.pem"), **more)

    def peer(self, issued=None):
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if issued is not None:
            issued.configure_cert(context)
        return context


@pytest.fixture
def pki(tmp_path):
    return Pki(tmp_path / "pki")


def connect(port, context):
    return context.wrap_socket(socket.create_connection((HOST, port), timeout=20), server_hostname=HOST)


def exactly(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionResetError("closed")
        data += piece
    return data


def read_pdu(sock):
    kind, _, length = struct.unpack(">BBI", exactly(sock, 6))
    return kind, exactly(sock, length)


def store(sock, *images):
    """A whole association. Returns: the types of the PDUs that came."""
    encoded = encode(list(images))
    kinds = []
    with sock:
        for request in (encoded.associate, *encoded.messages, bytes.fromhex("05 00 00000004 00000000")):
            sock.sendall(request)
            kinds.append(read_pdu(sock)[0])
    return kinds


def report(workers):
    data = (workers.root / "report").read_bytes()[:REPORT_BYTES]
    return json.loads(data[9:].rstrip(b"\0"))


def refused(workers):
    return report(workers)["refused"]


def site(tmp_path, config, **more):
    return running_workers(tmp_path / "site", 1, report_file=str(tmp_path / "site" / "report"), **config, **more)


def is_closed(sock):
    """Whether the other side closes the connection; what it says before does not matter."""
    try:
        while sock.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


def test_images_come_encrypted_and_are_filed(tmp_path, pki):
    with site(tmp_path, pki.config()) as workers:
        sock = connect(workers.port, pki.peer())
        assert sock.version() == "TLSv1.3"
        assert store(sock, small_image(1, size=200_000), small_image(2)) == [2, 4, 4, 6]
        assert len(workers.images()) == 2
        wait_for(lambda: 'outcome="released"' in workers.run_log(), "the association's line")
        assert "ssl" not in workers.errors().lower()


def test_tls_1_2_is_spoken_and_nothing_older(tmp_path, pki):
    with site(tmp_path, pki.config()) as workers:
        context = pki.peer()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        sock = connect(workers.port, context)
        assert sock.version() == "TLSv1.2"
        assert sock.cipher()[0].startswith("ECDHE")
        assert store(sock, small_image(1)) == [2, 4, 6]
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        pki.authority.configure_trust(old)
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError):
            connect(workers.port, old)
        wait_for(lambda: refused(workers) == {"tls": 1}, "it is counted")


def test_the_profile_for_tls_1_3_takes_nothing_else(tmp_path, pki):
    with site(tmp_path, pki.config(tls_profile="tls13")) as workers:
        context = pki.peer()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            connect(workers.port, context)
        assert store(connect(workers.port, pki.peer()), small_image(1)) == [2, 4, 6]


def test_peers_without_a_certificate_that_is_known_are_refused(tmp_path, pki):
    with site(tmp_path, pki.mutual()) as workers:
        known = pki.authority.issue_cert("pacs.example.org")
        stranger = trustme.CA().issue_cert("pacs.example.org")
        assert store(connect(workers.port, pki.peer(known)), small_image(1)) == [2, 4, 6]
        for context in (pki.peer(), pki.peer(stranger)):
            # In TLS 1.3 a client hears of it with its first receive.
            with pytest.raises(OSError):
                store(connect(workers.port, context), small_image(2))
        wait_for(lambda: refused(workers) == {"tls": 2}, "they are counted")
        assert len(workers.images()) == 1
        lines = [line for line in workers.run_log().splitlines() if "refused" in line.partition("outcome=")[2]]
        assert len(lines) == 2
        assert all('peer=127.0.0.1 outcome="refused: TLS: ' in line for line in lines)


def test_plain_dicom_and_rubbish_on_a_tls_port_end_cleanly(tmp_path, pki):
    with site(tmp_path, pki.config()) as workers:
        for data in (
            encode([small_image(1)]).associate,
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\xff\xff" + b"x" * 300,
        ):
            with socket.create_connection((HOST, workers.port), timeout=20) as sock:
                sock.sendall(data)
                assert is_closed(sock)
        socket.create_connection((HOST, workers.port), timeout=20).close()
        wait_for(lambda: refused(workers) == {"tls": 4}, "they are counted")
        assert store(connect(workers.port, pki.peer()), small_image(1)) == [2, 4, 6]
        assert workers.processes[0].poll() is None
        assert "Traceback" not in workers.errors()


def test_tls_on_a_plain_port_ends_cleanly_and_is_counted(tmp_path, pki):
    with site(tmp_path, {}) as workers:
        with pytest.raises(OSError):
            connect(workers.port, pki.peer())
        wait_for(lambda: refused(workers) == {"protocol": 1}, "it is counted")
        assert "PDU of unknown type 0x16" in workers.run_log()


def test_a_silent_peer_has_so_long_for_the_handshake_and_holds_up_nobody(tmp_path, pki):
    with site(tmp_path, pki.config(), artim_seconds=1.5) as workers:
        with socket.create_connection((HOST, workers.port), timeout=20) as silent:
            assert store(connect(workers.port, pki.peer()), small_image(1)) == [2, 4, 6]
            assert is_closed(silent)
        wait_for(lambda: refused(workers) == {"tls": 1}, "it is counted")
        assert "TLS: no handshake in time" in workers.run_log()


def test_an_idle_peer_is_aborted(tmp_path, pki):
    with site(tmp_path, pki.config(), idle_timeout_seconds=1.0) as workers:
        sock = connect(workers.port, pki.peer())
        sock.sendall(encode([small_image(1)]).associate)
        assert read_pdu(sock)[0] == 2
        assert read_pdu(sock)[0] == 7
        sock.close()
        wait_for(lambda: "aborted: idle for too long" in workers.run_log(), "its line")


def test_a_renewed_certificate_is_shown_to_the_next_peer(tmp_path, pki):
    with site(tmp_path, pki.config()) as workers:
        first = connect(workers.port, pki.peer())
        renewed = pki.renew()
        with connect(workers.port, pki.peer()) as second:
            assert second.getpeercert(binary_form=True) == renewed
        (pki.files / "cert.pem").write_text("no certificate")
        with connect(workers.port, pki.peer()) as third:
            assert third.getpeercert(binary_form=True) == renewed
        assert store(first, small_image(1)) == [2, 4, 6]
        assert "cannot be used, the former are" in workers.errors()


def test_draining_cuts_off_encrypted_associations_too(tmp_path, pki):
    with site(tmp_path, pki.config(), drain_seconds=0.5) as workers:
        sock = connect(workers.port, pki.peer())
        sock.sendall(encode([small_image(1)]).associate)
        assert read_pdu(sock)[0] == 2
        workers.processes[0].send_signal(signal.SIGTERM)
        with pytest.raises(OSError):
            read_pdu(sock)
        sock.close()
        assert workers.processes[0].wait(20) == 0
