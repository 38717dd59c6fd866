"""The hub: whoever knows of a change publishes it, whoever follows its topic takes it when there is time.

A follower is a place in a stream and nothing more. What it has not taken yet lies in the stream, which all followers of
a topic share and which forgets its oldest changes; so one that takes nothing costs no memory, and learns what it has
missed. A stream outlives its followers, for those that come back; the one longest without any goes first.

Any thread may publish. Nothing here waits.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pfdcmd.errors import MessageFault
from pfdcmd.events.stream import Change, Place, Stream
from pfdcmd.events.topic import is_below, with_all_above

MAX_STREAMS = 256
MAX_CHANGE_CHARACTERS = 128 * 1024
_MAX_CHARACTERS = 64 * 1024 * 1024
_MAX_STREAM_CHARACTERS = 4 * 1024 * 1024
TOO_LARGE = '{"is_large": true}'
"""The data of a change whose own would be longer than MAX_CHANGE_CHARACTERS: it must be asked for."""


@dataclass(frozen=True)
class Taken:
    """What a follower has been given; missed counts the changes that were forgotten before it took them."""

    changes: list[Change]
    missed: int = 0


@dataclass(eq=False)
class Follower:
    """One subscriber's place. wake is called, from any thread, when there is something to take; it must not wait."""

    stream: Stream
    number: int
    wake: Callable[[], None]
    is_resumed: bool = False
    is_awake: bool = field(default=True)

    @property
    def place(self) -> Place:
        """Up to where it has been told, for a subscription that goes on from there."""
        return Place(self.stream.epoch, self.number)


@dataclass(frozen=True)
class HubCounts:
    """For metrics: followers and streams now, the changes published and missed since the start, the longest lag now."""

    followers: int = 0
    streams: int = 0
    published: int = 0
    missed: int = 0
    lag: int = 0


class EventHub:
    """Every stream, and who follows it; implements actions.context.EventsPort."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[str, Stream] = {}
        self._followers: dict[str, list[Follower]] = {}
        self._published = 0
        self._missed = 0

    def publish(self, topic: str, data: Mapping[str, Any]) -> None:
        """Give a change of the topic to the streams of it and of all above it."""
        with self._lock:
            self._published += 1
            streams = [each for above in with_all_above(topic) if (each := self._streams.get(above)) is not None]
            if streams:
                text = _text(data)
                for stream in streams:
                    self._append(stream, topic, text)

    def publish_below(self, topic: str, data_of: Callable[[str], Mapping[str, Any] | None]) -> None:
        """Give each stream of a topic below this one what data_of says has changed there; None: nothing."""
        with self._lock:
            for stream in [each for each in self._streams.values() if is_below(each.topic, topic)]:
                data = data_of(stream.topic)
                if data is not None:
                    self._append(stream, stream.topic, _text(data))

    def is_followed(self, root: str) -> bool:
        """Whether there is a stream of this root or of anything below it: nobody else needs to be told."""
        return any(topic == root or is_below(topic, root) for topic in tuple(self._streams))

    def follow(self, topic: str, wake: Callable[[], None], since: Place | None = None) -> Follower:
        """Follow a topic from the place on, or from now on when that can no longer be told without a gap.

        The follower takes nothing, and is not woken, before its first `take`.

        Raises: MessageFault: too many topics are followed.
        """
        with self._lock:
            stream = self._streams.pop(topic, None) or self._new_stream(topic)
            self._streams[topic] = stream
            can_resume = since is not None and since.epoch == stream.epoch and stream.reaches_back_to(since.number)
            number = since.number if since is not None and can_resume else stream.number
            follower = Follower(stream, number, wake, can_resume)
            self._followers.setdefault(topic, []).append(follower)
            return follower

    def leave(self, follower: Follower) -> None:
        """Forget the follower; the stream goes on for a while."""
        topic = follower.stream.topic
        with self._lock:
            others = [each for each in self._followers.get(topic, ()) if each is not follower]
            if others:
                self._followers[topic] = others
            elif self._followers.pop(topic, None):
                # the one longest without followers is the first to go: see _new_stream
                self._streams[topic] = self._streams.pop(topic)

    def take(self, follower: Follower, limit: int) -> Taken:
        """The next changes, at most so many; the follower is woken again once it has been given none.

        After a gap there are none either: the follower is at the stream's latest change then.
        """
        with self._lock:
            stream = follower.stream
            if not stream.reaches_back_to(follower.number):
                missed = stream.number - follower.number
                follower.number = stream.number
                self._missed += missed
                return Taken([], missed)
            changes = stream.after(follower.number, limit)
            if changes:
                follower.number = changes[-1].number
            else:
                follower.is_awake = False
            return Taken(changes)

    def counts(self) -> HubCounts:
        """The numbers that the metrics show."""
        with self._lock:
            followers = [each for several in self._followers.values() for each in several]
            lag = max((each.stream.number - each.number for each in followers), default=0)
            return HubCounts(len(followers), len(self._streams), self._published, self._missed, lag)

    def _new_stream(self, topic: str) -> Stream:
        if len(self._streams) >= MAX_STREAMS:
            idle = next((each for each in self._streams if each not in self._followers), None)
            if idle is None:
                raise MessageFault(f"More than {MAX_STREAMS} topics are followed already; follow one above them.")
            del self._streams[idle]
        return Stream(topic, secrets.token_hex(8))

    def _append(self, stream: Stream, topic: str, text: str) -> None:
        stream.append(topic, text, min(_MAX_STREAM_CHARACTERS, _MAX_CHARACTERS // len(self._streams)))
        for follower in self._followers.get(stream.topic, ()):
            if not follower.is_awake:
                follower.is_awake = True
                follower.wake()


def _text(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, default=dict)
    return text if len(text) <= MAX_CHANGE_CHARACTERS else TOO_LARGE
