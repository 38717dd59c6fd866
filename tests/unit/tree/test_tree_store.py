import json
import threading
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfdcmd.errors import TreeFault, TreeTooLarge
from pfdcmd.tree.node import MAX_DEPTH, MAX_KEY_LENGTH, weigh
from pfdcmd.tree.path import format_path
from pfdcmd.tree.store import MISSING, Tree


def thawed(node):
    """The node as plain dictionaries and lists."""
    return json.loads(json.dumps(node, default=dict))


def content(tree):
    return thawed(tree.snapshot().root)


def test_get_tells_null_from_nothing():
    tree = Tree({"a": {"b": None}})
    assert tree.get("/a/b") is None
    assert tree.get("/a/c") is MISSING
    assert tree.get("/a/b/c") is MISSING


def test_set_makes_the_directories_on_its_way():
    tree = Tree({"a": {"x": 1}})
    tree.set("/a/b/c", "leaf")
    assert content(tree) == {"a": {"x": 1, "b": {"c": "leaf"}}}


def test_set_of_a_value_does_not_lose_a_directory():
    tree = Tree({"PACS": {"orthanc": {"aec": "A"}}})
    with pytest.raises(TreeFault, match="directory"):
        tree.set("/PACS", "x")
    with pytest.raises(TreeFault, match="directory"):
        tree.merge("/", {"PACS": "x"})
    assert content(tree) == {"PACS": {"orthanc": {"aec": "A"}}}


def test_nothing_goes_below_a_value():
    tree = Tree({"a": {"b": 1}})
    with pytest.raises(TreeFault, match="at /a/b"):
        tree.set("/a/b/c", 2)


def test_a_value_cannot_be_the_root():
    with pytest.raises(TreeFault):
        Tree().set("/", 1)


def test_merge_keeps_siblings_at_every_level():
    tree = Tree({"PACS": {"a": {"x": "1", "y": "2"}, "b": {}}})
    tree.merge("/PACS", {"a": {"y": "3"}, "c": {"z": [1]}})
    assert content(tree) == {"PACS": {"a": {"x": "1", "y": "3"}, "b": {}, "c": {"z": [1]}}}


def test_merge_takes_the_place_of_a_value():
    tree = Tree({"jobstatus": {"state": None}})
    tree.merge("/jobstatus/state", {"running": 1})
    assert content(tree) == {"jobstatus": {"state": {"running": 1}}}


def test_what_is_given_and_got_cannot_change_the_tree():
    given_dictionary = {"list": [1, {"two": 2}]}
    tree = Tree({"a": given_dictionary})
    given_dictionary["list"].append("more")
    got = tree.get("/a")
    with pytest.raises(TypeError):
        got["list"] = 1
    with pytest.raises(TypeError):
        got["list"][1]["two"] = 3
    assert isinstance(got["list"], tuple)
    assert content(tree) == {"a": {"list": [1, {"two": 2}]}}


def test_replace_value_finds_leaves_by_value_and_type():
    tree = Tree({"a": {"x": 1, "y": True, "z": 1.0}, "b": {"x": "1", "l": [1], "n": None}})
    assert tree.replace_value(1, "one") == ["/a/x"]
    assert tree.replace_value([1], [2]) == ["/b/l"]
    assert tree.replace_value("1", None) == ["/b/x"]
    assert tree.replace_value(None, "nothing") == ["/b/x", "/b/n"]
    assert content(tree) == {"a": {"x": "one", "y": True, "z": 1.0}, "b": {"x": "nothing", "l": [2], "n": "nothing"}}


def test_a_replacement_without_hits_is_no_change():
    tree = Tree({"a": 1})
    version = tree.version
    assert tree.replace_value("zzz", 1) == []
    assert tree.version == version


def test_a_dictionary_is_neither_replaced_nor_a_replacement():
    tree = Tree({"a": {}})
    with pytest.raises(TreeFault):
        tree.replace_value({}, 1)
    with pytest.raises(TreeFault):
        tree.replace_value(1, {})


@pytest.mark.parametrize("key", ["", "a/b", "k" * (MAX_KEY_LENGTH + 1), 1, None])
def test_keys_that_no_path_could_lead_to_are_refused(key):
    tree = Tree()
    with pytest.raises(TreeFault):
        tree.merge("/a", {"b": {key: 1}})
    assert content(tree) == {}


def test_keys_inside_a_list_are_part_of_a_value():
    tree = Tree()
    tree.set("/a", [{"b/c": {"": 1}}])
    assert content(tree) == {"a": [{"b/c": {"": 1}}]}


