"""The action xinetd against the original's recorded replies, with files and listeners as fakes."""

import asyncio
import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pfdcmd.actions.context import Context
from pfdcmd.actions.xinetd import xinetd
from pfdcmd.errors import ParameterFault, PathRefused, ServiceFileFault, StorageFault, SupervisorFault
from pfdcmd.service.catalogue import Reading, make_catalogue
from pfdcmd.service.plan import Difference, Reload
from pfdcmd.settings import Settings
from pfdcmd.tree.store import Tree
from pfdcmd.wire.xinetdconf import parse_service_file

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "daemon.json").read_text())
STEPS = {step["id"]: step for scenario in GOLDEN["scenarios"] for step in scenario["steps"]}
FILE = "/etc/xinetd.d/dicomlistener"


class FakeFiles:
    def __init__(self):
        self.texts = {}
        self.directories = []
        self.unwritable = ()
        self.out_of_roots = ()

    async def check_paths(self, paths):
        if set(paths) & set(self.out_of_roots):
            raise PathRefused

    async def write_text(self, path, text):
        if path.startswith(self.unwritable or ("\0",)):
            raise StorageFault(f"{path} cannot be written: Permission denied.")
        self.texts[path] = text

    async def read_text(self, path):
        if path not in self.texts:
            raise StorageFault(f"{path} cannot be read: No such file or directory.")
        return self.texts[path]

    async def make_directories(self, paths):
        if any(path.startswith(self.unwritable or ("\0",)) for path in paths):
            raise StorageFault("The directory cannot be made; choose others with --dicomDir.")
        self.directories += paths


class FakeListeners:
    """Reloads what the fake files declare, the legacy one and others; nothing runs."""

    def __init__(self, files):
        self.files = files
        self.applied = []
        self.fault = None
        self.failed = {}
        self.mute = False
        self.inside = 0
        self.most_inside = 0
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def exclusive(self):
        async with self._lock:
            yield

    async def answers(self, service):
        return not self.mute

    async def reload(self):
        self.inside += 1
        self.most_inside = max(self.inside, self.most_inside)
        await asyncio.sleep(0)
        self.inside -= 1
        if self.fault:
            raise self.fault
        parsed, faults = [], {}
        for name, text in self.files.texts.items():
            if not name.endswith(".new"):
                try:
                    parsed.append(parse_service_file(text, name))
                except ServiceFileFault as fault:
                    faults[name] = fault.message
        catalogue = make_catalogue(Reading(tuple(parsed), faults), [], workers=2, drain_seconds=60, is_there={})
        self.applied += [each for each in catalogue.services if each.declared_in == FILE]
        return Reload(Difference(failed=self.failed, faults=catalogue.faults), catalogue.services)


@pytest.fixture
def context():
    tree = Tree(
        {
            "bin": {"listener": "/usr/local/bin/px-listen", "storescp": "/usr/bin/storescp"},
            "xinetd": {
                "servicePort": "10402",
                "tmpDir": "/dicom/tmp",
                "logDir": "/dicom/log",
                "dataDir": "/dicom/data",
                "file": FILE,
            },
        }
    )
    files = FakeFiles()
    return Context(Settings(), tree, None, FakeListeners(files), files, None, {}, None, None, None, None, None, None)


def call(context, thing, do):
    return asyncio.run(xinetd({"object": thing, "do": do}, context))


def with_recorded_path(reply):
    """The created file's place is ours to choose."""
    return json.loads(json.dumps(reply).replace(f"{FILE}.new", "/tmp/dicomlistener"))


@pytest.mark.parametrize("do", ["create", "install"])
def test_file_replies_are_the_recorded_ones(context, do):
    assert with_recorded_path(call(context, "file", do)) == STEPS[f"xinetd-file-{do}"]["reply"]


def test_mkdirs_replies_as_recorded_and_makes_them(context):
    assert call(context, "service", "mkdirs") == STEPS["xinetd-service-mkdirs"]["reply"]
    assert context.files.directories == ["/dicom/tmp", "/dicom/log", "/dicom/data"]


def test_everything_and_then_restart_reply_as_recorded(context):
    reply = with_recorded_path(call(context, "service", "everything"))
    assert reply == STEPS["xinetd-everything"]["reply"]
    assert list(reply["d_ret"]["d_ret"]) == list(STEPS["xinetd-everything"]["reply"]["d_ret"]["d_ret"])
    assert call(context, "service", "restart") == STEPS["xinetd-service-restart"]["reply"]
    (service, again) = context.listeners.applied
    assert (service.port, service.workers, service == again) == (10402, 2, True)


def test_restart_goes_by_the_installed_file_and_not_by_the_tree(context):
    call(context, "file", "install")
    context.tree.set("/xinetd/servicePort", "10403")
    call(context, "service", "restart")
    assert [service.port for service in context.listeners.applied] == [10402]
    call(context, "service", "everything")
    assert [service.port for service in context.listeners.applied] == [10402, 10403]


@pytest.mark.parametrize(
    "meta", [{}, {"object": "nope", "do": "create"}, {"object": "file"}, {"object": ["file"], "do": {}}]
)
def test_what_the_original_raised_at_is_refused_with_what_there_is(context, meta):
    with pytest.raises(ParameterFault, match="service everything"):
        asyncio.run(xinetd(meta, context))


