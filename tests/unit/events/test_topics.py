"""Topics as callers write them."""

import pytest

from pfdcmd.errors import ParameterFault
from pfdcmd.events.topic import MAX_TOPIC_CHARACTERS, below_root, is_below, parse_topic, topic_of_path, with_all_above


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("jobs", "jobs"),
        ("/jobs//a/", "jobs/a"),
        ("tree", "tree"),
        ("tree/PACS/orthanc", "tree/PACS/orthanc"),
        ("listeners/heart", "listeners/heart"),
    ],
)
def test_slashes_do_not_matter(text, topic):
    assert parse_topic(text) == topic


@pytest.mark.parametrize(
    "text", ["", "/", "job", "jobs/a/b", "listeners/a/state", "tree" + "/x" * MAX_TOPIC_CHARACTERS]
)
def test_what_there_are_no_events_of_is_refused(text):
    with pytest.raises(ParameterFault):
        parse_topic(text)


@pytest.mark.parametrize(
    ("path", "topic"),
    [
        ("/", "tree"),
        ("", "tree"),
        ("/PACS/orthanc/", "tree/PACS/orthanc"),
        ("/listeners", "listeners"),
        ("/listeners/heart/state", "listeners/heart"),
        ("/jobs", "tree/jobs"),
    ],
)
def test_a_path_of_the_tree_is_a_topic(path, topic):
    assert topic_of_path(path) == topic


def test_above_and_below():
    assert list(with_all_above("tree/PACS/x")) == ["tree/PACS/x", "tree/PACS", "tree"]
    assert is_below("tree/PACS", "tree")
    assert not is_below("tree", "tree")
    assert not is_below("trees", "tree")
    assert (below_root("tree/PACS/x"), below_root("tree")) == ("PACS/x", "")
