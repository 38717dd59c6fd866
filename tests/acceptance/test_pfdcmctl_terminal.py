"""pfdcmctl as a new user meets it, on a terminal: from --help to the images, and what Ctrl-C does."""

import re

import pytest
from misbehavingpacs import HOST, misbehaving_pacs
from misbehaviour import Behaviour
from orthanc import dicomdir_files, running_orthanc
from pfdcmprocess import free_port, running
from studyimages import study_images, study_uid
from terminal import opened

pytestmark = pytest.mark.acceptance
UID = re.compile(r"\b1(?:\.\d+){4,}\b")


@pytest.fixture(scope="module")
def listener_port():
    return free_port()


@pytest.fixture(scope="module")
def pfdcm(tmp_path_factory, listener_port):
    with running(tmp_path_factory.mktemp("pfdcm"), "--forever", "--httpResponse") as pfdcm:
        assert pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": str(listener_port)})["status"]
        assert pfdcm.ask("xinetd", {"object": "service", "do": "everything"})["status"]
        yield pfdcm


@pytest.fixture
def terminal(tmp_path, pfdcm):
    with opened(tmp_path, PFDCMCTL_SERVER=f"http://127.0.0.1:{pfdcm.port}") as terminal:
        yield terminal


def example(screen, command):
    """The line of an example that --help shows."""
    found = re.search(rf"^ +(pfdcmctl {command} .*?)(?:   .*)?$", screen, re.MULTILINE)
    assert found, f"--help shows no example of {command}:\n{screen}"
    return found[1].rstrip()


def test_from_help_alone_to_the_images(terminal, tmp_path, listener_port):
    with running_orthanc(tmp_path / "orthanc", listener_port) as orthanc:
        orthanc.load(dicomdir_files())

        help_text = terminal.run("pfdcmctl --help | tail -n +25")
        add = example(help_text, "pacs add")
        screen = terminal.run(re.sub(r"--port \d+", f"--port {orthanc.dicom_port}", add))
        assert "orthanc is known" in screen

        screen = terminal.run(example(help_text, "doctor"))
        assert "orthanc is well" in screen
        assert "FAILED" not in screen

        screen = terminal.run(re.sub(r"--patient-id \S+", "--patient-id 98890234", example(help_text, "find")))
        assert "NAME" in screen
        assert "Doe^Peter" in screen
        studies = UID.findall(screen)
        assert len(studies) == 4, screen

        study = next(uid for uid in studies if uid.endswith(".133"))
        screen = terminal.run(example(help_text, "retrieve").replace("UID", study))
        assert screen.count("━━━") >= 2, "a bar for each series"
        assert "3/3 images" in screen
        assert "1/1 images" in screen
        assert "All 4 images of 2 series are here." in screen

        series = next(uid for uid in UID.findall(screen) if uid.endswith(".136"))
        screen = terminal.run(example(help_text, "tags").replace("UID", series) + " | head -n 40")
        assert "ELEMENT" in screen
        assert "Doe^Peter" in terminal.run(f"pfdcmctl tags --series {series} -k PatientName")


def test_a_narrow_terminal_shows_uids_whole(pfdcm, tmp_path, listener_port):
    with (
        misbehaving_pacs(study_images(), destinations={"CHIPS": (HOST, listener_port)}) as pacs,
        opened(tmp_path, columns=60, PFDCMCTL_SERVER=f"http://127.0.0.1:{pfdcm.port}") as terminal,
    ):
        assert pfdcm.ask("internalctl", {"var": "/PACS/narrow", "set": pacs.entry})["status"]
        assert study_uid() in terminal.run("pfdcmctl find --pacs narrow").split()


def test_ctrl_c_has_the_server_cancel_and_a_second_one_leaves_at_once(terminal, pfdcm, listener_port):
    behaviour = Behaviour(image_seconds=0.5)
    with misbehaving_pacs(study_images(images=60), behaviour, destinations={"CHIPS": (HOST, listener_port)}) as pacs:
        assert pfdcm.ask("internalctl", {"var": "/PACS/slow", "set": pacs.entry})["status"]
        terminal.type(f"pfdcmctl retrieve --pacs slow --study {study_uid()} --wait; echo status $?")
        screen = terminal.wait_for("/60 images")
        assert "━" in screen
        terminal.wait_for(" 2/60 images")
        terminal.press("C-c")
        screen = terminal.wait_for("status 130")
        assert "Cancelling the retrieve" in screen
        assert "was cancelled. What has arrived stays." in screen
        assert "cancelled" in terminal.run("pfdcmctl jobs --limit 1")

        terminal.clear()
        pacs.behaviour = Behaviour(image_seconds=0.5, ignores_cancel=True)
        terminal.type(f"pfdcmctl retrieve --pacs slow --study {study_uid()} --force --wait; echo status $?")
        terminal.wait_for("/60 images")
        terminal.press("C-c")
        terminal.press("C-c")
        terminal.wait_for("status 130")
