"""Who is let in, as tables of rules and peers."""

import ipaddress
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener import admission
from listener.admission import AddressRules, Rate, TitleRules, count_connection, is_open_at, parse_intervals


def networks(*texts):
    return [ipaddress.ip_network(text) for text in texts]


@pytest.mark.parametrize(
    ("only_from", "no_access", "address", "is_admitted"),
    [
        ([], [], "192.0.2.1", True),
        (["192.0.2.0/24"], [], "192.0.2.1", True),
        (["192.0.2.0/24"], [], "192.0.3.1", False),
        (["192.0.2.0/24"], ["192.0.2.10/32"], "192.0.2.10", False),
        (["192.0.2.0/24"], ["192.0.2.10/32"], "192.0.2.11", True),
        (["192.0.2.10/32"], ["192.0.2.0/24"], "192.0.2.10", True),
        (["192.0.2.10/32"], ["192.0.2.10/32"], "192.0.2.10", False),
        ([], ["192.0.2.10/32"], "192.0.2.10", False),
        ([], ["192.0.2.10/32"], "192.0.2.11", True),
        (["0.0.0.0/0"], [], "2001:db8::1", False),
        (["2001:db8::/46"], [], "2001:db8::1", True),
        (["2001:db8::/46"], ["2001:db8::1/128"], "2001:db8::1", False),
    ],
)
def test_the_longer_match_decides(only_from, no_access, address, is_admitted):
    rules = AddressRules(networks(*only_from), networks(*no_access), is_restricted=bool(only_from))
    assert rules.admits(ipaddress.ip_address(address)) is is_admitted


def test_only_from_without_a_value_is_for_nobody():
    assert not AddressRules([], [], is_restricted=True).admits(ipaddress.ip_address("127.0.0.1"))


@pytest.mark.parametrize(
    ("texts", "at", "is_open"),
    [
        (["02:00-09:00", "12:00-24:00"], "01:59", False),
        (["02:00-09:00", "12:00-24:00"], "02:00", True),
        (["02:00-09:00", "12:00-24:00"], "09:00", True),
        (["02:00-09:00", "12:00-24:00"], "09:01", False),
        (["02:00-09:00", "12:00-24:00"], "23:59", True),
        (["22:00-06:00"], "23:00", True),
        (["22:00-06:00"], "00:00", True),
        (["22:00-06:00"], "06:00", True),
        (["22:00-06:00"], "06:01", False),
        (["22:00-06:00"], "12:00", False),
    ],
)
def test_intervals_hold_with_both_ends_and_over_midnight(texts, at, is_open):
    moment = datetime.strptime(at, "%H:%M")
    assert is_open_at(parse_intervals(texts), moment.hour * 60 + moment.minute) is is_open


@pytest.mark.parametrize("text", ["", "1-2", "1:00", "1:60-2:00", "1:00-25:00", "a:b-c:d"])
def test_an_interval_that_is_none(text):
    with pytest.raises(ValueError):
        parse_intervals([text])


def test_too_many_in_a_second_close_the_service_for_its_time():
    rate, seen = Rate(), []
    for now in (10.0, 10.1, 10.2, 10.3, 10.4, 13.2, 13.31, 13.4):
        rate, is_admitted = count_connection(rate, now, 3, 3)
        seen.append(is_admitted)
    assert seen == [True, True, True, False, False, False, True, True]


def test_a_second_later_counting_begins_anew():
    rate = Rate()
    for now in (10.0, 10.5, 11.0, 11.5, 12.0):
        rate, is_admitted = count_connection(rate, now, 2, 60)
        assert is_admitted


@given(st.lists(st.floats(0, 100), max_size=60), st.integers(1, 5), st.integers(1, 10))
def test_no_second_counted_from_its_first_connection_admits_more_than_allowed(moments, connections, wait):
    rate, admitted = Rate(), []
    for now in sorted(moments):
        rate, is_admitted = count_connection(rate, now + 1000, connections, wait)
        if is_admitted:
            admitted.append(now)
    assert all(sum(begin <= each < begin + 0.5 for each in admitted) <= 2 * connections for begin in admitted)


def test_titles():
    rules = TitleRules(frozenset({"A", "B"}), frozenset({"PACS"}))
    assert rules.judge("A", "PACS") is None
    assert rules.judge("C", "PACS") is admission.CALLED_AE
    assert rules.judge("C", "X") is admission.CALLED_AE
    assert rules.judge("B", "X") is admission.CALLING_AE
    assert TitleRules().judge("", "") is None


def test_reasons_are_the_standards():
    """PS3.8 Table 9-21: result, source, reason."""
    reasons = {
        admission.CALLED_AE: (1, 1, 7),
        admission.CALLING_AE: (1, 1, 3),
        admission.INSTANCES: (2, 3, 2),
        admission.PER_SOURCE: (2, 3, 2),
        admission.RATE: (2, 3, 2),
        admission.FULL: (2, 3, 2),
        admission.LOAD: (2, 3, 1),
        admission.TIME: (2, 1, 1),
    }
    assert {each: (each.result, each.source, each.reason) for each in reasons} == reasons
    assert not admission.ADDRESS.is_told
