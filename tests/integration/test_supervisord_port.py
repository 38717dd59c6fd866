"""A real supervisord with a stand-in for the listener: what is kept, moved, replaced, found again and ended.

The stand-in answers C-ECHO on the socket it is handed, ends on SIGTERM once its associations have, and fails on demand.
"""

import asyncio
import os
import signal
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from integration.supervisedsite import Arrivals, Site, free_port, is_refused, open_association, wait_until

from pfdcmd.edge.listeners.echo import answers_echo
from pfdcmd.edge.listeners.supervisord import Supervisord
from pfdcmd.errors import ServiceFault, SupervisorFault

STAND_IN = Path(__file__).with_name("standinlistener.py").read_text()


@pytest.fixture
def site(tmp_path, monkeypatch):
    package = tmp_path / "stand-in" / "listener"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "cli.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    site = Site(tmp_path)
    try:
        yield site
        site.shutdown()
        assert site.processes() == []
    finally:
        for process in site.processes():
            process.kill()


def test_a_service_is_brought_up_and_kept_as_it_is(site):
    site.apply(site.service)
    assert site.answers()
    before = site.workers()
    assert len(before) == 2
    with open_association(site.service.port) as association:
        site.apply(site.service)
        assert association.send_c_echo().Status == 0
    assert site.workers() == before


def test_another_pfdcm_finds_what_runs(site):
    site.apply(site.service)
    before = site.workers(), site.supervisors()
    with site.supervisord() as other:
        asyncio.run(other.apply([site.service]))
    assert (site.workers(), site.supervisors()) == before


def test_a_moved_service_answers_at_the_new_port_and_the_old_one_closes(site):
    site.apply(site.service)
    moved = replace(site.service, port=free_port())
    site.apply(moved)
    assert site.answers(moved.port)
    assert is_refused(site.service.port)
    assert len(site.workers()) == 2
    site.apply(site.service)
    assert site.answers()
    assert is_refused(moved.port)


def test_a_move_lets_an_open_association_finish(site):
    site.apply(site.service)
    moved = replace(site.service, port=free_port())
    with open_association(site.service.port) as association:
        applying = threading.Thread(target=site.apply, args=(moved,))
        applying.start()
        wait_until(lambda: not is_refused(moved.port) and site.answers(moved.port))
        assert association.send_c_echo().Status == 0
    applying.join()
    wait_until(lambda: is_refused(site.service.port))


def test_other_directories_are_taken_up_with_nobody_refused(site):
    site.apply(site.service)
    before = site.workers()
    with Arrivals(site.service.port) as arrivals:
        for number in range(3):
            site.apply(replace(site.service, data_dir=str(site.directory / ("other", "data")[number % 2])))
    assert (arrivals.refused, arrivals.made > 50) == (0, True)
    after = site.workers()
    assert (len(after), after & before) == (2, set())


def test_workers_killed_while_connections_arrive_refuse_none(site):
    site.apply(site.service)
    with Arrivals(site.service.port) as arrivals:
        for _ in range(2):
            before = site.workers()
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda before=before: len(site.workers() - before) == 2)
    wait_until(site.answers)
    assert (arrivals.refused, arrivals.made > 50) == (0, True)


def test_a_change_lets_an_open_association_finish_and_serves_the_next_at_once(site):
    alone = replace(site.service, workers=1)
    site.apply(alone)
    with open_association(site.service.port) as first:
        site.apply(replace(alone, data_dir=str(site.directory / "other")))
        assert site.answers()
        assert first.send_c_echo().Status == 0
        assert len(site.workers()) == 2
    with site.supervisord() as port:
        wait_until(lambda: asyncio.run(port.look_after(30.0)) and len(asyncio.run(port.observe())) == 1)
    assert len(site.workers()) == 1
    assert len(list((site.state / "services").glob("*.json"))) == 1


def test_a_worker_that_hangs_is_replaced_and_others_are_not(site):
    site.apply(site.service)
    hung, other = sorted(site.workers())
    os.kill(hung, signal.SIGSTOP)
    with site.supervisord() as port:
        wait_until(lambda: asyncio.run(port.look_after(1.0)) and hung not in site.workers())
        wait_until(lambda: len(site.workers()) == 2)
    assert other in site.workers()


def test_a_service_on_ipv6(site):
    site.apply(replace(site.service, bind="::1"))
    assert answers_echo(("::1", site.service.port), 3.0)
    assert is_refused(site.service.port)


def test_a_worker_that_keeps_dying_is_given_up_with_its_last_words(site):
    site.apply(site.service)
    for name in ("data", "log", "tmp"):
        (site.directory / name).rename(site.directory / f"{name}-away")
    for pid in site.workers():
        os.kill(pid, signal.SIGKILL)
    with site.supervisord() as port:
        wait_until(lambda: {each.worker.state for each in asyncio.run(port.observe())} == {"FATAL"}, 30)
        assert all("the data directory is not there" in each.last_words for each in asyncio.run(port.observe()))
        for name in ("data", "log", "tmp"):
            (site.directory / f"{name}-away").rename(site.directory / name)
        asyncio.run(port.apply([site.service]))
    assert site.answers()


