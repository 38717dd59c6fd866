"""Each attribute of a service by a real peer: DCMTK's echoscu and storescu are let in, or told why not."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from pfdcmprocess import free_port
from pynetdicom import AE
from pynetdicom.sop_class import Verification
from services import From, echo, running_site, store, wait_until

pytestmark = pytest.mark.acceptance

CALLED = "Called AE Title Not Recognized"
CALLING = "Calling AE Title Not Recognized"
LIMIT = "Local Limit Exceeded"
TRANSIENT = "Rejected Transient"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with running_site(tmp_path_factory.mktemp("site")) as made:
        yield made


class Held:
    """Associations that stay open."""

    def __init__(self, port, count=1, source="127.0.0.1"):
        self._associations = [self._open(port, source) for _ in range(count)]

    def _open(self, port, source):
        entity = AE()
        entity.add_requested_context(Verification)
        association = entity.associate("127.0.0.1", port, bind_address=(source, 0))
        assert association.is_established
        return association

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self._associations:
            each.release()


def refused(site, name):
    return wait_until(lambda: site.show(name)["refused"])


def test_ae_title_and_require_called_ae(site):
    port = site.declare("titles", ae_title="ONE TWO")
    assert [echo(port, called=title) for title in ("ONE", "TWO")] == ["", ""]
    assert CALLED in echo(port, called="THREE")
    assert CALLED in store(port, called="one")
    wait_until(lambda: site.show("titles")["refused"] == {"called_ae": 2})
    site.declare("titles", ae_title="ONE TWO", require_called_ae="no")
    assert echo(port, called="THREE") == ""


def test_allowed_calling_ae(site):
    port = site.declare("calling", allowed_calling_ae="PACS1 PACS2")
    assert echo(port, calling="PACS2") == ""
    said = echo(port, calling="STRANGER")
    assert CALLING in said
    assert "Rejected Permanent" in said
    assert refused(site, "calling") == {"calling_ae": 1}
    told = [(line["calling"], line["outcome"]) for line in site.admissions("calling")]
    assert told[-2:] == [("PACS2", "admitted"), ("STRANGER", "refused")]


def test_only_from_and_no_access(site):
    port = site.declare("hosts", only_from="127.0.0.0/29 ::1", no_access="127.0.0.3")
    with From("127.0.0.2", port) as near, From("127.0.0.3", port) as denied, From("127.0.0.9", port) as far:
        assert echo(near.port) == ""
        assert echo(denied.port)
        assert echo(far.port)
    assert refused(site, "hosts") == {"address": 2}
    assert 'peer=127.0.0.9 outcome="refused: address not allowed"' in site.run_log("hosts")
    assert {(line["address"], line["outcome"]) for line in site.admissions("hosts")} >= {
        ("127.0.0.2", "admitted"),
        ("127.0.0.3", "refused"),
        ("127.0.0.9", "refused"),
    }


def test_the_longer_match_decides(site):
    port = site.declare("matches", only_from="127.0.0.5", no_access="127.0.0.0/24")
    with From("127.0.0.5", port) as longer, From("127.0.0.4", port) as shorter:
        assert echo(longer.port) == ""
        assert echo(shorter.port)


def test_only_from_a_host_name_and_from_nobody(site):
    port = site.declare("names", only_from="localhost")
    assert echo(port) == ""
    with From("127.0.0.7", port) as other:
        assert echo(other.port)
    site.declare("names", only_from="")
    assert echo(port)


def test_instances_are_counted_over_all_workers_and_those_of_a_killed_one_do_not_count(site):
    port = site.declare("instances", instances=2, workers=2)
    with Held(port, 2):
        said = echo(port)
        assert LIMIT in said
        assert TRANSIENT in said
        wait_until(lambda: site.show("instances")["associations_open"] == 2)
    wait_until(lambda: echo(port) == "")
    with Held(port, 2):
        for pid in site.show("instances")["pids"]:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: echo(port) == "")


def test_per_source(site):
    port = site.declare("sources", per_source=1)
    with Held(port, source="127.0.0.2"), From("127.0.0.2", port) as same, From("127.0.0.3", port) as other:
        assert LIMIT in echo(same.port)
        assert echo(other.port) == ""
    with From("127.0.0.2", port) as again:
        wait_until(lambda: echo(again.port) == "")


def test_cps_closes_the_service_for_a_while_and_opens_it_again(site):
    port = site.declare("cps", cps="3 2", workers=2)
    assert echo(port) == ""
    said = [process.communicate(timeout=30)[1] for process in [start_echo(port) for _ in range(8)]]
    assert any(LIMIT in each for each in said)
    assert LIMIT in echo(port)
    wait_until(lambda: echo(port) == "", 10)
    assert refused(site, "cps").keys() == {"cps"}


def start_echo(port):
    command = ["echoscu", "127.0.0.1", str(port)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def test_max_load(site):
    port = site.declare("load", max_load="0.000001")
    # work until the load, which the kernel looks at every five seconds, is not 0
    wait_until(lambda: sum(range(1_000_000)) and os.getloadavg()[0] > 0)
    assert "Temporary Congestion" in echo(port)
    assert refused(site, "load") == {"max_load": 1}
    site.declare("load", max_load="100000")
    assert echo(port) == ""


def test_max_pdu_idle_timeout_and_max_image_bytes(site):
    port = site.declare("limits", max_pdu=16384, idle_timeout=1, max_image_bytes=1024)
    assert "Max Send PDV: 16372" in verbose_echo(port)
    with Held(port):
        wait_until(lambda: "idle for too long" in site.run_log("limits"), 10)
    said = store(port, options=("-v",))
    assert "OutOfResources" in said.replace(" ", "")
    assert site.images("limits") == []
    assert refused(site, "limits") == {"images": 1}


@pytest.mark.parametrize("floor", [{"min_free_bytes": "1000000G"}, {"min_free_inodes": 1_000_000_000}])
def test_min_free_bytes_and_min_free_inodes(site, floor):
    (name,) = floor
    port = site.declare(name, **floor)
    assert "OutOfResources" in store(port, options=("-v",)).replace(" ", "")
    assert site.images(name) == []
    assert refused(site, name) == {"space": 1}
    wait_until(lambda: "are free below data_dir" in site.show(name)["last_error"])
    site.declare(name, **{name: 0})
    assert store(port) == ""


def test_quarantine_dir_and_its_limits(site, tmp_path):
    kept = tmp_path / "kept"
    port = site.declare("kept", quarantine_dir=kept, quarantine_max_files=1, quarantine_max_bytes="1G")
    assert store(port) == ""
    (image,) = site.images("kept")
    patient = image.parents[2]
    shutil.rmtree(patient)
    patient.write_text("in the way")
    for _ in range(2):
        # a status that storescu does not fail for
        store(port)
    wait_until(lambda: site.show("kept")["refused"] == {"quarantined": 1, "images": 1})
    assert sorted(path.suffix for path in kept.iterdir()) == [".dcm", ".json"]
    patient.unlink()
    (configuration,) = site.directory.rglob("services/kept-*.json")
    command = [sys.executable, "-m", "listener.cli", "replay", "--config", str(configuration), "--all"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    assert (len(site.images("kept")), list(kept.iterdir())) == (1, [])


def verbose_echo(port):
    command = ["echoscu", "-v", "127.0.0.1", str(port)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stderr


def test_sop_classes_and_transfer_syntaxes(site):
    port = site.declare("classes", sop_classes="1.2.840.10008.5.1.4.1.1.2")
    assert "No presentation context" in store(port)
    assert echo(port) == ""
    site.declare("classes", sop_classes="1.2.840.10008.5.1.4.1.1.4", transfer_syntaxes="1.2.840.10008.1.2.4.70")
    assert store(port)
    site.declare("classes", sop_classes="1.2.840.10008.5.1.4.1.1.4", transfer_syntaxes="1.2.840.10008.1.2")
    assert store(port) == ""
    wait_until(lambda: len(site.images("classes")) == 1)


def test_directories_umask_ack_and_layout(site, tmp_path):
    port = site.declare("places", data_dir=tmp_path / "d", umask="027", ack="written", layout="pypx")
    assert store(port) == ""
    (image,) = wait_until(lambda: list((tmp_path / "d").rglob("*.dcm")))
    assert image.stat().st_mode & 0o777 == 0o640
    assert image.parent.stat().st_mode & 0o777 == 0o750


def test_nice_and_limits_of_the_workers(site):
    site.declare("limited", nice=5, rlimit_files=512, rlimit_as="4G")
    (pid,) = site.show("limited")["pids"]
    worker = psutil.Process(pid)
    assert worker.nice() == psutil.Process().nice() + 5
    assert worker.rlimit(psutil.RLIMIT_NOFILE) == (512, 512)
    assert worker.rlimit(psutil.RLIMIT_AS) == (4 * 1024**3,) * 2


@pytest.fixture
def open_directory():
    """A directory that every user can reach."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_user_and_group_where_pfdcm_is_root_and_without_effect_where_not(site, open_directory):
    places = {f"{kind}_dir": open_directory / kind for kind in ("data", "log", "tmp")}
    port = site.declare("account", user="nobody", group="nogroup", **places)
    (pid,) = site.show("account")["pids"]
    is_root = os.geteuid() == 0
    assert psutil.Process(pid).username() == ("nobody" if is_root else psutil.Process().username())
    assert store(port) == ""
    (image,) = wait_until(lambda: list((open_directory / "data").rglob("*.dcm")))
    assert image.owner() == ("nobody" if is_root else psutil.Process().username())
    site.write("account", "# no more\n")
    # the workers write into the directories until they have ended
    wait_until(lambda: not psutil.pid_exists(pid))
    wait_until(lambda: not site.show("account"))


