"""Topics: what an event is about, as a path below one of three roots.

tree/<path>            a change of the data tree
jobs/<job>             a change of a retrieve
listeners/<service>    a change of what is live of a listener service

Whoever follows a topic hears of it and of all that is below it: `jobs` is every retrieve, `tree` the whole tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from pfdcmd.errors import ParameterFault

TREE = "tree"
JOBS = "jobs"
LISTENERS = "listeners"
ROOTS = (TREE, JOBS, LISTENERS)
MAX_TOPIC_CHARACTERS = 1024
_SEPARATOR = "/"
_MAX_PARTS = {JOBS: 2, LISTENERS: 2}


def parse_topic(text: str) -> str:
    """A topic without doubled or trailing slashes.

    Raises: ParameterFault: it is too long, or names nothing that there are events of.
    """
    if len(text) > MAX_TOPIC_CHARACTERS:
        raise ParameterFault(f"topic is at most {MAX_TOPIC_CHARACTERS} characters long.")
    parts = [part for part in text.split(_SEPARATOR) if part]
    if not parts or parts[0] not in ROOTS:
        raise ParameterFault("topic must be tree/PATH, jobs, jobs/JOB, listeners or listeners/SERVICE.")
    if len(parts) > _MAX_PARTS.get(parts[0], len(parts)):
        raise ParameterFault(f"topic is one name below {parts[0]} at most: {_SEPARATOR.join(parts[:2])[:200]}.")
    return _SEPARATOR.join(parts)


def topic_of_path(path: str) -> str:
    """The topic of a path as `tree.get` takes it; what is below one service is that service's.

    Raises: ParameterFault: it is too long.
    """
    parts = [part for part in path.split(_SEPARATOR) if part]
    if parts and parts[0] == LISTENERS:
        return parse_topic(_SEPARATOR.join(parts[:2]))
    return parse_topic(_SEPARATOR.join([TREE, *parts]))


def below_root(topic: str) -> str:
    """What follows the root: a job, a service, a path without its first slash; empty for the root itself."""
    return topic.partition(_SEPARATOR)[2]


def with_all_above(topic: str) -> Iterator[str]:
    """The topic and every one that it is below, the longest first."""
    while topic:
        yield topic
        topic = topic.rpartition(_SEPARATOR)[0]


def is_below(topic: str, upper: str) -> bool:
    """Whether the topic is part of the upper one, and not the same."""
    return topic.startswith(upper + _SEPARATOR)
