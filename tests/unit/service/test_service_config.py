"""From a declaration to a checked service."""

import pytest

from pfdcmd.errors import ServiceFileFault
from pfdcmd.service.config import Attribute, Declaration, parse_service

ARGS = "-e /usr/bin/storescp -t /tmp -l /log -d /data"


def declare(name="dicomlistener", **attributes):
    given = {"port": "10402", "server_args": ARGS} | attributes
    lines = {k: Attribute(tuple(v.split()), n) for n, (k, v) in enumerate(given.items(), start=3) if v is not None}
    return Declaration(name, "services.d/x", 1, lines)


def test_long_options_mean_the_same():
    service = parse_service(declare(server_args="--dataDir /data --logDir /log --tmpDir /tmp"), 3)
    assert (service.data_dir, service.log_dir, service.tmp_dir, service.workers) == ("/data", "/log", "/tmp", 3)


def test_group_and_local_address_name_the_port():
    service = parse_service(declare(), 2)
    assert service.group == "dicomlistener-10402"
    assert service.local_address == ("127.0.0.1", 10402)
    assert parse_service(declare(interface="127.0.0.3"), 2).local_address == ("127.0.0.3", 10402)


def test_disable_is_read():
    assert parse_service(declare(disable="yes"), 2).is_disabled
    assert not parse_service(declare(), 2).is_disabled


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"port": None}, ":1: port"),
        ({"port": "dicom"}, ":3: port"),
        ({"port": "1 2"}, "port takes one value"),
        ({"bind": "host.example"}, ":5: bind must be an IPv4 address"),
        ({"disable": "maybe"}, "disable must be yes or no"),
        ({"wait": "yes"}, "wait must be no"),
        ({"socket_type": "dgram"}, "socket_type must be stream"),
        ({"only_from": "10.0.0.0/8"}, "'only_from' cannot be honoured"),
        ({"server_args": None}, "must name a directory for -t, -l, -d"),
        ({"server_args": "-t /tmp -l /log"}, "must name a directory for -d"),
        ({"server_args": ARGS + " -d /other"}, "names -d twice"),
        ({"server_args": ARGS + " --exec /bin/sh"}, "has '--exec'"),
        ({"server_args": ARGS + " -e"}, "-e lacks its value"),
        ({"server_args": "-t tmp -l /log -d /data"}, "-t must be an absolute path"),
        ({"server_args": "-t /tmp -l /log -d /data/../etc"}, "must not hold '..'"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(attributes, says):
    with pytest.raises(ServiceFileFault) as caught:
        parse_service(declare(**attributes), 2)
    assert caught.value.message.startswith("services.d/x:")
    assert says in caught.value.message


@pytest.mark.parametrize("name", ["", "..", "a/b", "a:b", "a b", "a]", "-a", "ä", "x" * 64, "a%b", "a\n"])
def test_a_name_is_fit_for_files_and_groups(name):
    with pytest.raises(ServiceFileFault, match="name"):
        parse_service(declare(name), 2)
