"""Numbered changes, followers that come late, come back or take nothing, and how much of it is kept."""

import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfdcmd.errors import MessageFault
from pfdcmd.events.hub import MAX_CHANGE_CHARACTERS, MAX_STREAMS, TOO_LARGE, EventHub
from pfdcmd.events.stream import MAX_KEPT, Place


class Wakes:
    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1


@pytest.fixture
def hub():
    return EventHub()


def numbers(taken):
    return [change.number for change in taken.changes]


def test_changes_are_numbered_from_one_and_told_to_the_topic_and_all_above(hub):
    one, every, other = (hub.follow(topic, Wakes()) for topic in ("jobs/a", "jobs", "jobs/b"))
    hub.publish("jobs/a", {"state": "running"})
    hub.publish("jobs/a", {"state": "complete"})
    taken = hub.take(one, 10)
    assert [(c.number, c.topic, json.loads(c.text)) for c in taken.changes] == [
        (1, "jobs/a", {"state": "running"}),
        (2, "jobs/a", {"state": "complete"}),
    ]
    assert numbers(hub.take(every, 10)) == [1, 2]
    assert numbers(hub.take(other, 10)) == []


def test_a_topic_whose_name_begins_alike_is_another(hub):
    follower = hub.follow("jobs/a", Wakes())
    hub.publish("jobs/ab", {})
    assert numbers(hub.take(follower, 10)) == []


def test_a_follower_hears_of_nothing_from_before(hub):
    hub.follow("jobs", Wakes())
    hub.publish("jobs/a", {})
    late = hub.follow("jobs", Wakes())
    hub.publish("jobs/a", {})
    assert numbers(hub.take(late, 10)) == [2]


def test_it_is_woken_once_until_it_has_taken_all(hub):
    wakes = Wakes()
    follower = hub.follow("jobs", wakes)
    for _ in range(3):
        hub.publish("jobs/a", {})
    assert wakes.count == 0
    assert numbers(hub.take(follower, 2)) == [1, 2]
    assert numbers(hub.take(follower, 2)) == [3]
    assert numbers(hub.take(follower, 2)) == []
    for _ in range(3):
        hub.publish("jobs/a", {})
    assert wakes.count == 1


def test_who_comes_back_goes_on_without_a_gap(hub):
    first = hub.follow("jobs", Wakes())
    hub.publish("jobs/a", {})
    hub.take(first, 10)
    place = first.place
    hub.leave(first)
    hub.publish("jobs/a", {})
    hub.publish("jobs/a", {})
    again = hub.follow("jobs", Wakes(), place)
    assert again.is_resumed
    assert numbers(hub.take(again, 10)) == [2, 3]


@pytest.mark.parametrize("number", [-1, 5])
def test_a_place_that_has_never_been_is_not_resumed(hub, number):
    first = hub.follow("jobs", Wakes())
    again = hub.follow("jobs", Wakes(), Place(first.stream.epoch, number))
    assert (again.is_resumed, again.number) == (False, 0)


def test_a_place_of_another_life_of_pfdcm_is_not_resumed(hub):
    place = EventHub().follow("jobs", Wakes()).place
    assert not hub.follow("jobs", Wakes(), place).is_resumed


def test_who_takes_nothing_learns_how_much_it_has_missed_and_goes_on_from_there(hub):
    follower = hub.follow("jobs", Wakes())
    for _ in range(100_000):
        hub.publish("jobs/a", {"received": 1})
    taken = hub.take(follower, 10)
    assert (taken.changes, taken.missed, follower.number) == ([], 100_000, 100_000)
    hub.publish("jobs/a", {})
    assert numbers(hub.take(follower, 10)) == [100_001]
    assert hub.counts().missed == 100_000
    assert len(follower.stream.after(100_001 - MAX_KEPT, MAX_KEPT * 2)) == MAX_KEPT


def test_what_is_kept_is_bounded_in_characters_over_all_streams(hub):
    followers = [hub.follow(f"jobs/{number}", Wakes()) for number in range(MAX_STREAMS)]
    text = "x" * (MAX_CHANGE_CHARACTERS - 100)
    for number in range(MAX_STREAMS):
        for _ in range(4):
            hub.publish(f"jobs/{number}", {"text": text})
    assert sum(follower.stream.characters for follower in followers) <= 64 * 1024 * 1024


def test_data_that_is_too_large_is_to_be_asked_for(hub):
    follower = hub.follow("jobs", Wakes())
    hub.publish("jobs/a", {"text": "x" * MAX_CHANGE_CHARACTERS})
    assert hub.take(follower, 1).changes[0].text == TOO_LARGE


def test_the_stream_longest_without_a_follower_gives_way(hub):
    kept = [hub.follow(f"jobs/{number}", Wakes()) for number in range(MAX_STREAMS)]
    with pytest.raises(MessageFault):
        hub.follow("jobs/more", Wakes())
    hub.leave(kept[7])
    hub.leave(kept[3])
    hub.follow("jobs/more", Wakes())
    assert hub.follow("jobs/3", Wakes(), kept[3].place).is_resumed
    hub.leave(kept[0])
    assert not hub.follow("jobs/7", Wakes(), kept[7].place).is_resumed


def test_a_stream_that_goes_on_being_followed_by_another_stays(hub):
    one, two = hub.follow("jobs", Wakes()), hub.follow("jobs", Wakes())
    hub.leave(one)
    hub.publish("jobs/a", {})
    assert numbers(hub.take(two, 10)) == [1]
    hub.leave(two)
    hub.leave(two)
    assert hub.counts().followers == 0


def test_any_thread_may_publish_and_no_number_is_lost(hub):
    follower = hub.follow("jobs", Wakes())
    threads = [
        threading.Thread(target=lambda: [hub.publish("jobs/a", {}) for _ in range(500)], name=str(number))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(hub.take(follower, 5000)) == list(range(1, 2001))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["publish", "take", "back"]), max_size=80))
def test_whatever_the_order_every_number_is_taken_once(steps):
    hub, seen, published = EventHub(), [], 0
    follower = hub.follow("jobs", Wakes())
    for step in steps:
        if step == "publish":
            hub.publish("jobs/a", {"n": published})
            published += 1
        elif step == "take":
            seen += numbers(hub.take(follower, 3))
        else:
            hub.leave(follower)
            follower = hub.follow("jobs", Wakes(), follower.place)
            assert follower.is_resumed
    seen += numbers(hub.take(follower, 1000))
    assert seen == list(range(1, published + 1))
