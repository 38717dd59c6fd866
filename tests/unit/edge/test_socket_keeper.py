"""The part that runs inside supervisord, with a supervisord of straw and real sockets of this process."""

import socket
from types import SimpleNamespace

import pytest
from supervisor import events

from pfdcmd.edge.listeners.socketkeeper import make_keeper

HOST = "127.0.0.1"


@pytest.fixture(autouse=True)
def only_our_subscriptions(monkeypatch):
    monkeypatch.setattr(events, "callbacks", [])


@pytest.fixture
def keeper():
    configs = [SimpleNamespace(name=name, socket_config=None) for name in ("a-1", "a-1.1", "b-2")]
    supervisord = SimpleNamespace(options=SimpleNamespace(process_group_configs=configs))
    made = make_keeper(supervisord)
    made.configs = {each.name: each for each in configs}
    yield made
    events.notify(events.SupervisorStoppingEvent())


def free_port():
    with socket.create_server((HOST, 0)) as server:
        return server.getsockname()[1]


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def test_two_groups_share_an_address_and_the_last_one_closes_it(keeper):
    port = free_port()
    assert keeper.open("a-1", HOST, port, 8) == keeper.open("a-1.1", HOST, port, 8) == ""
    sockets = [keeper.configs[name].socket_config.create_and_bind() for name in ("a-1", "a-1.1")]
    assert [each.getsockname() for each in sockets] == [(HOST, port)] * 2
    assert keeper.release("a-1") is True
    assert is_open(port)
    events.notify(events.ProcessGroupRemovedEvent("a-1.1"))
    # although duplicates are open still, as those of workers that are finishing
    assert not is_open(port)
    assert keeper.release("a-1.1") is False
    for each in sockets:
        each.close()


def test_an_address_that_cannot_be_opened_is_said_to_be(keeper):
    with socket.create_server((HOST, 0)) as taken:
        assert keeper.open("a-1", HOST, taken.getsockname()[1], 8) == "EADDRINUSE"
    assert keeper.open("a-1", "192.0.2.1", free_port(), 8) == "EADDRNOTAVAIL"
    assert keeper.release("a-1") is False
    assert "not configured" in keeper.open("nobody", HOST, 1, 8)


def test_nothing_is_held_when_supervisord_ends(keeper):
    port = free_port()
    assert keeper.open("b-2", HOST, port, 8) == ""
    events.notify(events.SupervisorStoppingEvent())
    assert not is_open(port)
