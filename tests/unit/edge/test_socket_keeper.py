"""The part that runs inside supervisord, with a supervisord of straw."""

from types import SimpleNamespace

import pytest
from supervisor import events

from pfdcmd.edge.socketkeeper import make_keeper


class Manager:
    def __init__(self):
        self.references = []

    def get_socket(self):
        self.references.append(object())
        return self.references[-1]


@pytest.fixture(autouse=True)
def only_our_subscriptions(monkeypatch):
    monkeypatch.setattr(events, "callbacks", [])


def group():
    return SimpleNamespace(socket_manager=Manager())


def test_each_groups_socket_is_held_from_when_it_is_added_until_it_is_removed():
    supervisord = SimpleNamespace(process_groups={"here": group()})
    keeper = make_keeper(supervisord)
    supervisord.process_groups |= {"new": group(), "no-socket": SimpleNamespace()}
    for name in ("new", "no-socket"):
        events.notify(events.ProcessGroupAddedEvent(name))
    assert [len(supervisord.process_groups[name].socket_manager.references) for name in ("here", "new")] == [1, 1]
    events.notify(events.ProcessGroupRemovedEvent("new"))
    assert (keeper.release("new"), keeper.release("no-socket")) == (False, False)
    assert (keeper.release("here"), keeper.release("here")) == (True, False)


def test_nothing_is_held_when_supervisord_ends():
    keeper = make_keeper(SimpleNamespace(process_groups={"here": group()}))
    events.notify(events.SupervisorStoppingEvent())
    assert keeper.release("here") is False
