"""(desired, running) -> steps."""

from dataclasses import replace

from pfdcmd.service.config import ServiceConfig
from pfdcmd.service.plan import Step, StepKind, plan

A = ServiceConfig("a", "0.0.0.0", 104, "/data", "/log", "/tmp", 2)
B = replace(A, name="b", port=105)


def kinds(desired, running):
    return [(step.kind, step.group) for step in plan(desired, running)]


def test_nothing_runs_and_one_is_wanted():
    assert plan([A], {}) == [Step(StepKind.ADD, "a-104", A)]


def test_unchanged_is_kept_and_the_rest_is_a_diff():
    assert kinds([A, B], {"a-104": A, "c-106": None}) == [
        (StepKind.KEEP, "a-104"),
        (StepKind.ADD, "b-105"),
        (StepKind.REMOVE, "c-106"),
    ]


def test_other_directories_keep_the_socket():
    assert kinds([replace(A, data_dir="/other", tmp_dir="/t", log_dir="/l")], {"a-104": A}) == [
        (StepKind.ROLL, "a-104")
    ]


def test_another_address_or_count_needs_another_group():
    assert kinds([replace(A, bind="127.0.0.1")], {"a-104": A}) == [(StepKind.REPLACE, "a-104")]
    assert kinds([replace(A, workers=3)], {"a-104": A}) == [(StepKind.REPLACE, "a-104")]
    assert kinds([replace(A, drain_seconds=9)], {"a-104": A}) == [(StepKind.REPLACE, "a-104")]


def test_what_runs_with_an_unknown_configuration_is_replaced():
    assert kinds([A], {"a-104": None}) == [(StepKind.REPLACE, "a-104")]


def test_a_move_brings_up_the_new_port_before_the_old_one_ends():
    moved = replace(A, port=11104)
    assert kinds([moved], {"a-104": A}) == [(StepKind.ADD, "a-11104"), (StepKind.REMOVE, "a-104")]


def test_a_port_that_another_service_leaves_is_freed_first():
    assert kinds([replace(A, port=105)], {"a-104": A, "b-105": B}) == [
        (StepKind.REMOVE, "b-105"),
        (StepKind.ADD, "a-105"),
        (StepKind.REMOVE, "a-104"),
    ]


def test_disabled_means_ended():
    assert kinds([replace(A, is_disabled=True)], {"a-104": A}) == [(StepKind.REMOVE, "a-104")]
    assert plan([replace(A, is_disabled=True)], {}) == []
