"""pfdcmctl as scripts use it: documents, files, exit statuses, pipes, completion, and what goes on for long."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from misbehavingpacs import HOST, misbehaving_pacs
from misbehaviour import Behaviour
from pfdcmprocess import free_port, running
from services import IMAGE, store, wait_until
from studyimages import series_uid, study_images, study_uid

from pfdcmd.ctl.problems import EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_OK

pytestmark = pytest.mark.acceptance
PROGRAM = str(Path(sys.executable).with_name("pfdcmctl"))
SECONDS = 60


class Site:
    """A pfdcm with its listener, a PACS, and a place for files."""

    def __init__(self, pfdcm, pacs, listener_port, directory):
        self.pfdcm, self.pacs, self.listener_port, self.directory = pfdcm, pacs, listener_port, directory
        self.environment = {
            "PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}",
            "HOME": str(directory),
            "PFDCMCTL_SERVER": f"http://127.0.0.1:{pfdcm.port}",
            "PFDCMCTL_PACS": "awkward",
        }

    def run(self, *arguments, **more):
        """The finished pfdcmctl."""
        return subprocess.run(
            [PROGRAM, *arguments],
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def shell(self, line):
        """The finished line of a shell."""
        return subprocess.run(
            ["bash", "-c", line], env=self.environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    @contextlib.contextmanager
    def started(self, *arguments):
        """A pfdcmctl that goes on, and its lines so far; interrupted on leaving."""
        with subprocess.Popen(
            [PROGRAM, *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            lines = []
            reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")), daemon=True)
            reader.start()
            try:
                yield lines
            finally:
                process.send_signal(signal.SIGINT)
                assert process.wait(SECONDS) == EXIT_INTERRUPTED, lines
                reader.join(SECONDS)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    directory = tmp_path_factory.mktemp("site")
    port = free_port()
    images = study_images(series=2, images=6)
    with (
        running(directory, "--forever", "--httpResponse", "--retrieveAttempts", "1") as pfdcm,
        misbehaving_pacs(images, destinations={"CHIPS": (HOST, port)}) as pacs,
    ):
        assert pfdcm.ask("internalctl", {"var": "/PACS/awkward", "set": pacs.entry})["status"]
        assert pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": str(port)})["status"]
        assert pfdcm.ask("xinetd", {"object": "service", "do": "everything"})["status"]
        yield Site(pfdcm, pacs, port, directory)


def test_a_retrieve_is_one_document_and_exit_status_0_when_all_is_here(site):
    ended = site.run("retrieve", "--study", study_uid(), "--wait", "--json")
    assert ended.returncode == EXIT_OK, ended.stderr
    job = json.loads(ended.stdout)
    assert (job["state"], job["progress"]["received"]) == ("complete", 12)
    assert f"{series_uid(1)} complete: 6/6 images" in ended.stderr
    status = json.loads(site.run("status", job["job"], "--json").stdout)
    assert status == job
    assert json.loads(site.run("status", "--series", series_uid(1), "--json").stdout)["is_complete"]
    tags = json.loads(site.run("tags", "--series", series_uid(2), "-k", "SeriesInstanceUID", "--json").stdout)
    assert tags == {"SeriesInstanceUID": series_uid(2)}


def test_missing_images_have_an_exit_status_of_their_own(site):
    other = study_images(study=2, series=1, images=7)
    site.pacs.images += other
    site.pacs.behaviour = Behaviour(drops_every=1)
    try:
        ended = site.run("retrieve", "--study", study_uid(2), "--wait", "--json")
    finally:
        site.pacs.behaviour = Behaviour()
    assert ended.returncode == EXIT_INCOMPLETE, ended.stdout + ended.stderr
    assert json.loads(ended.stdout)["progress"]["missing"] == 7
    assert f"pfdcmctl retrieve --pacs awkward --study {study_uid(2)} --wait" in ended.stderr
    again = site.run("retrieve", "--study", study_uid(2), "--wait")
    assert again.returncode == EXIT_OK, again.stderr


def test_csv_goes_to_a_file_whole(site):
    file = site.directory / "series.csv"
    ended = site.run("find", "--study", study_uid(), "--csv", "--output", str(file))
    assert (ended.returncode, ended.stdout) == (EXIT_OK, "")
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert {row["SeriesInstanceUID"] for row in rows} == {series_uid(1), series_uid(2)}


def test_whoever_reads_only_the_beginning_is_left_in_peace(site):
    ended = site.shell("set -o pipefail; pfdcmctl call rpc.discover | head -n 1")
    assert (ended.returncode, ended.stdout, ended.stderr) == (EXIT_OK, "{\n", "")


def test_what_goes_to_a_file_has_no_colours_and_is_not_cut(site):
    ended = site.run("jobs", COLUMNS="20")
    assert study_uid() in ended.stdout
    assert "\x1b" not in ended.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_completion_for_each_shell(site, shell):
    script = site.run("completion", shell).stdout
    assert f"_PFDCMCTL_COMPLETE={shell}_complete" in script


def test_bash_completes_commands_and_the_names_of_pacs(site):
    line = (
        "source <(pfdcmctl completion bash); COMP_WORDS=({words}); COMP_CWORD={last}; _pfdcmctl_completion pfdcmctl; "
    )
    line += 'printf "%s\\n" "${{COMPREPLY[@]}}"'
    assert site.shell(line.format(words="pfdcmctl retr", last=1)).stdout.split() == ["retrieve"]
    assert site.shell(line.format(words="pfdcmctl doctor aw", last=2)).stdout.split() == ["awkward"]
    assert site.shell(line.format(words="pfdcmctl listener log dic", last=3)).stdout.split() == ["dicomlistener"]


def test_a_log_is_followed(site):
    with site.started("listener", "log", "-f", "dicomlistener") as lines:
        assert store(site.listener_port, IMAGE) == ""
        wait_until(lambda: any('calling="STORESCU"' in line for line in lines))


def test_changes_are_watched_also_by_a_pfdcm_that_was_started_again(site, tmp_path):
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(running(tmp_path, "--forever", "--httpResponse"))
        watcher = Site(first, None, 0, tmp_path)
        lines = stack.enter_context(watcher.started("tree", "watch", "/x", "--json"))
        wait_until(lambda: len(lines) == 1)
        assert watcher.run("tree", "set", "/x/y", "1").returncode == EXIT_OK
        wait_until(lambda: len(lines) == 2)
        port = first.port
        first.end()
        with running(tmp_path, "--forever", "--httpResponse", port=port):
            wait_until(lambda: len(lines) == 3)
            assert watcher.run("tree", "set", "/x/y", "2").returncode == EXIT_OK
            wait_until(lambda: len(lines) == 4)
    assert all(line.startswith("{") for line in lines), lines
    events = [json.loads(line) for line in lines]
    assert [event["kind"] for event in events] == ["snapshot", "change", "lagged", "change"]
    assert events[1]["data"] == {"path": "/x/y", "value": "1"}
    assert events[3]["data"] == {"path": "/x/y", "value": "2"}
