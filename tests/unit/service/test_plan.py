"""(desired, running) -> steps, and what they mean."""

from dataclasses import replace

from pfdcmd.service.config import ServiceConfig
from pfdcmd.service.plan import Difference, Step, StepKind, difference, plan

A = ServiceConfig("a", "0.0.0.0", 104, "/data", "/log", "/tmp", 2)
B = replace(A, name="b", port=105)
DASHED = replace(A, name="a-104", port=106)


def kinds(desired, running, **options):
    return [(step.kind, step.group) for step in plan(desired, running, **options)]


def meaning(desired, running, retained=()):
    return difference(plan(desired, running, retained=retained), failed={}, faults={}, retained=retained)


def test_nothing_runs_and_one_is_wanted():
    assert plan([A], {}) == [Step(StepKind.ADD, "a-104", "a", A)]


def test_unchanged_is_kept_and_the_rest_is_a_diff():
    running = {"a-104": A, "c-106": replace(A, name="c", port=106)}
    assert kinds([A, B], running) == [
        (StepKind.ADD, "b-105"),
        (StepKind.KEEP, "a-104"),
        (StepKind.RETIRE, "c-106"),
    ]
    assert meaning([A, B], running) == Difference(added=("b",), removed=("c",), unchanged=("a",))


def test_whatever_is_changed_gets_a_group_beside_the_old_one():
    for changed in (replace(A, data_dir="/x"), replace(A, workers=3), replace(A, options={"instances": 1})):
        assert kinds([changed], {"a-104": A}) == [(StepKind.SUCCEED, "a-104.1"), (StepKind.RETIRE, "a-104")]
        assert meaning([changed], {"a-104": A}) == Difference(changed=("a",))


def test_the_next_change_takes_a_name_that_is_free():
    changed = replace(A, data_dir="/x")
    assert kinds([changed], {"a-104.1": A}) == [(StepKind.SUCCEED, "a-104"), (StepKind.RETIRE, "a-104.1")]
    assert kinds([changed], {"a-104.1": A}, leaving=["a-104"])[0] == (StepKind.SUCCEED, "a-104.2")


def test_a_renewed_service_gets_a_group_beside_the_old_one_though_nothing_has_changed():
    running = {"a-104": A, "b-105": B}
    assert kinds([A, B], running, renewed=["a"]) == [
        (StepKind.SUCCEED, "a-104.1"),
        (StepKind.KEEP, "b-105"),
        (StepKind.RETIRE, "a-104"),
    ]


def test_where_a_service_is_declared_does_not_change_it():
    assert kinds([replace(A, declared_in="/elsewhere")], {"a-104": A}) == [(StepKind.KEEP, "a-104")]


def test_what_runs_with_an_unknown_configuration_is_replaced():
    assert kinds([A], {"a-104": None}) == [(StepKind.RELEASE, "a-104"), (StepKind.SUCCEED, "a-104.1")]


def test_a_move_brings_up_the_new_port_before_the_old_one_ends():
    moved = replace(A, port=11104)
    assert kinds([moved], {"a-104": A}) == [(StepKind.SUCCEED, "a-11104"), (StepKind.RETIRE, "a-104")]
    assert meaning([moved], {"a-104": A}) == Difference(changed=("a",))


def test_a_port_is_released_first_where_its_socket_cannot_be_shared():
    narrowed = replace(A, bind="127.0.0.1")
    assert kinds([narrowed], {"a-104": A}) == [(StepKind.RELEASE, "a-104"), (StepKind.SUCCEED, "a-104.1")]
    other = replace(B, port=104, bind="127.0.0.1")
    assert kinds([other], {"a-104": A}) == [(StepKind.RELEASE, "a-104"), (StepKind.ADD, "b-104")]


def test_a_port_that_another_service_leaves_is_shared_until_it_has():
    assert kinds([replace(A, port=105)], {"a-104": A, "b-105": B}) == [
        (StepKind.SUCCEED, "a-105"),
        (StepKind.RETIRE, "a-104"),
        (StepKind.RETIRE, "b-105"),
    ]


def test_disabled_means_ended():
    assert kinds([replace(A, is_disabled=True)], {"a-104": A}) == [(StepKind.RETIRE, "a-104")]
    assert plan([replace(A, is_disabled=True)], {}) == []


def test_what_is_retained_is_left_as_it_is():
    assert plan([B], {"a-104": A, "b-105": B}, retained=["a"]) == [Step(StepKind.KEEP, "b-105", "b", B)]
    assert meaning([B], {"a-104": A, "b-105": B}, retained=["a"]).unchanged == ("a", "b")


def test_names_with_dashes_are_kept_apart():
    assert kinds([DASHED], {"a-104-106": DASHED, "a-104": A}) == [
        (StepKind.KEEP, "a-104-106"),
        (StepKind.RETIRE, "a-104"),
    ]


def test_what_failed_is_neither_added_nor_changed():
    steps = plan([A, B], {"b-105": replace(B, workers=1)})
    said = difference(steps, failed={"a": "taken", "b": "taken"}, faults={"f": "f:1: no."}, retained=())
    assert (said.added, said.changed, said.removed) == ((), (), ())
    assert (set(said.failed), dict(said.faults)) == ({"a", "b"}, {"f": "f:1: no."})
