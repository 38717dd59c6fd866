import dataclasses

import pytest

from pfdcmd.edge.runfile import Run, announce, read_run, withdraw
from pfdcmd.errors import StorageFault

RUN = Run(host="127.0.0.1", port=4055, pid=7, began=1000.5, is_forever=True, starts_listener=False)


def test_what_is_announced_is_read_until_it_is_withdrawn(tmp_path):
    assert read_run(tmp_path) is None
    announce(tmp_path, RUN)
    assert read_run(tmp_path) == RUN
    withdraw(tmp_path, RUN)
    assert list(tmp_path.iterdir()) == []


def test_another_pfdcms_announcement_is_left_alone(tmp_path):
    other = dataclasses.replace(RUN, pid=8)
    announce(tmp_path, other)
    withdraw(tmp_path, RUN)
    assert read_run(tmp_path) == other


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"host": "x"}', "7", "\udcff"])
def test_a_run_file_that_is_none_is_a_fault(tmp_path, text):
    announce(tmp_path, RUN)
    (file,) = tmp_path.iterdir()
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(StorageFault, match="cannot be read"):
        read_run(tmp_path)
