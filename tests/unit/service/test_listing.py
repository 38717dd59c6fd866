"""What /listeners shows, and what is kept of workers that are gone."""

from pfdcmd.service.config import Attribute, Declaration, ServiceConfig
from pfdcmd.service.listing import Seen, Totals, list_reload, list_service
from pfdcmd.service.plan import Difference
from pfdcmd.service.state import Worker, WorkerReport, WorkerState
from pfdcmd.service.tally import Tally

A = ServiceConfig("a", "0.0.0.0", 104, "/d", "/l", "/t", 2, declared_in="/services.d/a")


def worker(group="a-104", number=0, state=WorkerState.RUNNING, pid=7):
    return Worker(group, f"worker-{number}", state, pid, "/log", "")


def report(pid=7, **changes):
    values = {
        "pid": pid,
        "heartbeat": 1.0,
        "is_draining": False,
        "associations_open": 1,
        "associations_total": 4,
        "images": 10,
        "size_bytes": 1000,
        "refused": {"cps": 1},
        "last_error": "",
    }
    return WorkerReport(**{**values, **changes})


def show(seen, service=A, gone=None, reason=""):
    return list_service(service, None, seen, gone or Totals(), reason)


def test_workers_are_added_up_old_and_new_ones():
    seen = [
        Seen(worker(number=0, pid=7), report(7)),
        Seen(worker(number=1, pid=8), report(8)),
        Seen(worker("a-104.1", state=WorkerState.STOPPING, pid=9), report(9, is_draining=True)),
        Seen(worker("b-105", pid=10), report(10)),
    ]
    shown = show(seen, gone=Totals(1, 2, 3, {"cps": 1, "address": 5}))
    assert (shown["state"], shown["pids"], shown["port"]) == ("RUNNING", [7, 8, 9], "104")
    assert (shown["associations_open"], shown["draining"], shown["associations_total"]) == (3, 1, 13)
    assert (shown["images"], shown["bytes"]) == (32, 3003)
    assert shown["refused"] == {"address": 5, "cps": 4}


def test_states():
    assert show([])["state"] == "STOPPED"
    assert show([], ServiceConfig("a", "::", 1, "/", "/", "/", 1, is_disabled=True))["state"] == "DISABLED"
    fatal = Seen(worker(state=WorkerState.FATAL, pid=0), None, "worker-0 is FATAL and said last: no")
    assert (show([fatal])["state"], show([fatal])["pids"]) == ("FATAL", [])
    assert show([fatal])["last_error"] == "worker-0 is FATAL and said last: no"
    assert show([fatal, Seen(worker(number=1), report())])["state"] == "RUNNING"
    assert show([Seen(worker(state=WorkerState.STOPPING), report())])["state"] == "STOPPING"


def test_the_reason_and_the_last_error():
    seen = [Seen(worker(), report(last_error="the disk is full"))]
    assert show(seen)["last_error"] == "the disk is full"
    assert show(seen, reason="/services.d/a:3: no.")["last_error"] == "/services.d/a:3: no."


def test_the_configuration_is_what_the_file_says():
    declaration = Declaration("a", "f", 1, {"only_from": Attribute(("10.0.0.1", "::1"), 3)})
    shown = list_service(A, declaration, [], Totals(), "")
    assert shown["configuration"] == {"only_from": "10.0.0.1 ::1"}


def test_a_reload_as_data():
    assert list_reload(Difference(added=("a",), failed={"b": "taken"}), "now") == {
        "when": "now",
        "added": ["a"],
        "changed": [],
        "removed": [],
        "unchanged": [],
        "failed": {"b": "taken"},
    }


def test_a_group_that_is_gone_is_remembered_once():
    tally = Tally()
    tally.see([Seen(worker(), report(images=10))])
    tally.see([Seen(worker(), report(images=12)), Seen(worker("a-104.1"), None)])
    assert tally.gone("a") == Totals()
    tally.see([Seen(worker("a-104.1"), report(images=1))])
    tally.see([Seen(worker("a-104.1"), None)])
    assert tally.gone("a").images == 12
    tally.see([])
    assert (tally.gone("a").images, tally.gone("b")) == (13, Totals())