def test_log_on_success_and_on_failure(site):
    port = site.declare("logs", log_on_success="PID DURATION", log_on_failure="ATTEMPT", allowed_calling_ae="ONE")
    assert echo(port, calling="ONE") == ""
    (line,) = wait_until(lambda: site.run_log("logs").splitlines())
    assert "pid=" in line
    assert "seconds=" in line
    assert "peer=" not in line
    assert echo(port, calling="TWO")
    wait_until(lambda: len(site.run_log("logs").splitlines()) == 2)
    assert "127.0.0.1" not in site.run_log("logs")


def test_association_timeout(site):
    port = site.declare("total", association_timeout=1)
    with Held(port):
        wait_until(lambda: "open for too long" in site.run_log("total"), 10)


def test_disable_and_enable(site):
    port = site.declare("switch")
    assert echo(port) == ""
    site.write("switch", site.text("switch", disable="yes"))
    wait_until(lambda: site.show("switch")["state"] == "DISABLED")
    assert echo(port)
    site.declare("switch", disable="no")
    assert echo(port) == ""


def test_an_original_file_dropped_into_the_directory_works(site):
    port = free_port()
    places = " ".join(f"-{kind[0]} {site.directory}/dicom/original/{kind}" for kind in ("tmp", "log", "data"))
    site.write(
        "original",
        f"""
        service dicomlistener
        {{
            disable             = no
            socket_type         = stream
            wait                = no
            user                = root
            server              = /usr/local/bin/px-listen
            server_args         = -e /usr/bin/storescp {places}
            type                = UNLISTED
            port                = {port}
            bind                = 127.0.0.1
        }} """,
    )
    wait_until(lambda: store(port) == "")
    wait_until(lambda: site.images("original"))


@pytest.mark.parametrize(("hour", "is_open"), [(3, True), (12, False)])
def test_access_times_by_a_set_clock(tmp_path, hour, is_open):
    """The clock is set by the time zone: local time is what access_times are."""
    with running_site(tmp_path, env={"TZ": zone_where_it_is(hour)}) as night:
        port = night.declare("night", access_times="22:00-6:00")
        said = echo(port)
        assert (said == "") is is_open
        if not is_open:
            assert TRANSIENT in said
            assert "Reason: No Reason" in said
            assert refused(night, "night") == {"access_times": 1}


def zone_where_it_is(hour):
    """A POSIX time zone in which it is that hour and half."""
    utc = datetime.now(UTC)
    local = utc.replace(hour=hour, minute=30, second=0)
    offset = (utc - local) % timedelta(days=1)
    if offset > timedelta(hours=12):
        offset -= timedelta(days=1)
    sign = "-" if offset < timedelta(0) else "+"
    seconds = int(abs(offset).total_seconds())
    return f"SET{sign}{seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
