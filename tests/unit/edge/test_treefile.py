import asyncio
import json
import stat
import threading

import pytest

from pfdcmd.edge import treefile
from pfdcmd.edge.treefile import TreeFile, load_tree_file
from pfdcmd.errors import StorageFault, TreeFault
from pfdcmd.tree.store import Tree


def test_what_is_saved_is_loaded(tmp_path):
    file, tree = tmp_path / "tree.json", Tree({"this": {"a": 1}, "PACS": {"p": {"aec": "ü"}}})

    async def scenario():
        saver = TreeFile(file, tree)
        await saver.settle()
        assert load_tree_file(file) == {"PACS": {"p": {"aec": "ü"}}}
        tree.set("/PACS/p/aec", "B")
        await saver.settle()

    asyncio.run(scenario())
    assert load_tree_file(file) == {"PACS": {"p": {"aec": "B"}}}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["tree.json"]


def test_a_missing_file_is_a_first_start(tmp_path):
    assert load_tree_file(tmp_path / "none.json") is None


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]"])
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / "tree.json").write_bytes(content)
    with pytest.raises(TreeFault, match=r"tree\.json cannot be loaded"):
        load_tree_file(tmp_path / "tree.json")


def test_changes_made_while_saving_share_the_next_save(tmp_path, monkeypatch):
    first, go_on, texts = threading.Event(), threading.Event(), []

    def slow(path, text, *, mode):
        texts.append(json.loads(text))
        first.set()
        assert go_on.wait(10)

    monkeypatch.setattr(treefile, "replace_text", slow)

    async def scenario():
        tree = Tree({"n": 0})
        saver = TreeFile(tmp_path / "tree.json", tree)
        waiting = [asyncio.create_task(saver.settle())]
        await asyncio.to_thread(first.wait, 10)
        for number in range(1, 50):
            tree.set("/n", number)
            waiting.append(asyncio.create_task(saver.settle()))
        await asyncio.sleep(0)
        waiting[-1].cancel()
        go_on.set()
        await asyncio.gather(*waiting[:-1])
        await saver.settle()

    asyncio.run(scenario())
    assert texts == [{"n": 0}, {"n": 49}]


def test_a_save_that_fails_is_told_and_tried_again(tmp_path):
    async def scenario():
        (tmp_path / "file").write_text("")
        tree = Tree({"n": 0})
        saver = TreeFile(tmp_path / "file" / "tree.json", tree)
        with pytest.raises(StorageFault, match="could not be saved"):
            await saver.settle()
        assert saver.has_failed
        (tmp_path / "file").unlink()
        await saver.settle()
        assert not saver.has_failed

    asyncio.run(scenario())
    assert load_tree_file(tmp_path / "file" / "tree.json") == {"n": 0}
