import json

import pytest

from pfdcmd.errors import TreeFault
from pfdcmd.tree.snapshot import format_snapshot, parse_snapshot
from pfdcmd.tree.store import Tree


def test_a_tree_comes_back_without_what_describes_the_run():
    content = {
        "this": {"name": "pfdcm"},
        "PACS": {"p": {"aec": "ü"}},
        "jobstatus": {"list": [1, {"two": None}], "e": {}},
    }
    text = format_snapshot(Tree(content).snapshot().root)
    assert json.loads(text) == content
    assert parse_snapshot(text) == {key: content[key] for key in ("PACS", "jobstatus")}


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"a": NaN}', "[" * 100_000])
def test_what_is_not_a_saved_tree_is_refused(text):
    with pytest.raises(TreeFault, match="saved data tree"):
        parse_snapshot(text)
