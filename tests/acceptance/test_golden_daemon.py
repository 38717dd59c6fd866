"""Every step of golden/daemon.json against a real pfdcm: same keys, same types, same values, same bytes.

What belongs to a machine or a moment is put aside: times, versions, host facts, ports, and the places of files, which
are below a temporary directory here. Where the original failed (a `note`, or no reply at all) a fault is expected, or
what it should have answered: see BETTER.
"""

import copy
import json
import re
from pathlib import Path

import pytest
from pfdcmprocess import free_port, running

from pfdcmd import __version__

pytestmark = pytest.mark.acceptance

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "daemon.json").read_text())
SCENARIOS = {scenario["scenario"]: scenario for scenario in GOLDEN["scenarios"]}
STEPS = {f"{name}/{step['id']}": step for name, scenario in SCENARIOS.items() for step in scenario["steps"]}

SITE = {"name": "BCH", "rooms": {"one": 1, "two": [2]}}
BCH = {"aet": "A", "aec": "B"}
SITE2 = {"a": {}, "b": 1}
FLAT = {"a": "1", "b": "2"}


def success(d_ret):
    return {"d_ret": d_ret, "status": True}


def recorded(name):
    return copy.deepcopy(STEPS[name]["reply"])


def root_with_what_was_set(name):
    """The recorded tree, with what the original could not set, and the one leaf it misplaced where it belongs."""
    reply = recorded(name)
    tree = reply["d_ret"]
    tree.update(site=SITE, site2=SITE2, flat=FLAT, no={"such": {"leaf": "x"}})
    tree["PACS"].update(BCH=BCH, empty={})
    return reply


def pacs_with_what_was_set(name):
    reply = recorded(name)
    reply["d_ret"]["PACS"]["BCH"] = BCH
    return reply


BETTER = {
    # every way of writing a path is taken, and nothing is the root
    "core/get-trailing-slash": recorded("core/get-PACS"),
    "core/get-no-leading-slash": recorded("core/get-PACS"),
    "core/get-empty": recorded("core/get-root"),
    # a dictionary can be set anywhere, whatever is in it
    "core/set-new-top": success(SITE),
    "core/get-new-top": success({"site": SITE}),
    "core/set-nested-dict": success(BCH),
    "core/get-nested-dict": success({"PACS": {"BCH": BCH}}),
    "core/get-PACS-3": pacs_with_what_was_set("core/get-PACS-3"),
    "core/set-dict-with-empty": success(SITE2),
    "core/get-dict-with-empty": success({"site2": SITE2}),
    "core/set-flat-dict-new-top": success(FLAT),
    "core/get-flat-dict-new-top": success({"flat": FLAT}),
    "core/get-root-after": root_with_what_was_set("core/get-root-after"),
    "core/get-root-final": root_with_what_was_set("core/get-root-final"),
    # a key that no action knows is no reason to hang up
    "protocol/transport-in-meta": success({"/xinetd/file": "/etc/xinetd.d/dicomlistener"}),
}
SHAPE_ONLY = {"core/hello-sysinfo"}
"""Host facts: their keys and types are what matters."""

OPTIONS = {"protocol/options"}
"""Not a message: see test_options."""

FAULT = "a fault"


class Replay:
    """One scenario replayed against a fresh pfdcm: the bytes of every answer."""

    def __init__(self, name, directory):
        self._scenario = SCENARIOS[name]
        self._directory = directory
        self._ports = {"10402": str(free_port()), "10403": str(free_port())}
        self.answers = {}
        with running(directory, *self._scenario["args"], env=self._scenario["env"]) as pfdcm:
            self._port_self = pfdcm.port
            for step in self._scenario["steps"]:
                if step["id"] == "xinetd-file-create":
                    pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": self._ports["10402"]})
                self.answers[step["id"]] = self._send(pfdcm, step)

    def _send(self, pfdcm, step):
        request = dict(step["request"])
        body = request.pop("body", "")
        if step["id"] == "xinetd-set-port":
            body["payload"]["meta"]["set"] = self._ports["10403"]
        return pfdcm.raw(body, **request)

    def reply(self, step):
        """The reply with this run's places and ports turned into the recorded ones."""
        text = self.answers[step].decode().split("\r\n\r\n")[-1]
        return json.loads(self.as_recorded(text))

    def as_recorded(self, text):
        places = {
            f"{self._directory}/dicomlistener.new": "/tmp/dicomlistener",
            f"{self._directory}/dicomlistener": "/etc/xinetd.d/dicomlistener",
            f"{self._directory}/dicom": "/dicom",
            "bind                = 127.0.0.1": "bind                = 0.0.0.0",
        }
        for ours, theirs in places.items():
            text = text.replace(ours, theirs)
        for theirs, ours in self._ports.items():
            text = re.sub(rf"(?<!\d){ours}(?!\d)", theirs, text)
        return text