def test_a_directory_that_cannot_be_made_fails_everything_and_says_what_to_do(context):
    context.files.unwritable = ("/dicom",)
    reply = call(context, "service", "everything")
    parts = reply["d_ret"]["d_ret"]
    assert reply["status"] is reply["d_ret"]["status"] is parts["serviceDirs"]["status"] is False
    assert [parts[name]["status"] for name in parts] == [True, True, False, False]
    assert "--dicomDir" in reply["msg"]
    assert "serviceDirs" in parts["service"]["stderr"]
    assert context.listeners.applied == []


def test_a_service_file_that_cannot_be_written_says_where_else(context):
    context.files.unwritable = ("/etc",)
    reply = call(context, "file", "install")
    assert reply["status"] is False
    assert "--serviceFile" in reply["msg"]


def test_a_listener_that_does_not_come_up_is_status_false_with_the_reason(context):
    context.listeners.failed = {"dicomlistener": "Port 10402 is taken by another program."}
    reply = call(context, "service", "everything")
    assert reply["status"] is False
    assert reply["msg"] == reply["d_ret"]["d_ret"]["service"]["stderr"] == "Port 10402 is taken by another program."
    assert reply["d_ret"]["d_ret"]["service"]["stdout"] == [""]


def test_a_disabled_service_is_applied_and_reported(context):
    call(context, "file", "install")
    context.files.texts[FILE] = context.files.texts[FILE].replace(
        "= no\n            socket", "= yes\n            socket"
    )
    reply = call(context, "service", "restart")
    assert context.listeners.applied[0].is_disabled
    assert (reply["status"], reply["msg"]) == (False, f"dicomlistener is disabled in {FILE}.")


def test_a_broken_service_file_is_reported_with_its_line(context):
    context.files.texts[FILE] = "service x\n{\nport = 1\nport = 2\n}"
    assert call(context, "service", "restart")["msg"].startswith(f"{FILE}:4:")


OTHER = "service other\n{\nport = 104\nserver_args = -t /t -l /l -d /d\n}"


def test_another_file_with_a_fault_is_told_beside_the_success(context):
    call(context, "file", "install")
    context.files.texts["/services.d/other"] = OTHER.replace("104", "none")
    reply = call(context, "service", "restart")
    assert reply["status"] is True
    assert reply["d_ret"]["stderr"].startswith("/services.d/other:3: port must be")
    assert reply["d_ret"]["stdout"] == STEPS["xinetd-service-restart"]["reply"]["d_ret"]["stdout"]


def test_restart_with_services_in_the_directory_alone(context):
    context.files.texts["/services.d/other"] = OTHER
    assert call(context, "service", "restart")["status"] is True


def test_a_supervisor_that_fails_is_told(context):
    call(context, "file", "install")
    context.listeners.fault = SupervisorFault("The listener's supervisor does not start: no.")
    assert call(context, "service", "restart")["msg"] == "The listener's supervisor does not start: no."


def test_restart_without_a_service_file(context):
    assert "cannot be read" in call(context, "service", "restart")["msg"]


@pytest.mark.parametrize("value", ["/x y", "../..", "/a\n}", None, 5, ["/x"], {"a": "/x"}])
@pytest.mark.parametrize("leaf", ["dataDir", "file"])
def test_values_that_are_no_paths_are_refused_before_anything_is_written(context, leaf, value):
    tree = json.loads(json.dumps({"bin": dict(context.tree.get("/bin")), "xinetd": dict(context.tree.get("/xinetd"))}))
    tree["xinetd"][leaf] = value
    reply = call(replace(context, tree=Tree(tree)), "service", "everything")
    assert reply["status"] is False
    assert f"/xinetd/{leaf}" in reply["msg"]
    assert context.files.texts == {}


def test_a_tree_without_the_branches_is_a_failure_and_not_an_error(context):
    assert "/bin/listener" in call(replace(context, tree=Tree({"xinetd": 1})), "service", "everything")["msg"]
    assert "/xinetd/tmpDir" in call(replace(context, tree=Tree({})), "service", "mkdirs")["msg"]


def test_two_at_once_take_turns(context):
    async def both():
        meta = {"object": "service", "do": "everything"}
        return await asyncio.gather(xinetd(meta, context), xinetd(meta, context))

    assert [reply["status"] for reply in asyncio.run(both())] == [True, True]
    assert context.listeners.most_inside == 1


def test_a_listener_that_does_not_answer_is_no_success(context):
    context.listeners.mute = True
    reply = call(context, "service", "everything")
    assert reply["status"] is False
    assert reply["msg"] == "dicomlistener does not answer C-ECHO on port 10402."


@pytest.mark.parametrize("do", ["create", "install"])
def test_a_directory_out_of_the_roots_comes_into_no_service_file(context, do):
    context.files.out_of_roots = ("/dicom/log",)
    reply = call(context, "file", do)
    assert reply["status"] is False
    assert "not below" in reply["msg"]
    assert context.files.texts == {}
