"""The listener's configuration as written by the daemon, and as read by the listener."""

import json
from pathlib import Path

from listener.config import read_config
from pfdcmd.service.config import ServiceConfig
from pfdcmd.wire.listenerconf import format_listener_configuration

A = ServiceConfig("a", "127.0.0.1", 10402, "/data", "/log", "/tmp", 3, drain_seconds=30, options={"ae_titles": ["X"]})


def test_the_listener_is_told_where_to_file_and_by_which_rules():
    text = format_listener_configuration(A, Path("/state/live/a.counts"), Path("/state/receipts"))
    assert json.loads(text) == {
        "service": "a",
        "bind": "127.0.0.1",
        "port": 10402,
        "data_dir": "/data",
        "log_dir": "/log",
        "tmp_dir": "/tmp",
        "drain_seconds": 30,
        "counts_file": "/state/live/a.counts",
        "receipts_dir": "/state/receipts",
        "ae_titles": ["X"],
    }
    config = read_config(None, json.loads(text))
    assert (config.ae_titles, config.drain_seconds) == (("X",), 30.0)