@pytest.fixture(scope="module")
def replays(tmp_path_factory):
    """Each scenario is replayed once, when its first step is looked at."""
    done = {}

    def replay(name):
        if name not in done:
            done[name] = Replay(name, tmp_path_factory.mktemp("pfdcm"))
        return done[name]

    return replay


def normal(reply):
    """The reply without what belongs to the moment: time, version, the daemon's own port (its type is kept)."""
    reply = copy.deepcopy(reply)
    d_ret = reply.get("d_ret")
    if not isinstance(d_ret, dict):
        return reply
    if "timestamp" in d_ret:
        assert re.fullmatch(r"\d{14}\.\d{6}", d_ret["timestamp"]["now"])
        d_ret["timestamp"]["now"] = "now"
    if "this" in d_ret:
        this = d_ret["this"]
        this["desc"] = re.sub(r"(version \x1b\[1;33m)[0-9.]+", r"\1", this["desc"])
        this["args"]["portSelf"] = type(this["args"]["portSelf"]).__name__
    return reply


def typed(value):
    """The value with its types spelt out: 1, 1.0 and True are equal in Python, and not to a caller."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, value


def shape(value):
    """Keys and types."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


def expected(name):
    step = STEPS[name]
    if name in BETTER:
        return BETTER[name]
    if name in SHAPE_ONLY:
        return step["reply"]
    return FAULT if step["reply"] is None or "note" in step else step["reply"]


@pytest.mark.parametrize("name", [name for name in STEPS if name not in OPTIONS])
def test_step(replays, name):
    scenario, step = name.split("/")
    reply, wanted = replays(scenario).reply(step), expected(name)
    if wanted == FAULT:
        assert reply["status"] is False
        assert isinstance(reply["msg"], str)
        assert reply["msg"]
        assert "Internal error" not in reply["msg"]
        assert "Traceback" not in reply["msg"]
    elif name in SHAPE_ONLY:
        assert shape(reply) == shape(wanted)
    else:
        assert typed(normal(reply)) == typed(normal(wanted))


def test_options(replays):
    """The original answered 501, so no page from elsewhere could send; ours may."""
    answer = replays("protocol").answers["options"].decode()
    assert answer.startswith("HTTP/1.1 204")
    assert "\r\nAccess-Control-Allow-Origin: *\r\n" in answer


@pytest.mark.parametrize("name", GOLDEN["raw_bytes"])
def test_bytes(replays, name):
    """What callers take apart, to the byte: in HTTP's frame the header may differ, the body not."""
    scenario, step = name.split("/")
    wanted = GOLDEN["raw_bytes"][name]
    ours = replays(scenario).answers[step].decode()
    if wanted.startswith("HTTP/1.0"):
        outer, _, ours = ours.partition("\r\n\r\n")
        wanted = wanted.partition("\r\n\r\n")[2]
        assert outer.startswith("HTTP/1.1 200 OK\r\n")
        assert "\r\nAccess-Control-Allow-Origin: *" in outer
        assert ours.count("\r") == 4
    moment = r"\d{14}\.\d{6}"
    assert re.sub(moment, "now", replays(scenario).as_recorded(ours)) == re.sub(moment, "now", wanted)


@pytest.mark.parametrize(
    "name", [name for name in STEPS if name.startswith(("core/", "protocol/")) and name not in OPTIONS]
)
def test_framing(replays, name):
    """Faults come in the same frame as everything else."""
    scenario, step = name.split("/")
    head, inner, content = replays(scenario).answers[step].split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert inner == b"200 OK\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: %d" % len(content)
    assert content.isascii()


def test_the_banner_has_our_version(replays):
    desc = replays("core").reply("get-root")["d_ret"]["this"]["desc"]
    assert f"version \x1b[1;33m{__version__}\x1b[0;36m" in desc
