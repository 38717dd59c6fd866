import json

import pytest

from pfdcmd.errors import PathNotFound, TreeFault
from pfdcmd.tree.node import weigh
from pfdcmd.tree.store import MISSING, Tree


def test_delete_takes_what_is_at_the_path_and_leaves_its_siblings():
    tree = Tree({"PACS": {"a": {"x": "1"}, "b": {"y": [1, 2]}}})
    tree.delete("/PACS/a")
    assert json.loads(json.dumps(tree.snapshot().root, default=dict)) == {"PACS": {"b": {"y": [1, 2]}}}
    assert tree.snapshot().weight == weigh(tree.snapshot().root) - weigh({})


@pytest.mark.parametrize("path", ["/none", "/PACS/none", "/PACS/a/x/below"])
def test_what_is_not_there_cannot_be_deleted(path):
    tree = Tree({"PACS": {"a": {"x": "1"}}})
    version = tree.version
    with pytest.raises(TreeFault):
        tree.delete(path)
    assert tree.version == version


def test_a_path_to_nothing_is_told_from_one_that_cannot_be():
    tree = Tree({"PACS": {}})
    with pytest.raises(PathNotFound):
        tree.delete("/PACS/none")
    with pytest.raises(TreeFault, match="root"):
        tree.delete("/")
    assert tree.get("/PACS") is not MISSING


def test_observers_are_told_of_a_deletion():
    tree = Tree({"PACS": {"a": {"x": "1"}}})
    seen = []
    tree.observe(lambda version, path: seen.append((version, path)))
    tree.delete("/PACS/a/x")
    assert seen == [(tree.version, "/PACS/a")]
