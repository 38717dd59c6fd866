"""The supervisor's process records."""

from pfdcmd.service.state import ENDED, FAILED, REMOVABLE, WorkerState, parse_workers

INFO = {
    "group": "a-104",
    "name": "worker-0",
    "statename": "RUNNING",
    "pid": 7,
    "stdout_logfile": "/log/a",
    "spawnerr": "",
    "start": 1,
}


def test_a_record_is_read():
    (worker,) = parse_workers([INFO])
    assert (worker.full_name, worker.state, worker.pid) == ("a-104:worker-0", WorkerState.RUNNING, 7)


def test_a_state_of_a_later_supervisor_is_unknown():
    assert parse_workers([INFO | {"statename": "PAUSED"}])[0].state is WorkerState.UNKNOWN


def test_no_state_in_which_there_may_be_a_process_is_ended_or_failed():
    assert not {WorkerState.STARTING, WorkerState.RUNNING} & (ENDED | FAILED)
    assert WorkerState.STOPPING not in ENDED
    assert ENDED <= REMOVABLE
