"""The port to PACSs against a real Orthanc and our listener: levels, images asked for, cancelling, C-GET, TLS."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
import pytest
import trustme
from bench.workloads import make
from integration.listenerprocess import Workers, running_workers, wait_for
from orthanc import HOST, Orthanc, dicomdir_files, running_orthanc
from retrieving import until

from pfdcmd.edge.pacs.net import PacsNet
from pfdcmd.errors import PeerTLSFailed
from pfdcmd.names import AETitle, Port
from pfdcmd.pacs.delivery import Delivery
from pfdcmd.pacs.level import LevelQuery
from pfdcmd.pacs.peer import Peer, parse_peer
from pfdcmd.pacs.selection import Selection
from pfdcmd.settings import Settings

pytestmark = pytest.mark.acceptance

MANY = 300
LIMIT = 100_000
COMPRESSED = Path(pydicom.__file__).parent / "data" / "test_files" / "JPEG2000.dcm"
SETTINGS = Settings()


@dataclass
class Site:
    orthanc: Orthanc
    workers: Workers
    many: Selection

    @property
    def peer(self) -> Peer:
        return parse_peer(self.orthanc.entry)

    @property
    def delivery(self) -> Delivery:
        return Delivery(HOST, Port(self.workers.port), AETitle("CHIPS"))

    def instances_here(self) -> Counter[str]:
        """SOPInstanceUIDs of the images that the listener has filed, by their files' names."""
        return Counter(file.stem.partition("-")[2] for file in self.workers.images())


@pytest.fixture(scope="module")
def _orthanc_and_images(tmp_path_factory):
    root = tmp_path_factory.mktemp("pacs")
    workload = make(root / "images", "many", count=MANY, rows=128)
    with (
        running_workers(root / "listener") as relayed,
        running_orthanc(root / "orthanc", relayed.port, DicomAlwaysAllowGet=True) as orthanc,
    ):
        assert orthanc.load([*dicomdir_files(), *workload.files, COMPRESSED]) == 81 + MANY + 1
        yield Site(orthanc, relayed, Selection(workload.study, workload.series))


@pytest.fixture
def site(_orthanc_and_images):
    """The same PACS, and a listener whose images are only this test's."""
    site = _orthanc_and_images
    for file in site.workers.images():
        file.unlink()
    return site


def found(site, level, keys, limit=LIMIT):
    async def run():
        return [match async for match in PacsNet(SETTINGS).find_level(site.peer, LevelQuery(level, keys, limit))]

    return asyncio.run(run())


def retrieve(site, selection, *, by_get=False):
    async def run():
        peer = replace(site.peer, prefers_get=by_get)
        return await PacsNet(SETTINGS).retrieve(peer, selection, deliver_to=site.delivery)

    return asyncio.run(run())


def test_every_level(site):
    asyncio.run(PacsNet(SETTINGS).echo(site.peer))
    patients = {match["PatientID"] for match in found(site, "PATIENT", {"PatientName": ""})}
    assert {"77654033", "98890234"} <= patients
    studies = found(site, "STUDY", {"PatientID": "98890234", "NumberOfStudyRelatedInstances": ""})
    assert len(studies) == 4 and {match["PatientID"] for match in studies} == {"98890234"}
    study = studies[0]["StudyInstanceUID"]
    series = found(site, "SERIES", {"StudyInstanceUID": study, "0020,1209": ""})
    assert sum(int(match["NumberOfSeriesRelatedInstances"]) for match in series) == int(
        studies[0]["NumberOfStudyRelatedInstances"]
    )
    for one in series:
        keys = {"StudyInstanceUID": study, "SeriesInstanceUID": one["SeriesInstanceUID"], "InstanceNumber": ""}
        images = found(site, "IMAGE", keys)
        assert len({match["SOPInstanceUID"] for match in images}) == int(one["NumberOfSeriesRelatedInstances"])
        assert all(match["InstanceNumber"] for match in images)


def test_a_series_and_an_image_are_found_without_what_is_above_them(site):
    (series,) = found(site, "SERIES", {"SeriesInstanceUID": site.many.series})
    assert series["StudyInstanceUID"] == site.many.study
    (image,) = found(site, "IMAGE", {"SOPInstanceUID": f"{site.many.series}.7", "InstanceNumber": ""})
    assert image["InstanceNumber"] == "7"


def test_a_limit_ends_a_long_answer(site):
    keys = {"StudyInstanceUID": site.many.study, "SeriesInstanceUID": site.many.series}
    assert len(found(site, "IMAGE", keys, limit=25)) == 25
    assert len(found(site, "IMAGE", keys)) == MANY


@pytest.mark.parametrize("by_get", [False, True])
def test_only_the_images_that_were_asked_for_come(site, by_get):
    wanted = tuple(f"{site.many.series}.{number}" for number in (3, 50, 299))
    outcome = retrieve(site, replace(site.many, instances=wanted), by_get=by_get)
    assert (outcome.is_success, outcome.status, outcome.counts.completed) == (True, 0x0000, 3)
    assert site.instances_here() == Counter(wanted)


@pytest.mark.parametrize("by_get", [False, True])
def test_a_series_comes_whole(site, by_get):
    outcome = retrieve(site, site.many, by_get=by_get)
    assert (outcome.is_success, outcome.counts.completed) == (True, MANY)
    assert len(site.instances_here()) == MANY


def test_a_compressed_image_comes_by_c_get_as_it_is(site):
    original = pydicom.dcmread(COMPRESSED)
    outcome = retrieve(site, Selection(original.StudyInstanceUID), by_get=True)
    assert outcome.is_success
    (file,) = site.workers.images()
    filed = pydicom.dcmread(file)
    assert filed.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    assert filed.PixelData == original.PixelData


@pytest.mark.parametrize("by_get", [False, True])
def test_a_retrieve_that_is_cancelled_ends_at_the_pacs_too(site, by_get):
    async def run():
        net = PacsNet(SETTINGS)
        peer = replace(site.peer, prefers_get=by_get)
        task = asyncio.ensure_future(net.retrieve(peer, site.many, deliver_to=site.delivery))
        await until(site.workers.images)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # The PACS is free for the next one.
        wanted = (f"{site.many.series}.{MANY}",)
        return await net.retrieve(peer, replace(site.many, instances=wanted), deliver_to=site.delivery)

    assert asyncio.run(run()).is_success
    wait_for(lambda: not site.workers.incoming(), "nothing is on its way")
    assert 0 < len(site.instances_here()) < MANY


def test_tls_with_both_certificates(tmp_path):
    authority = trustme.CA()
    files = {}
    for name, issued in (("pacs", authority.issue_cert(HOST)), ("own", authority.issue_cert("pfdcm.example.org"))):
        files[name] = (tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(files[name][0])
        issued.private_key_pem.write_to_path(files[name][1])
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    tls = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(files["pacs"][0]),
        "DicomTlsPrivateKey": str(files["pacs"][1]),
        "DicomTlsTrustedCertificates": str(ca),
    }
    with running_orthanc(tmp_path / "orthanc", 1, **tls) as orthanc:
        entry = {**orthanc.entry, "tls": "true", "tlsCA": str(ca), "tlsCheckHost": "true"}
        own = {"tlsCertificate": str(files["own"][0]), "tlsKey": str(files["own"][1])}
        asyncio.run(PacsNet(SETTINGS).echo(parse_peer({**entry, **own})))
        with pytest.raises(PeerTLSFailed):
            asyncio.run(PacsNet(SETTINGS).echo(parse_peer(entry)))
