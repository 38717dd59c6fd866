"""What is planted between pfdcm and the real Orthanc is found, and named with the line to change."""

import contextlib
import subprocess

import pytest
import trustme
from orthanc import HOST, dicomdir_files, running_orthanc, wait_for_port
from pfdcmprocess import free_port, running
from services import wait_until

from pfdcmd.ctl.configuration import parse_server
from pfdcmd.ctl.transport import Rpc

pytestmark = pytest.mark.acceptance
SECONDS = 120
ALLOWED = ("Echo", "Find", "Get", "Move", "Store")
STRICT = {f"DicomAlwaysAllow{what}": False for what in ALLOWED}


class Place:
    """A pfdcm with its listener, and Orthancs of several kinds."""

    def __init__(self, pfdcm, listener_port, orthancs):
        self.pfdcm = pfdcm
        self.listener_port = listener_port
        self.orthancs = orthancs
        self.rpc = Rpc(parse_server(f"http://127.0.0.1:{pfdcm.port}"))

    def examine(self, kind, *, image_back=True, **keys):
        """Examine the Orthanc of a kind with these keys of its entry. Returns: the report."""
        self.rpc.call("tree.set", {"path": "/PACS/orthanc", "value": {**self.orthancs[kind].entry, **keys}}, SECONDS)
        report = self.rpc.call("pacs.diagnose", {"pacs": "orthanc", "image_back": image_back}, SECONDS)
        self.rpc.call("tree.delete", {"path": "/PACS/orthanc"}, SECONDS)
        return report

    def set_listener(self, **attributes):
        self.rpc.call("tree.set", {"path": "/listeners/dicomlistener", "value": attributes}, SECONDS)

    def listener_state(self):
        return self.rpc.call("tree.get", {"path": "/listeners/dicomlistener/state"}, SECONDS)


