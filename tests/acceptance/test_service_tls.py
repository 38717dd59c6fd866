"""DICOM TLS of a service by a real peer: DCMTK's storescu, with and without a certificate, through a service file."""

import subprocess

import pytest
import trustme
from services import IMAGE, running_site, store, wait_until

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with running_site(tmp_path_factory.mktemp("site")) as made:
        yield made


class Files:
    """PEM files of an authority, the service and a peer."""

    def __init__(self, directory):
        authority = trustme.CA()
        self.ca = directory / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        self.service, self.peer = (self._issue(authority, directory / name) for name in ("service", "peer"))
        self.stranger = self._issue(trustme.CA(), directory / "stranger")

    def _issue(self, authority, directory):
        directory.mkdir()
        issued = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
        issued.private_key_pem.write_to_path(directory / "key.pem")
        issued.cert_chain_pems[0].write_to_path(directory / "cert.pem")
        return directory

    def attributes(self, **more):
        return {"tls_certificate": self.service / "cert.pem", "tls_key": self.service / "key.pem"} | more

    def with_certificate(self, owner):
        return ("+tls", str(owner / "key.pem"), str(owner / "cert.pem"), "+cf", str(self.ca))

    @property
    def anonymous(self):
        return ("+tla", "+cf", str(self.ca))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("pem"))


def count(site, name, word):
    return site.show(name)["refused"].get(word, 0)


def test_a_peer_that_knows_the_authority_stores_encrypted_and_a_plain_one_does_not(site, files):
    port = site.declare("encrypted", **files.attributes())
    assert store(port, options=files.anonymous) == ""
    assert len(site.images("encrypted")) == 1
    assert store(port) != ""
    wait_until(lambda: count(site, "encrypted", "tls") == 1)
    assert len(site.images("encrypted")) == 1
    wait_until(lambda: site.show("encrypted")["images"] == 1)


def test_a_peer_without_a_known_certificate_is_refused_by_a_mutual_service(site, files):
    port = site.declare("mutual", **files.attributes(tls_ca=files.ca))
    assert store(port, options=files.with_certificate(files.peer)) == ""
    assert store(port, options=files.anonymous) != ""
    assert store(port, options=files.with_certificate(files.stranger)) != ""
    wait_until(lambda: count(site, "mutual", "tls") == 2)
    assert len(site.images("mutual")) == 1


def test_two_associations_at_once(site, files):
    port = site.declare("both", **files.attributes(tls_ca=files.ca), workers=2)
    options = (*files.with_certificate(files.peer), "+II", "--repeat", "20")
    command = ["storescu", *options, "127.0.0.1", str(port), str(IMAGE)]
    senders = [subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [sender.wait(60) for sender in senders] == [0, 0]
    assert len(site.images("both")) >= 40
    wait_until(lambda: site.show("both")["images"] == len(site.images("both")))


def test_files_that_cannot_be_used_leave_the_former_service_as_it_was(site, files, tmp_path):
    port = site.declare("mended", **files.attributes())
    (tmp_path / "cert.pem").write_text("no certificate")
    site.write("mended", site.text("mended", **files.attributes(tls_certificate=tmp_path / "cert.pem")))
    site.reload()
    wait_until(lambda: "cannot serve yet" in site.show("mended")["last_error"])
    assert store(port, options=files.anonymous) == ""
