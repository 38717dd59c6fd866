"""A reload while images arrive: nothing acknowledged is lost, nobody is refused, and the rest of the set is changed."""

import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pydicom
import pytest
from pfdcmprocess import free_port, places, run_to_end
from pynetdicom import AE
from pynetdicom.sop_class import MRImageStorage, Verification
from services import IMAGE, echo, running_site, store, wait_until

pytestmark = pytest.mark.acceptance

# `make reload` sends 2,000; the meaning is the same with fewer.
IMAGES = int(os.environ.get("RELOAD_IMAGES", "400"))
BATCH = 25
KILLS = 6


@pytest.fixture
def site(tmp_path):
    with running_site(tmp_path) as made:
        yield made


def make_images(directory, count):
    directory.mkdir()
    source = pydicom.dcmread(IMAGE)
    for number in range(count):
        source.SOPInstanceUID = source.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{number}"
        source.InstanceNumber = str(number)
        source.save_as(directory / f"{number:05}")
    return sorted(directory.iterdir())


class Sender(threading.Thread):
    """storescu with some images at a time; a batch whose association failed is sent again, as a PACS does."""

    def __init__(self, port, files):
        super().__init__()
        self._port, self._files = port, files
        self.failed = 0
        self.acknowledged = []

    def run(self):
        for start in range(0, len(self._files), BATCH):
            batch = self._files[start : start + BATCH]
            for _ in range(20):
                command = ["storescu", "-v", "-to", "20", "127.0.0.1", str(self._port), *map(str, batch)]
                environment = {**os.environ, "TCP_NODELAY": "1"}
                ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
                said = (ended.stdout + ended.stderr).splitlines()
                stored = sum("Received Store Response (Success)" in line for line in said)
                self.acknowledged += batch[:stored]
                if ended.returncode == 0:
                    break
                self.failed += 1


def test_everything_changes_while_one_service_receives(site, tmp_path):
    ports = {name: site.declare(name) for name in "abce"}
    files = make_images(tmp_path / "images", IMAGES)
    before = {name: site.show(name)["pids"] for name in "abce"}
    sender = Sender(ports["a"], files)
    sender.start()
    wait_until(lambda: len(site.images("a")) > IMAGES // 20, 60)

    site.write("b", site.text("b", ae_title="BEE"))
    (site.files / "c").unlink()
    site.write("d", site.text("d"))
    site.write("e", site.text("e").replace("port", "prot"))
    wait_until(lambda: site.show("d") and not site.show("c"))
    wait_until(lambda: echo(site.ports["d"]) == "" and echo(ports["c"]) != "" and "Called AE" in echo(ports["b"]))
    faults = site.pfdcm.ask("internalctl", {"var": "/listeners/.faults", "get": "value"})["d_ret"]["/listeners/.faults"]
    assert len(faults) == 1
    assert faults[0].startswith(f"{site.files}/e:3: there is no attribute 'prot'")
    assert faults[0] in site.pfdcm.log
    assert echo(ports["e"]) == ""
    assert site.show("e")["pids"] == before["e"]

    for _ in range(KILLS):
        # one that dies again within a second is said to keep dying
        wait_until(lambda: site.show("a")["state"] == "RUNNING")
        killed = site.show("a")["pids"][0]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda killed=killed: (pids := site.show("a")["pids"]) and killed not in pids)
    sender.join(300)
    assert not sender.is_alive()

    wanted = {pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID: file for file in files}
    filed = {pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID: file for file in site.images("a")}
    assert set(filed) == set(wanted), f"{len(wanted) - len(filed)} images are missing"
    acknowledged = {pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID for file in sender.acknowledged}
    assert acknowledged <= set(filed)
    for uid, file in filed.items():
        assert pydicom.dcmread(file).PixelData == pydicom.dcmread(wanted[uid]).PixelData
    assert site.show("b")["state"] == "RUNNING"


def test_a_reload_lets_an_open_association_finish_and_serves_the_next_by_the_new_configuration(site, tmp_path):
    port = site.declare("a", drain_seconds=60)
    image = pydicom.dcmread(IMAGE)
    entity = AE()
    entity.add_requested_context(MRImageStorage, image.file_meta.TransferSyntaxUID)
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", port)
    assert association.send_c_echo().Status == 0
    refused = []
    ended = threading.Event()

    def connect_without_pause():
        while not ended.wait(0.005):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=10).close()
            except ConnectionRefusedError as error:
                refused.append(error)

    arrivals = threading.Thread(target=connect_without_pause)
    arrivals.start()
    site.declare("a", drain_seconds=60, data_dir=tmp_path / "new")
    assert store(port) == ""
    wait_until(lambda: list((tmp_path / "new").rglob("*.dcm")))
    assert association.send_c_store(image).Status == 0
    association.release()
    wait_until(lambda: len(site.images("a")) == 1)
    ended.set()
    arrivals.join()
    assert refused == []
    wait_until(lambda: len(site.show("a")["pids"]) == 1)


def test_a_removed_service_drains_and_is_gone(site):
    port = site.declare("a")
    entity = AE()
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", port)
    (site.files / "a").unlink()
    wait_until(lambda: echo(port) != "")
    assert association.send_c_echo().Status == 0
    association.release()
    state = site.directory / "state"
    wait_until(lambda: not list((state / "services").iterdir()) and not list((state / "live").glob("*.report")))


