"""supervisord's configuration, as supervisord itself reads it."""

from dataclasses import replace
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from pfdcmd.errors import ServiceFault
from pfdcmd.service.config import ServiceConfig
from pfdcmd.wire.supervisorconf import (
    SupervisorPaths,
    check_state_dir,
    format_supervisord_conf,
)

A = ServiceConfig("a", "127.0.0.1", 10402, "/data", "/log", "/tmp", 3, drain_seconds=30)


def read_back(tmp_path, paths, services, interpreter="/usr/bin/python3"):
    text = format_supervisord_conf(paths, services, interpreter=interpreter, user=None, file_limit=512)
    paths.log_file.parent.mkdir(parents=True)
    file = tmp_path / "supervisord.conf"
    file.write_text(text)
    options = ServerOptions()
    options.realize(["-c", str(file)], doc="supervisord")
    return options


def test_supervisord_reads_what_was_meant(tmp_path):
    paths = SupervisorPaths(tmp_path / "50%-done")
    paths.state_dir.mkdir()
    options = read_back(
        tmp_path,
        paths,
        [("a-10402.1", A), ("b-10403", replace(A, name="b", port=10403, bind="::1"))],
        "/opt/py%v/my python",
    )
    (server,) = options.server_configs
    assert (server["file"], server["chmod"]) == (str(paths.socket), 0o700)
    assert (options.logfile, options.pidfile) == (str(paths.log_file), str(paths.pid_file))
    first, second = options.process_group_configs
    assert (first.name, second.name) == ("a-10402.1", "b-10403")
    assert first.socket_config.addr() == ("127.0.0.1", 10402)
    assert first.socket_config.get_backlog() == 4096
    assert [process.name for process in first.process_configs] == ["worker-0", "worker-1", "worker-2"]
    process = first.process_configs[1]
    report = paths.state_dir / "live" / "a-10402.1-1.report"
    assert report == paths.report("a-10402.1", 1)
    configuration = paths.state_dir / "services" / "a-10402.1.json"
    assert process.command == (
        f"'/opt/py%v/my python' -P -m listener.cli --config {configuration} --report-file {report} --worker 1"
    )
    assert process.stdout_logfile == str(paths.state_dir / "log" / "a-10402.1-1.log")
    assert process.stopwaitsecs > 30
    assert process.redirect_stderr


def test_the_example_in_etc_is_what_is_written():
    text = format_supervisord_conf(
        SupervisorPaths(Path("/var/lib/pfdcm")),
        [
            (
                "dicomlistener-10402",
                ServiceConfig("dicomlistener", "0.0.0.0", 10402, "/dicom/data", "/dicom/log", "/dicom/tmp", 2),
            )
        ],
        interpreter="/usr/bin/python3",
        user="root",
        file_limit=16_384,
    )
    example = (Path(__file__).parents[3] / "etc" / "supervisord.conf").read_text()
    assert example.partition("\n\n")[2] == text


@pytest.mark.parametrize("directory", ["state", "/a b", "/a;b", "/a\nb", "/" + "x" * 82, "/" + "ä" * 41])
def test_a_state_directory_that_cannot_hold_the_socket_is_refused(directory):
    with pytest.raises(ServiceFault, match="--stateDir"):
        check_state_dir(Path(directory))


def test_the_longest_state_directory_leaves_room_for_supervisords_own_suffix():
    longest = Path("/" + "x" * 81)
    assert len(f"{check_state_dir(longest).socket}.4194304") == 107
