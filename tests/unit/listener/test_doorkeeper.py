"""The door, with the clock, the load and the resolver set."""

import socket
import time

import pytest

from listener import doorkeeper as module
from listener.admission import ADDRESS, INSTANCES, LOAD, TIME
from listener.config import Config
from listener.doorkeeper import NO_ENTRY, Doorkeeper
from listener.errors import ConfigurationFault


@pytest.fixture
def keep():
    made = []

    def make(**config):
        made.append(Doorkeeper(Config(**config)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_without_rules_everybody_is_let_in_and_nothing_is_counted(keep):
    assert [keep().admit(peer) for peer in ("192.0.2.1", "::1", "fe80::1%eth0", "local")] == [NO_ENTRY] * 4


def test_addresses_come_first(keep):
    door = keep(only_from=("192.0.2.0/24", "::1/128"), instances=1)
    assert door.admit("192.0.3.1") is ADDRESS
    assert door.admit("192.0.2.1") == 0
    assert door.admit("::1") is INSTANCES
    door.leave(0)
    assert door.admit("::1") == 0
    door.leave(NO_ENTRY)


def test_nobody(keep):
    assert keep(is_for_nobody=True).admit("127.0.0.1") is ADDRESS


def test_host_names_are_what_they_were_looked_up_as(keep, monkeypatch):
    known = {"pacs.example.org": "192.0.2.7"}

    def resolve(name, *_, **__):
        if name not in known:
            raise socket.gaierror("unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known[name], 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    door = keep(only_from=("pacs.example.org", "gone.example.org"), no_access=("192.0.2.0/24",))
    assert door.admit("192.0.2.7") == NO_ENTRY
    assert door.admit("192.0.2.8") is ADDRESS


def test_times_and_load(keep, monkeypatch):
    door = keep(access_times=("22:00-06:00",), max_load=2.0)
    monkeypatch.setattr(module.time, "localtime", lambda: time.struct_time((2026, 1, 1, 12, 0, 0, 0, 1, 0)))
    assert door.admit("192.0.2.1") is TIME
    monkeypatch.setattr(module.time, "localtime", lambda: time.struct_time((2026, 1, 1, 23, 0, 0, 0, 1, 0)))
    monkeypatch.setattr(module.os, "getloadavg", lambda: (2.0, 0.0, 0.0))
    assert door.admit("192.0.2.1") is LOAD
    monkeypatch.setattr(module.os, "getloadavg", lambda: (1.9, 9.0, 9.0))
    assert door.admit("192.0.2.1") == NO_ENTRY


def test_a_rule_that_cannot_be_understood():
    with pytest.raises(ConfigurationFault, match="access_times"):
        Doorkeeper(Config(access_times=("noon",)))