def test_hup_and_restart_reload_and_an_unchanged_service_does_not_notice(site):
    site.declare("a")
    before = site.show("a")["pids"]
    site.write("b", site.text("b"))
    site.reload()
    wait_until(lambda: site.show("b") and echo(site.ports["b"]) == "")
    reply = site.pfdcm.ask("xinetd", {"object": "service", "do": "restart"})
    assert reply["status"] is True
    assert site.show("a")["pids"] == before
    shown = site.pfdcm.ask("internalctl", {"var": "/listeners/.reload", "get": "value"})["d_ret"]["listeners"][
        ".reload"
    ]
    assert sorted(shown["unchanged"]) == ["a", "b"]


def test_one_message_without_a_daemon_shows_what_runs(site):
    site.declare("a")
    message = json.dumps({"action": "internalctl", "meta": {"var": "/listeners/a/pids", "get": "value"}})
    places_of = [*places(site.directory), "--servicesDir", str(site.files)]
    said = json.loads(run_to_end(*places_of, "--msg", message).stdout)
    assert said["d_ret"]["/listeners/a/pids"] == site.show("a")["pids"]


def test_a_set_in_the_tree_is_kept_in_the_file_or_changes_nothing(site):
    port = site.declare("a")
    text = (site.files / "a").read_text()
    refused = site.pfdcm.ask("internalctl", {"var": "/listeners/a/instances", "set": "many"})
    assert refused["status"] is False
    assert "instances must be a number" in refused["msg"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        refused = site.pfdcm.ask("internalctl", {"var": "/listeners/a/port", "set": number})
        assert "taken" in refused["msg"]
    assert (site.files / "a").read_text() == text
    assert echo(port) == ""
    accepted = site.pfdcm.ask("internalctl", {"var": "/listeners/a", "set": {"ae_title": "AY"}})
    assert accepted["status"] is True
    assert echo(port) != ""
    assert echo(port, called="AY") == ""
    assert "ae_title" in (site.files / "a").read_text()
    fresh = {
        "port": free_port(),
        **{f"{kind}_dir": str(site.directory / "new" / kind) for kind in ("data", "log", "tmp")},
    }
    assert site.pfdcm.ask("internalctl", {"var": "/listeners/fresh", "set": fresh})["status"] is True
    assert echo(fresh["port"]) == ""
    assert (site.files / "fresh").exists()


def test_a_worker_that_hangs_is_replaced(tmp_path):
    with running_site(tmp_path, "--listenerHeartbeatSeconds", "2") as site:
        port = site.declare("a")
        (hung,) = site.show("a")["pids"]
        os.kill(hung, signal.SIGSTOP)
        wait_until(lambda: site.show("a")["pids"] not in ([hung], []))
        wait_until(lambda: echo(port) == "")


def test_a_worker_that_cannot_use_its_directories_waits_for_them_and_says_so(tmp_path):
    with running_site(tmp_path, "--listenerHeartbeatSeconds", "2") as site:
        port = site.declare("a")
        (pid,) = site.show("a")["pids"]
        (tmp_path / "dicom").rename(tmp_path / "away")
        (tmp_path / "dicom").write_text("in the way")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: "Not a directory" in site.show("a")["last_error"])
        (waiting,) = site.show("a")["pids"]
        (tmp_path / "dicom").unlink()
        (tmp_path / "away").rename(tmp_path / "dicom")
        wait_until(lambda: echo(port) == "")
        assert site.show("a")["pids"] == [waiting]


def test_one_that_keeps_dying_is_fatal_with_its_last_words_in_the_tree(site):
    port = site.declare("a")
    (configuration,) = (site.directory / "state" / "services").glob("*.json")
    text = configuration.read_text()
    configuration.write_text("{")
    (pid,) = site.show("a")["pids"]
    os.kill(pid, signal.SIGKILL)
    # where a program takes a second to start, supervisord takes it for started, and does not count its end
    wait_until(lambda: site.show("a")["state"] == "FATAL", 90)
    assert f"the configuration file {configuration} cannot be read" in site.show("a")["last_error"]
    configuration.write_text(text)
    site.reload()
    wait_until(lambda: echo(port) == "")


def test_a_killed_supervisord_is_replaced_by_itself(site):
    port = site.declare("a")
    os.kill(int(Path(site.directory, "state", "supervisord.pid").read_text()), signal.SIGKILL)
    wait_until(lambda: (shown := site.show("a")) and shown["state"] == "RUNNING" and echo(port) == "")


def test_live_numbers_are_shown_and_survive_a_worker(site):
    port = site.declare("a")
    assert store(port) == ""
    wait_until(lambda: site.show("a")["images"] == 1)
    shown = site.show("a")
    assert (shown["associations_open"], shown["associations_total"]) == (0, 1)
    assert shown["bytes"] > 1000
    os.kill(shown["pids"][0], signal.SIGKILL)
    wait_until(lambda: (pids := site.show("a")["pids"]) and pids != shown["pids"])
    wait_until(lambda: site.show("a")["images"] == 1)
    site.declare("a", instances=3)
    assert store(port) == ""
    wait_until(lambda: site.show("a")["images"] == 2)
