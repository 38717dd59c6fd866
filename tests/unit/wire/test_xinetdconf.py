"""The service file: the original's text to the byte, the manual page's syntax, and faults with file and line."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfdcmd.errors import Fault, ServiceFileFault
from pfdcmd.service.config import parse_service
from pfdcmd.wire.xinetdconf import format_service_file, parse_service_file

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "daemon.json").read_text())
STEPS = {step["id"]: step for scenario in GOLDEN["scenarios"] for step in scenario["steps"]}
BIN = {"listener": "/usr/local/bin/px-listen", "storescp": "/usr/bin/storescp"}
XINETD = {"servicePort": "10402", "tmpDir": "/dicom/tmp", "logDir": "/dicom/log", "dataDir": "/dicom/data"}


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
    (declaration,) = parse_service_file(format_service_file(BIN, XINETD), "f")
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
    (declaration,) = parse_service_file(text, "f")
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
    one, two = parse_service_file(MANUAL_PAGE, "f")
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
        ("service a\n{\nserver_args = -d /x{y\n}", 3, "brace"),
        ("includedir /etc/xinetd.d", 1, "includedir is not followed"),
        ("#" * 70_000, 0, "longer than"),
    ],
)
def test_a_fault_names_file_and_line(text, line, says):
    with pytest.raises(ServiceFileFault, match=rf"^some\.file:{line}: .*{says}"):
        parse_service_file(text, "some.file")


LINES = st.lists(
    st.sampled_from(
        ["service a", "service b", "defaults", "{", "}", "port = 1", "x += 2", "x -= 2", "# c", "", "include f"]
    )
    | st.text(max_size=20),
    max_size=30,
)


@given(LINES | st.text().map(lambda text: [text]))
def test_random_text_raises_nothing_but_its_own_fault(lines):
    try:
        declarations = parse_service_file("\n".join(lines), "f")
    except ServiceFileFault:
        return
    for declaration in declarations:
        try:
            parse_service(declaration, workers=2)
        except ServiceFileFault as fault:
            assert fault.message.startswith("f:")
