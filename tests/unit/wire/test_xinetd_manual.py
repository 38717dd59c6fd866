"""What the manual page of xinetd.conf shows, written anew: each construct is parsed, and merged as it says.

Source: xinetd.conf(5), EXAMPLE and TCPMUX Services. Names and addresses are others.
"""

import pytest

from pfdcmd.service.blocks import declare
from pfdcmd.wire.xinetdconf import parse_service_file

EXAMPLE = """
# A configuration with everything that the page shows
defaults
{
    log_type        = FILE /var/log/servers
    log_on_success  = PID
    log_on_failure  = HOST
    only_from       = 192.0.2.0 198.51.100.0
    only_from       = 203.0.113.1
    instances       = 10
    disabled        = rup
}

# The protocol may be left out
service shell-in
{
    socket_type     = stream
    protocol        = tcp
    wait            = no
    user            = root
    server          = /usr/sbin/in.shell
    instances       = UNLIMITED
    log_on_success += HOST
}

service files
{
    socket_type     = stream
    wait            = no
    nice            = 10
    user            = root
    server          = /usr/sbin/in.files
    server_args     = -l
    instances       = 4
    log_on_success += DURATION HOST USERID
    access_times    = 2:00-9:00 12:00-24:00
}

# 8 megabytes of memory and 20 seconds of processor for each
service terminal
{
    socket_type     = stream
    wait            = no
    nice            = 10
    user            = root
    server          = /usr/sbin/in.terminal
    rlimit_as       = 8M
    rlimit_cpu      = 20
}

# Two services of one name, told apart by their ids, and internal
service clock
{
    type            = INTERNAL
    id              = clock-stream
    socket_type     = stream
    protocol        = tcp
    user            = root
    wait            = no
}
service clock
{
    type            = INTERNAL
    id              = clock-dgram
    socket_type     = dgram
    protocol        = udp
    user            = root
    wait            = yes
}

service list
{
    type            = INTERNAL UNLISTED
    protocol        = tcp
    port            = 9099
    socket_type     = stream
    wait            = no
    only_from       = 192.0.2.10
}

service rup
{
    type            = RPC
    flags           = INTERCEPT
    rpc_version     = 2-4
    socket_type     = dgram
    protocol        = udp
    server          = /usr/sbin/rpc.rup
    wait            = yes
    user            = root
}

service unlisted-rpc
{
    type            = RPC UNLISTED
    rpc_number      = 200015
    rpc_version     = 1
    socket_type     = stream
    protocol        = tcp
    wait            = yes
    env             = LD_LIBRARY_PATH=/etc/lib
    env            += MODE=quiet
    passenv         =
}

service passed-on
{
    type            = UNLISTED
    socket_type     = stream
    protocol        = tcp
    wait            = no
    port            = 9100
    redirect        = 192.0.2.77 23
    bind            = 127.0.0.1
    cps             = 25 30
    max_load        = 2.5
    banner_fail     = /etc/banner
}

service muxed
{
    disable         = no
    type            = TCPMUX
    socket_type     = stream
    protocol        = tcp
    wait            = no
    user            = root
    server          = /usr/sbin/muxed
}

service mux
{
    type            = INTERNAL
    id              = mux
    socket_type     = stream
    protocol        = tcp
    user            = root
    wait            = no
}

service watched
{
    flags           = SENSOR
    type            = INTERNAL
    deny_time       = 60
    no_access       = 192.0.2.{1,2,3} 2001:db8::/46
    no_access      -= 192.0.2.{1,2,3}
}
include /etc/xinetd/more
includedir /etc/xinetd.d
"""


@pytest.fixture(scope="module")
def services():
    file = parse_service_file(EXAMPLE, "xinetd.conf")
    assert len(file.includes) == 2
    found = declare([file])
    assert found.faults == {}
    return {each.name: each for each in found.declarations}


def values(services, name, attribute):
    return services[name].attributes[attribute].values


def test_every_service_is_there_by_its_id(services):
    assert list(services) == [
        *("shell-in", "files", "terminal", "clock-stream", "clock-dgram", "list", "rup", "unlisted-rpc"),
        *("passed-on", "muxed", "mux", "watched"),
    ]


def test_defaults_hold_where_a_service_says_nothing(services):
    assert values(services, "terminal", "instances") == ("10",)
    assert values(services, "shell-in", "instances") == ("UNLIMITED",)
    assert values(services, "files", "instances") == ("4",)


def test_cumulative_attributes_add_up_in_defaults_and_are_replaced_by_a_service(services):
    everyone = ("192.0.2.0", "198.51.100.0", "203.0.113.1")
    assert values(services, "files", "only_from") == everyone
    assert values(services, "list", "only_from") == ("192.0.2.10",)


def test_plus_and_minus_work_on_what_the_defaults_say(services):
    assert values(services, "shell-in", "log_on_success") == ("PID", "HOST")
    assert values(services, "files", "log_on_success") == ("PID", "DURATION", "HOST", "USERID")
    assert values(services, "unlisted-rpc", "env") == ("LD_LIBRARY_PATH=/etc/lib", "MODE=quiet")
    assert values(services, "unlisted-rpc", "passenv") == ()
    assert values(services, "watched", "no_access") == ("2001:db8::/46",)


def test_disabled_names_services_by_id(services):
    assert [name for name, each in services.items() if each.is_off] == ["rup"]


def test_enabled_disables_all_others():
    text = EXAMPLE.replace("disabled        = rup", "enabled = files list\n enabled = rup\n disabled = list")
    found = declare([parse_service_file(text, "f")]).declarations
    assert [each.name for each in found if not each.is_off] == ["files", "rup"]


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["defaults\n{\n}", "defaults\n{\n}"], "two:1: there is a defaults block already, in one:1."),
        (["service a\n{\n}", "service a\n{\n}"], "two:1: there is a service 'a' already, in one:1."),
        (["", "service a\n{\nport += 1\n}"], "two:3: port is no list: += cannot be used with it."),
        (["", "service a\n{\ndisabled = a\n}"], "two:3: disabled can stand in defaults only."),
    ],
)
def test_what_several_files_cannot_mean_together_is_the_fault_of_one(texts, says):
    files = [parse_service_file(text, name) for text, name in zip(texts, ("one", "two"), strict=True)]
    assert declare(files).faults == {"two": says}


def test_defaults_hold_for_the_services_of_every_file():
    files = [
        parse_service_file("service a\n{\n}", "one"),
        parse_service_file("defaults\n{\ninstances = 3\n}", "two"),
    ]
    (declaration,) = declare(files).declarations
    assert declaration.attributes["instances"].values == ("3",)
