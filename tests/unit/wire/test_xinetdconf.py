"""The service file: the original's text to the byte, the manual page's syntax, and faults with file and line."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfdcmd.errors import Fault, ServiceFileFault
from pfdcmd.service.attributes import ATTRIBUTES
from pfdcmd.service.blocks import declare
from pfdcmd.service.config import parse_service
from pfdcmd.wire.xinetdconf import format_service_file, may_hold_defaults, parse_service_file

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "daemon.json").read_text())
STEPS = {step["id"]: step for scenario in GOLDEN["scenarios"] for step in scenario["steps"]}
BIN = {"listener": "/usr/local/bin/px-listen", "storescp": "/usr/bin/storescp"}
XINETD = {"servicePort": "10402", "tmpDir": "/dicom/tmp", "logDir": "/dicom/log", "dataDir": "/dicom/data"}


def declared(text):
    found = declare([parse_service_file(text, "f")])
    assert not found.faults
    return found.declarations


@pytest.mark.parametrize(
    ("step", "port"),
    [("xinetd-file-create", "10402"), ("xinetd-file-create-10403", "10403"), ("xinetd-file-create", 10402)],
)
def test_text_is_the_originals_to_the_byte(step, port):
    assert format_service_file(BIN, XINETD | {"servicePort": port}) == STEPS[step]["reply"]["d_ret"]["fileContents"]


def test_the_example_in_etc_is_what_is_written():
    example = Path(__file__).parents[3] / "etc" / "services.d" / "dicomlistener"
    assert example.read_text() == format_service_file(BIN, XINETD)


def test_what_is_formatted_is_parsed_to_the_same_values():
    (declaration,) = declared(format_service_file(BIN, XINETD))
    service = parse_service(declaration, workers=2)
    assert (service.name, service.bind, service.port) == ("dicomlistener", "0.0.0.0", 10402)
    assert (service.tmp_dir, service.log_dir, service.data_dir) == ("/dicom/tmp", "/dicom/log", "/dicom/data")


@pytest.mark.parametrize("leaf", ["tmpDir", "logDir", "dataDir"])
@pytest.mark.parametrize(
    "value",
    [
        "/a b",
        "/a\n  disable = yes",
        "/a\t-d",
        "/a}",
        "/a{",
        '/a"b',
        "/a'b",
        "/a\\b",
        "a/b",
        "",
        "/../x",
        "/a\0",
        7,
        None,
        ["/a"],
    ],
)
def test_a_value_can_never_add_to_the_file(leaf, value):
    with pytest.raises(Fault, match=leaf):
        format_service_file(BIN, XINETD | {leaf: value})


@pytest.mark.parametrize("port", ["0", "65536", "10402\n disable = yes", "", None, True, "-1", 1.5])
def test_a_port_is_a_port(port):
    with pytest.raises(Fault, match="servicePort"):
        format_service_file(BIN, XINETD | {"servicePort": port})


@given(st.text(max_size=40), st.sampled_from(["tmpDir", "logDir", "dataDir", "servicePort"]))
def test_any_text_in_the_tree_is_refused_or_comes_back_as_it_is(value, leaf):
    try:
        text = format_service_file(BIN, XINETD | {leaf: value})
    except Fault:
        return
    (declaration,) = declared(text)
    service = parse_service(declaration, workers=2)
    found = {"tmpDir": service.tmp_dir, "logDir": service.log_dir, "dataDir": service.data_dir}
    assert found.get(leaf, str(service.port)) == (value if leaf in found else str(int(value)))


MANUAL_PAGE = """
# This file is written in the words of xinetd.conf(5)
defaults
{
    log_on_success  = PID HOST
    log_on_success += DURATION
    disable         = no
}
service one
{
    port            = 104
    log_on_success -= HOST
}
service two
{
    disable = yes
    port=105
    log_on_success = EXIT
}
"""


def test_defaults_hold_and_operators_add_and_take_away():
    one, two = declared(MANUAL_PAGE)
    assert one.attributes["log_on_success"].values == ("PID", "DURATION")
    assert one.attributes["disable"].values == ("no",)
    assert two.attributes["log_on_success"].values == ("EXIT",)
    assert two.attributes["disable"].values == ("yes",)
    assert two.attributes["port"].values == ("105",)
    assert (one.line, two.line, one.attributes["port"].line) == (9, 14, 11)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("service", 1, "expected 'service NAME'"),
        ("\nservice a b", 2, "expected 'service NAME'"),
        ("port = 1", 1, "expected 'service NAME'"),
        ("service a\nport = 1", 2, "must begin with {"),
        ("service a {\n}", 1, "expected 'service NAME'"),
        ("service a\n{\nport = 1", 3, "not closed"),
        ("service a\n{\nport 1\n}", 3, "attribute = value"),
        ("service a\n{\nport = 1\nport = 2\n}", 4, "has a value already, from line 3"),
        ("service a\n{\n}\nservice a\n{\n}", 6, "service 'a' already"),
        ("defaults\n{\n}\ndefaults\n{\n}", 6, "defaults block already"),
        ("service a\n{\nserver_args = -d /x\x07\n}", 3, "cannot be printed"),
        ("includedir", 1, "takes one path"),
        ("include a/b", 1, "absolute path"),
        ("service a\n{\ninclude /etc/x\n}", 3, "attribute = value"),
        ("#" * 70_000, 0, "longer than"),
    ],
)
def test_a_fault_names_file_and_line(text, line, says):
    with pytest.raises(ServiceFileFault, match=rf"^some\.file:{line}: .*{says}"):
        parse_service_file(text, "some.file")


def test_includes_stand_outside_of_blocks():
    file = parse_service_file("include /etc/one\nservice a\n{\n}\nincludedir /etc/xinetd.d\n", "f")
    assert [(each.path, each.is_directory, each.line) for each in file.includes] == [
        ("/etc/one", False, 1),
        ("/etc/xinetd.d", True, 5),
    ]


def test_a_service_is_called_by_its_id():
    text = "service time\n{\nid = time-stream\n}\nservice time\n{\nid = time-dgram\n}\nservice x\n{\n}"
    assert [each.service for each in parse_service_file(text, "f").services] == ["time-stream", "time-dgram", "x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("service a\n{\n{", False), ("\n  defaults\n{", True), ("# defaults", False), ("service defaults", False)],
)
def test_a_broken_file_is_looked_at_for_defaults(text, expected):
    assert may_hold_defaults(text) is expected


LINES = st.lists(
    st.sampled_from(
        [
            *("service a", "service b", "defaults", "{", "}", "port = 1", "x += 2", "x -= 2", "# c", "", "include f"),
            *("include /f", "includedir /d", "id = c", "only_from = 10.0.0.{1,2} 10.0.0.0", "only_from += ::1"),
            *("disabled = a", "enabled = b", "server_args = -d /d -l /l -t /t", "access_times = 2:00-3:00"),
            *("port = 104", "cps = 1"),
        ]
    )
    | st.text(max_size=20)
    | st.builds("{} = {}".format, st.sampled_from(sorted(ATTRIBUTES)), st.text(max_size=20)),
    max_size=30,
)


@settings(max_examples=400)
@given(LINES | st.text().map(lambda text: [text]))
def test_random_text_raises_nothing_but_its_own_fault(lines):
    try:
        file = parse_service_file("\n".join(lines), "f")
    except ServiceFileFault as fault:
        assert fault.message.startswith("f:")
        return
    found = declare([file])
    assert all(fault.startswith("f:") for fault in found.faults.values())
    for declaration in found.declarations:
        try:
            service = parse_service(declaration, workers=2)
        except ServiceFileFault as fault:
            assert fault.message.startswith("f:")
        else:
            assert service.port == 104 or 1 <= service.port <= 65535


@given(st.binary(max_size=200))
def test_random_bytes_as_text_raise_nothing_but_the_parsers_own_fault(data):
    with contextlib.suppress(ServiceFileFault):
        parse_service_file(data.decode("latin-1"), "f")
