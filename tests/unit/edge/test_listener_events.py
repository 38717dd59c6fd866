"""What changes between two listings is published, service by service."""

import json

import pytest

from pfdcmd.edge.listeners.events import ListenerEvents
from pfdcmd.events.hub import EventHub

A = {"state": "RUNNING", "images": 1}


@pytest.fixture
def hub():
    return EventHub()


@pytest.fixture
def events(hub):
    events = ListenerEvents(hub)
    events.see({"a": A, "b": A})
    return events


def told(hub, follower):
    return [json.loads(change.text) for change in hub.take(follower, 100).changes]


def test_what_is_as_it_was_is_not_told(hub, events):
    follower = hub.follow("listeners", lambda: None)
    events.see({"a": dict(A), "b": A, ".reload": {"when": "now"}})
    assert told(hub, follower) == []


def test_new_changed_and_gone(hub, events):
    follower = hub.follow("listeners", lambda: None)
    events.see({"a": {**A, "images": 2}, "c": A})
    assert told(hub, follower) == [
        {"service": "a", "listing": {**A, "images": 2}},
        {"service": "b", "listing": None},
        {"service": "c", "listing": A},
    ]


def test_who_follows_one_hears_of_one(hub, events):
    follower = hub.follow("listeners/b", lambda: None)
    events.see({})
    assert told(hub, follower) == [{"service": "b", "listing": None}]


def test_what_happened_before_anybody_followed_is_not_told_later(hub, events):
    events.see({"a": {**A, "images": 9}, "b": A})
    follower = hub.follow("listeners", lambda: None)
    events.see({"a": {**A, "images": 9}, "b": A})
    assert told(hub, follower) == []
