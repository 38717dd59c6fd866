import json

import pytest
from rpcfakes import make_method, make_rpc, perform
from rpcspecification import EXAMPLES

CASES = [
    pytest.param(sent, expected, id=f"{name} {number}")
    for name, pairs in EXAMPLES.items()
    for number, (sent, expected) in enumerate(pairs, 1)
]


def make_example_rpc(told):
    return make_rpc(
        make_method("subtract", lambda minuend, subtrahend: minuend - subtrahend, "minuend", "subtrahend"),
        make_method("sum", lambda *terms: sum(terms), "a", "b", "c"),
        make_method("update", lambda *values: told.append(values), "a", "b", "c", "d", "e"),
        make_method("notify_hello", told.append, "number"),
        make_method("notify_sum", lambda *terms: told.append(sum(terms)), "a", "b", "c"),
        make_method("get_data", lambda: ["hello", 5]),
    )


@pytest.mark.parametrize(("sent", "expected"), CASES)
def test_section_7(sent, expected):
    assert perform(make_example_rpc([]), sent) == (None if expected is None else json.loads(expected))


def test_notifications_are_done_though_nobody_is_told():
    told = []
    rpc = make_example_rpc(told)
    for sent, _ in EXAMPLES["a Notification"] + EXAMPLES["rpc call Batch (all notifications)"]:
        perform(rpc, sent)
    assert told == [(1, 2, 3, 4, 5), 7, 7]