def test_several_services_swap_their_ports(site):
    other = replace(site.service, name="other", port=free_port())
    site.apply(site.service, other)
    site.apply(replace(site.service, port=other.port), replace(other, port=site.service.port))
    assert site.answers()
    assert site.answers(other.port)
    groups = {path.stem for path in (site.state / "services").glob("*.applied")}
    assert groups == {f"dicomlistener-{other.port}", f"other-{site.service.port}"}


def test_a_service_that_is_retained_is_neither_changed_nor_ended(site):
    other = replace(site.service, name="other", port=free_port())
    site.apply(site.service, other)
    before = site.workers()
    site.apply(other, retained=["dicomlistener"])
    assert site.workers() == before
    site.apply(other)
    assert len(site.workers()) == 2
    assert is_refused(site.service.port)


def test_one_that_cannot_start_does_not_keep_others_from_it(site):
    broken = replace(site.service, name="broken", port=free_port(), data_dir=str(site.directory / "missing"))
    with pytest.raises(SupervisorFault, match="broken does not start"):
        site.apply(broken, site.service)
    assert site.answers()


def test_another_number_of_workers(site):
    site.apply(site.service)
    site.apply(replace(site.service, workers=3))
    assert len(site.workers()) == 3


def test_a_listener_that_cannot_start_says_why_and_what_ran_goes_on(site):
    site.apply(site.service)
    broken = replace(site.service, port=free_port(), data_dir=str(site.directory / "missing"))
    with pytest.raises(SupervisorFault, match="the data directory is not there"):
        site.apply(broken)
    assert site.answers()
    assert is_refused(broken.port)
    (site.directory / "missing").mkdir()
    site.apply(broken)
    assert site.answers(broken.port)
    assert is_refused(site.service.port)


def test_a_taken_port_is_said_to_be_taken(site):
    with socket.create_server(("127.0.0.1", site.service.port)), pytest.raises(SupervisorFault, match="taken"):
        site.apply(site.service)
    site.apply(site.service)
    assert site.answers()


def test_an_address_that_is_not_ours_is_named(site):
    with pytest.raises(SupervisorFault, match=r"192\.0\.2\.1,"):
        site.apply(replace(site.service, bind="192.0.2.1"))


def test_a_killed_supervisord_is_replaced_and_its_workers_with_it(site):
    site.apply(site.service)
    (supervisor,) = site.supervisors()
    workers = site.workers()
    os.kill(supervisor, signal.SIGKILL)
    site.apply(site.service)
    assert site.answers()
    wait_until(lambda: not site.workers() & workers)
    assert site.supervisors() not in ({supervisor}, set())


def test_shutdown_ends_workers_that_a_killed_supervisord_left(site):
    site.apply(site.service)
    for pid in site.supervisors():
        os.kill(pid, signal.SIGKILL)
    site.shutdown()
    assert site.processes() == []


def test_shutdown_where_nothing_was_started(site):
    site.shutdown()
    assert not site.state.exists()


def test_a_disabled_service_is_ended(site):
    site.apply(site.service)
    site.apply(replace(site.service, is_disabled=True))
    assert is_refused(site.service.port)
    assert site.workers() == set()
    site.apply(site.service)
    assert site.answers()


def test_two_pfdcms_start_one_supervisord(site):
    with site.supervisord() as one, site.supervisord() as other:

        async def both():
            await asyncio.gather(one.apply([site.service]), other.apply([site.service]))

        asyncio.run(both())
    assert (len(site.supervisors()), len(site.workers())) == (1, 2)
    assert site.answers()


def test_a_change_that_was_broken_off_is_carried_out_again(site):
    site.apply(site.service)
    before = site.workers()
    (record,) = (site.state / "services").glob("*.applied")
    record.unlink()
    site.apply(site.service)
    assert site.answers()
    assert not site.workers() & before


def test_another_service_is_left_alone(site):
    other = replace(site.service, name="other", port=free_port())
    site.apply(site.service)
    before = site.workers()
    site.apply(site.service, other)
    site.apply(site.service, replace(other, port=free_port()))
    assert before < site.workers()
    assert (len(site.workers()), site.answers()) == (4, True)


def test_state_is_private_and_a_state_directory_that_cannot_be_used_is_named(site, tmp_path):
    site.apply(site.service)
    assert site.state.stat().st_mode & 0o077 == 0
    assert (site.state / "supervisord.sock").stat().st_mode & 0o077 == 0
    for directory in (Path("/proc/nowhere"), tmp_path / ("x" * 90)):
        port = Supervisord(directory, 5.0)
        with pytest.raises(ServiceFault, match="--stateDir"):
            asyncio.run(port.apply([site.service]))
        port.close()
