"""Changes of the tree as events: of what is above, at and below the path that is followed."""

import json

import pytest

from pfdcmd.edge.treeevents import TreeEvents
from pfdcmd.events.hub import EventHub
from pfdcmd.events.showing import MAX_CHARACTERS, MAX_ENTRIES, describe, is_light
from pfdcmd.tree.store import MISSING, Tree


@pytest.fixture
def tree():
    return Tree({"PACS": {"a": {"port": "104", "aet": "A"}, "b": {"port": "105"}}})


@pytest.fixture
def hub(tree):
    hub = EventHub()
    TreeEvents(tree, hub)
    return hub


def follow(hub, *topics):
    return [hub.follow(topic, lambda: None) for topic in topics]


def told(hub, follower):
    return [(change.topic, json.loads(change.text)) for change in hub.take(follower, 100).changes]


def test_a_set_is_told_at_its_path_and_above(hub, tree):
    followers = follow(hub, "tree", "tree/PACS", "tree/PACS/a", "tree/PACS/a/port")
    tree.set("/PACS/a/port", "106")
    change = ("tree/PACS/a/port", {"path": "/PACS/a/port", "value": "106"})
    assert [told(hub, each) for each in followers] == [[change]] * 4


def test_who_follows_a_part_of_what_was_replaced_is_told_of_his_part_alone(hub, tree):
    port, aet, other = follow(hub, "tree/PACS/a/port", "tree/PACS/a/aet", "tree/PACS/b")
    tree.merge("/PACS", {"a": {"port": "107"}})
    assert told(hub, port) == [("tree/PACS/a/port", {"path": "/PACS/a/port", "value": "107"})]
    assert told(hub, aet) == []
    assert told(hub, other) == []
    tree.set("/PACS", {"b": {"port": "105"}})
    assert told(hub, port) == [("tree/PACS/a/port", {"path": "/PACS/a/port", "is_missing": True})]


def test_a_replacement_of_values_is_told_from_the_root(hub, tree):
    root, port = follow(hub, "tree", "tree/PACS/a/port")
    tree.replace_value("104", "1104")
    assert [topic for topic, _ in told(hub, root)] == ["tree"]
    assert told(hub, port) == [("tree/PACS/a/port", {"path": "/PACS/a/port", "value": "1104"})]


def test_what_is_large_is_not_told_whole(hub, tree):
    (root,) = follow(hub, "tree")
    tree.set("/PACS/a/port", "x" * (MAX_CHARACTERS + 1))
    assert told(hub, root) == [("tree/PACS/a/port", {"path": "/PACS/a/port", "is_large": True})]
    assert describe("x", "x" * (MAX_CHARACTERS + 1), is_whole=True)["value"]


def test_how_much_is_large():
    assert is_light(Tree({"x": list(range(MAX_ENTRIES // 3))}).snapshot().root)
    assert not is_light(Tree({"x": list(range(MAX_ENTRIES))}).snapshot().root)
    assert not is_light(Tree({"x": {str(n): n for n in range(MAX_ENTRIES)}}).snapshot().root)
    assert not is_light(Tree({"k" * 1000 + str(n): n for n in range(40)}).snapshot().root)
    assert describe("a//b/", MISSING) == {"path": "/a/b", "is_missing": True}


def test_a_path_longer_than_any_topic_is_told_above(hub, tree):
    (root,) = follow(hub, "tree")
    long = "/".join("k" * 1000 for _ in range(3))
    tree.set(long, "v")
    assert [data["path"] for _, data in told(hub, root)] == ["/" + long]
