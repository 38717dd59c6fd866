"""What accept(2) reports, and what a worker makes of it."""

import errno
import os

import pytest

from listener import server as server_module
from listener.doorkeeper import Doorkeeper
from listener.report import Report
from listener.server import Server


class FailingListening:
    def __init__(self, code):
        self._code = code

    def accept(self):
        raise OSError(self._code, os.strerror(self._code))


def accept(site, code, monkeypatch):
    monkeypatch.setattr(server_module, "_PAUSE_SECONDS", 0)
    server = Server(FailingListening(code), Doorkeeper(site.config), Report(""), site.storage)
    try:
        return server._accept()
    finally:
        os.close(server._wake_read)
        os.close(server._wake_write)


@pytest.mark.parametrize("name", ["EPROTO", "ENETDOWN", "EHOSTUNREACH", "EPERM", "ETIMEDOUT", "EMFILE", "ENOMEM"])
def test_an_error_of_the_network_does_not_end_the_worker(site, monkeypatch, name):
    assert accept(site, getattr(errno, name), monkeypatch)


def test_a_socket_that_was_shut_down_ends_it_orderly(site, monkeypatch):
    assert not accept(site, errno.EINVAL, monkeypatch)


@pytest.mark.parametrize("name", ["EBADF", "ENOTSOCK"])
def test_a_socket_that_is_none_ends_it_with_an_error(site, monkeypatch, name):
    with pytest.raises(OSError, match=os.strerror(getattr(errno, name))):
        accept(site, getattr(errno, name), monkeypatch)