@contextlib.contextmanager
def storescp(directory, port):
    """Somebody else's storage SCP."""
    directory.mkdir()
    process = subprocess.Popen(["storescp", "-od", str(directory), str(port)])
    try:
        assert wait_for_port(port, 30)
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    directory = tmp_path_factory.mktemp("doctor")
    listener_port, other_port, closed_port = free_port(), free_port(), free_port()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(str(directory / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(directory / "cert.pem"))
    modalities = {
        "chips": {"AET": "CHIPS", "Host": HOST, "Port": listener_port, "AllowMove": False},
        "blind": {"AET": "BLIND", "Host": HOST, "Port": listener_port, "AllowFind": False},
    }
    kinds = {
        "usual": {
            "DicomCheckCalledAet": True,
            "DicomModalities": {
                "chips": ["CHIPS", HOST, listener_port],
                "closed": ["CLOSED", HOST, closed_port],
                "other": ["OTHER", HOST, other_port],
            },
        },
        "strict": {**STRICT, "DicomModalities": modalities},
        "empty": {},
        "encrypted": {
            "DicomTlsEnabled": True,
            "DicomTlsCertificate": str(directory / "cert.pem"),
            "DicomTlsPrivateKey": str(directory / "key.pem"),
            "DicomTlsTrustedCertificates": str(directory / "ca.pem"),
            "DicomTlsRemoteCertificateRequired": False,
        },
    }
    with contextlib.ExitStack() as stack:
        pfdcm = stack.enter_context(running(directory, "--forever", "--httpResponse"))
        orthancs = {
            kind: stack.enter_context(running_orthanc(directory / kind, listener_port, **settings))
            for kind, settings in kinds.items()
        }
        stack.enter_context(storescp(directory / "other", other_port))
        for kind in ("usual", "strict", "encrypted"):
            assert orthancs[kind].load(dicomdir_files()[:5])
        assert pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": str(listener_port)})["status"]
        assert pfdcm.ask("xinetd", {"object": "service", "do": "everything"})["status"]
        place = Place(pfdcm, listener_port, orthancs)
        stack.callback(place.rpc.close)
        yield place


def faults(report):
    return {step["name"]: step["fault"] for step in report["steps"] if step["outcome"] == "failed"}


def test_a_pacs_that_is_well_is_said_to_be(place):
    report = place.examine("usual")
    assert faults(report) == {}, report
    assert report["ok"]
    assert {step["outcome"] for step in report["steps"]} == {"ok"}, report
    assert [step["name"] for step in report["steps"]] == [
        "Address",
        "TCP connection",
        "Association",
        "C-ECHO",
        "C-FIND PATIENT",
        "C-FIND STUDY",
        "C-FIND SERIES",
        "C-FIND IMAGE",
        "Character set",
        "Our listener",
        "C-MOVE of one image",
    ]
    assert "it counts their images" in report["steps"][6]["found"]
    for of_a_patient in ("Doe", "77654033", "98890234", "Citizen"):
        assert of_a_patient not in str(report)


@pytest.mark.parametrize(
    ("kind", "keys", "step", "fault", "advice"),
    [
        pytest.param("usual", {"serverPort": "1"}, "TCP connection", "not-reached", "serverPort", id="wrong port"),
        pytest.param(
            "usual", {"serverIP": "no-such-host.invalid"}, "Address", "host-unknown", "serverIP", id="wrong host"
        ),
        pytest.param("usual", {"aec": "WRONG"}, "Association", "called-ae", "/PACS/orthanc/aec", id="wrong called AE"),
        pytest.param(
            "strict", {"aet": "STRANGER"}, "Association", "calling-ae", "DicomModalities", id="our AE is not known"
        ),
        pytest.param(
            "usual",
            {"aet_listener": "NOWHERE"},
            "C-MOVE of one image",
            "destination",
            '["NOWHERE", "127.0.0.1", PORT]',
            id="not registered as a destination",
        ),
        pytest.param(
            "usual",
            {"aet_listener": "CLOSED"},
            "C-MOVE of one image",
            "destination",
            '["CLOSED", "127.0.0.1", PORT]',
            id="registered with a port that is closed",
        ),
        pytest.param(
            "usual",
            {"aet_listener": "OTHER"},
            "C-MOVE of one image",
            "not-arrived",
            '["OTHER", "127.0.0.1", PORT]',
            id="registered with somebody else's port",
        ),
        pytest.param(
            "strict", {}, "C-MOVE of one image", "move-refused", '"AllowMove": true', id="C-MOVE is not allowed"
        ),
        pytest.param(
            "strict", {"aet": "BLIND"}, "C-FIND STUDY", "find-refused", '"AllowFind": true', id="C-FIND is not allowed"
        ),
        pytest.param("encrypted", {}, "Association", "expects-tls", "/PACS/orthanc/tls true", id="TLS is expected"),
        pytest.param(
            "usual", {"tls": True}, "Association", "no-tls", "/PACS/orthanc/tls false", id="TLS is not spoken"
        ),
    ],
)
def test_a_planted_fault_is_named_with_the_line_to_change(place, kind, keys, step, fault, advice):
    report = place.examine(kind, **keys)
    assert not report["ok"]
    assert faults(report) == {step: fault}, report
    found = next(each for each in report["steps"] if each["name"] == step)
    assert advice.replace("PORT", str(place.listener_port)) in found["advice"]
    assert found["advice"] in report["conclusion"]


def test_a_port_that_is_no_dicom_is_told_apart(place):
    report = place.examine("usual", serverPort=str(place.orthancs["usual"].http_port))
    assert faults(report) == {"Association": "no-dicom"}


def test_an_encrypted_pacs_is_examined_through_tls(place):
    ca = str(place.pfdcm.directory / "ca.pem")
    report = place.examine("encrypted", image_back=False, tls=True, tlsCA=ca)
    assert report["ok"], report
    assert next(each for each in report["steps"] if each["name"] == "C-FIND IMAGE")["outcome"] == "ok"


def test_images_that_come_by_c_get_are_examined_so(place):
    report = place.examine("usual", retrieveBy="get")
    assert report["ok"], report
    assert (report["steps"][-1]["name"], report["steps"][-1]["outcome"]) == ("C-GET of one image", "ok")


def test_a_pacs_without_images_is_no_fault_but_said(place):
    report = place.examine("empty")
    assert report["ok"]
    study = next(each for each in report["steps"] if each["name"] == "C-FIND STUDY")
    assert (study["outcome"], study["fault"]) == ("warning", "empty")
    last = report["steps"][-1]
    assert (last["name"], last["outcome"]) == ("C-MOVE of one image", "skipped")
    assert "no image to send" in last["found"]
    assert "not examined" in report["conclusion"]


def test_a_listener_that_is_down_is_found_before_an_image_is_asked_for(place):
    place.set_listener(disable="yes")
    try:
        wait_until(lambda: place.listener_state() not in ("RUNNING", "STARTING"))
        report = place.examine("usual")
        assert faults(report) == {"Our listener": "listener-down"}, report
        assert "pfdcmctl listener start dicomlistener" in report["conclusion"]
        assert report["steps"][-1]["outcome"] == "skipped"
    finally:
        place.set_listener(disable="no")
        wait_until(lambda: place.listener_state() == "RUNNING")


def test_a_listener_whose_rules_keep_the_pacs_out_is_named(place):
    place.set_listener(allowed_calling_ae="SOMEBODY")
    try:
        report = place.examine("usual")
        assert faults(report) == {"C-MOVE of one image": "refused-here"}, report
        assert "pfdcmctl listener get dicomlistener" in report["conclusion"]
    finally:
        place.set_listener(allowed_calling_ae=None)
