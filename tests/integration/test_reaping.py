"""Children that others have left to us, as to a container's first process."""

import os
import time

import psutil

from pfdcmd.edge.listeners.superdaemon import reap_orphans


def zombie():
    """A child that has ended and that nobody has waited for."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    deadline = time.monotonic() + 10
    while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return pid


def test_the_first_process_reaps_what_has_ended_and_leaves_what_has_not():
    ended = zombie()
    reader, writer = os.pipe()
    living = os.fork()
    if living == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    reap_orphans(first_pid=os.getpid())
    assert not psutil.pid_exists(ended)
    assert psutil.Process(living).status() != psutil.STATUS_ZOMBIE
    os.close(writer)
    os.waitpid(living, 0)
    os.close(reader)


def test_another_process_reaps_nothing():
    ended = zombie()
    reap_orphans()
    assert psutil.Process(ended).status() == psutil.STATUS_ZOMBIE
    os.waitpid(ended, 0)