def nested(depth, wrap):
    value = 1
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize("wrap", [lambda value: {"k": value}, lambda value: [value], lambda value: [{"k": value}]])
def test_depth_is_bounded(wrap):
    with pytest.raises(TreeFault, match="deep"):
        Tree().set("/a", nested(MAX_DEPTH + 1, wrap))
    with pytest.raises(TreeFault, match="deep"):
        Tree().set("/a" * (MAX_DEPTH + 1), 1)
    Tree().set("/a", nested(MAX_DEPTH // 2 - 1, wrap))


def test_what_is_not_json_is_refused():
    with pytest.raises(TreeFault, match="bytes"):
        Tree().set("/a", b"")


def test_entries_are_bounded_and_a_refused_set_changes_nothing():
    tree = Tree({"a": {"x": 1, "y": 2}}, max_leaves=4)
    tree.set("/a/z", 3)
    for attempt in (lambda: tree.set("/a/w", 4), lambda: tree.set("/b", {}), lambda: tree.set("/a/x", [1])):
        with pytest.raises(TreeTooLarge):
            attempt()
    tree.set("/a/x", "changed")
    assert content(tree) == {"a": {"x": "changed", "y": 2, "z": 3}}


def test_characters_are_bounded():
    tree = Tree(max_characters=10)
    tree.set("/abc", "1234567")
    with pytest.raises(TreeTooLarge):
        tree.set("/abc", "12345678")
    with pytest.raises(TreeTooLarge):
        tree.set("/d", 1)
    tree.set("/abc", "")
    tree.set("/d", 1)


def test_observers_learn_of_every_change():
    tree, seen = Tree({"a": 1}), []
    tree.observe(lambda version, path: seen.append((version, path)))
    tree.set("/b/", 1)
    tree.merge("c/d", {"e": 1})
    tree.replace_value(1, 2)
    with pytest.raises(TreeFault):
        tree.set("/", 1)
    assert seen == [(2, "/b"), (3, "/c/d"), (4, "/")]
    assert tree.version == 4


KEYS = st.sampled_from(["a", "b", "c", "ü", ".."])
LEAVES = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x", "yy"])
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3))
CHANGES = st.lists(
    st.tuples(st.sampled_from(["set", "merge", "replace"]), st.lists(KEYS, max_size=3), VALUES), max_size=12
)


class Refused(Exception):
    """The model does not take this change."""


def model_set(root, keys, value):
    node = root
    for key in keys[:-1]:
        node = node.setdefault(key, {})
        if not isinstance(node, dict):
            raise Refused
    if not keys:
        if not isinstance(value, dict):
            raise Refused
        root.clear()
        root.update(value)
    elif isinstance(node.get(keys[-1]), dict) and not isinstance(value, dict):
        raise Refused
    else:
        node[keys[-1]] = value


def model_merge(node, entries):
    for key, value in entries.items():
        if isinstance(value, dict) and isinstance(node.get(key), dict):
            model_merge(node[key], value)
        elif isinstance(node.get(key), dict):
            raise Refused
        else:
            node[key] = value


def model_replace(node, old, new):
    for key, value in node.items():
        if isinstance(value, dict):
            model_replace(value, old, new)
        elif type(value) is type(old) and value == old:
            node[key] = new


def apply_to_model(root, kind, keys, value):
    """The model after the change, or as it was when the change is refused."""
    copy = json.loads(json.dumps(root))
    try:
        if kind == "set":
            model_set(copy, keys, value)
        elif kind == "merge":
            entries = value if isinstance(value, dict) else {"m": value}
            for key in reversed(keys):
                entries = {key: entries}
            blocked = copy
            for key in keys[:-1]:
                blocked = blocked.get(key, {})
                if not isinstance(blocked, dict):
                    raise Refused
            model_merge(copy, entries)
        else:
            if isinstance(value, dict):
                raise Refused
            model_replace(copy, value, "replaced")
    except Refused:
        return root
    return copy


@settings(max_examples=300, deadline=None)
@given(CHANGES)
def test_any_sequence_of_changes_agrees_with_plain_dictionaries(changes):
    tree, model = Tree(), {}
    for kind, keys, value in changes:
        before = tree.snapshot()
        was = thawed(before.root)
        try:
            if kind == "set":
                tree.set(format_path(keys), value)
            elif kind == "merge":
                tree.merge(format_path(keys), value if isinstance(value, dict) else {"m": value})
            else:
                tree.replace_value(value, "replaced")
        except TreeFault:
            pass
        model = apply_to_model(model, kind, keys, value)
        assert content(tree) == model
        assert list(content(tree)) == list(model)
        assert thawed(before.root) == was
        weight = weigh(tree.snapshot().root)
        assert tree.snapshot().weight.entries == weight.entries - 1
        assert tree.snapshot().weight.characters == weight.characters


def test_a_merged_dictionary_is_always_seen_whole():
    tree = Tree({"PACS": {"p": {f"k{i}": 0 for i in range(20)}}})
    torn, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            entry = tree.get("/PACS/p")
            if not isinstance(entry, Mapping) or len(set(entry.values())) != 1:
                torn.append(entry)

    def write(start):
        for number in range(start, start + 300):
            tree.merge("/PACS", {"p": {f"k{i}": number for i in range(20)}})
            tree.set(f"/jobs/{number}", number)

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(start,)) for start in (1000, 2000, 3000)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    assert torn == []
    assert len(tree.get("/jobs")) == 900
    assert tree.version == 1 + 2 * 900
