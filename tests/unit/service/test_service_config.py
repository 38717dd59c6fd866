"""From a declaration to a checked service."""

import pytest

from listener.config import read_config
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
    assert service.group() == "dicomlistener-10402"
    assert service.group(2) == "dicomlistener-10402.2"
    assert service.local_address == ("127.0.0.1", 10402)
    assert parse_service(declare(interface="127.0.0.3"), 2).local_address == ("127.0.0.3", 10402)


def test_the_sites_drain_is_taken_where_the_service_says_none():
    assert parse_service(declare(), 2).drain_seconds == 60
    assert parse_service(declare(), 2, 9).drain_seconds == 9


def test_disable_is_read():
    assert parse_service(declare(disable="yes"), 2).is_disabled
    assert not parse_service(declare(), 2).is_disabled


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"port": None}, ":1: port"),
        ({"port": "dicom"}, ":3: port"),
        ({"port": "1 2"}, "port takes one value"),
        ({"bind": "host.example"}, ":5: bind must be an IPv4 or IPv6 address"),
        ({"bind": "fe80::1%eth0"}, "IPv6 address without a zone"),
        ({"disable": "maybe"}, "disable must be yes or no"),
        ({"wait": "yes"}, "wait must be no"),
        ({"socket_type": "dgram"}, "socket_type must be stream"),
        ({"redirect": "10.0.0.1 104"}, "redirect cannot be honoured: a listener files what it gets"),
        ({"banner_fail": "/etc/motd"}, "banner_fail cannot be honoured: a DICOM peer would take"),
        ({"tls_key": "/etc/key"}, "tls_key needs tls_certificate"),
        ({"tls_ca": "/etc/ca"}, "tls_ca needs tls_certificate"),
        ({"tls_certificate": "cert.pem"}, "tls_certificate must be an absolute path"),
        ({"tls_certificate": "/etc/c", "tls_profile": "ssl3"}, "tls_profile must be bcp195 or tls13"),
        ({"tls_cipher": "x"}, "there is no attribute 'tls_cipher'"),
        ({"colour": "blue"}, "there is no attribute 'colour'"),
        ({"require_called_ae": "yes"}, "require_called_ae needs ae_title"),
        ({"data_dir": "/other"}, "data_dir is named by server_args already"),
        ({"server_args": None}, "must name a directory for -t (tmp_dir), -l (log_dir), -d (data_dir)"),
        ({"server_args": "-t /tmp -l /log"}, "must name a directory for -d (data_dir)"),
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


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("instances", "10", {"instances": 10}),
        ("instances", "UNLIMITED", {"instances": 0}),
        ("per_source", "2", {"per_source": 2}),
        ("cps", "25 30", {"cps_connections": 25, "cps_wait_seconds": 30}),
        ("max_load", "2.5", {"max_load": 2.5}),
        ("only_from", "128.138.12.0 128.0.0.0 0.0.0.0", {"only_from": ["128.138.12.0/24", "128.0.0.0/8", "0.0.0.0/0"]}),
        (
            "only_from",
            "128.138.{12,13} 10.0.0.{1,2}",
            {"only_from": ["128.138.12.0/24", "128.138.13.0/24", "10.0.0.1/32", "10.0.0.2/32"]},
        ),
        (
            "only_from",
            "10.1.2.3/8 1234::/46 ::1 pacs.example.org",
            {"only_from": ["10.0.0.0/8", "1234::/46", "::1/128", "pacs.example.org"]},
        ),
        ("only_from", "", {"only_from": [], "is_for_nobody": True}),
        ("no_access", "127.0.0.9", {"no_access": ["127.0.0.9/32"]}),
        ("access_times", "2:00-9:00 22:30-6:5", {"access_times": ["02:00-09:00", "22:30-06:05"]}),
        ("user", "dicom", {"user": "dicom"}),
        ("group", "1000", {"group": "1000"}),
        ("groups", "yes", {"has_supplementary_groups": True}),
        ("nice", "-5", {"nice": -5}),
        ("rlimit_as", "512M", {"rlimit_as_bytes": 536_870_912}),
        ("rlimit_as", "UNLIMITED", {"rlimit_as_bytes": 0}),
        ("rlimit_files", "1024", {"rlimit_files": 1024}),
        ("umask", "027", {"umask": 0o27}),
        ("log_on_success", "PID HOST DURATION", {"log_on_success": ["PID", "HOST", "DURATION"]}),
        ("log_on_failure", "ATTEMPT", {"log_on_failure": ["ATTEMPT"]}),
        ("ae_title", "ONE TWO", {"ae_titles": ["ONE", "TWO"], "require_called_ae": True}),
        ("allowed_calling_ae", "PACS", {"allowed_calling_aes": ["PACS"]}),
        ("layout", "pypx", {"layout": "pypx"}),
        ("ack", "written", {"ack": "written"}),
        ("transfer_syntaxes", "1.2.840.10008.1.2", {"transfer_syntaxes": ["1.2.840.10008.1.2"]}),
        ("sop_classes", "1.2.840.10008.5.1.4.1.1.2", {"sop_classes": ["1.2.840.10008.5.1.4.1.1.2"]}),
        ("max_pdu", "16384", {"max_pdu_bytes": 16384}),
        ("association_timeout", "600", {"association_timeout_seconds": 600.0}),
        ("idle_timeout", "2.5", {"idle_timeout_seconds": 2.5}),
        ("max_image_bytes", "2G", {"max_image_bytes": 2 * 1024**3}),
        ("flags", "REUSE NODELAY", {}),
    ],
)
def test_what_an_attribute_tells_the_listener(name, text, options):
    found = parse_service(declare(**{name: text}), 2).options
    assert found == options
    assert read_config(None, found)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("instances", "0"),
        ("instances", "many"),
        ("per_source", "-1"),
        ("cps", "25"),
        ("cps", "0 10"),
        ("max_load", "0"),
        ("max_load", "nan"),
        ("only_from", "300.1.1.1"),
        ("only_from", ".example.org"),
        ("only_from", "10.{0,1}.0.0"),
        ("only_from", "a_b!"),
        ("access_times", "2:00"),
        ("access_times", "25:00-26:00"),
        ("access_times", "1:60-2:00"),
        ("nice", "20"),
        ("umask", "8"),
        ("umask", "7777"),
        ("rlimit_as", "1K"),
        ("rlimit_files", "0"),
        ("log_on_success", "USERID"),
        ("flags", "SENSOR"),
        ("ae_title", "A" * 17),
        ("ae_title", "A\\B"),
        ("transfer_syntaxes", "explicit"),
        ("max_pdu", "1"),
        ("ack", "maybe"),
        ("layout", "other"),
        ("workers", "0"),
        ("drain_seconds", "-1"),
        ("type", "INTERNAL"),
    ],
)
def test_a_value_that_means_nothing_is_refused_with_file_line_and_name(name, text):
    with pytest.raises(ServiceFileFault, match=rf"^services\.d/x:5: {name} "):
        parse_service(declare(**{name: text}), 2)


def test_workers_and_drain_seconds_are_the_services_own():
    service = parse_service(declare(workers="1", drain_seconds="5"), 2, 60)
    assert (service.workers, service.drain_seconds) == (1, 5)
    assert parse_service(declare(), 2, 7).drain_seconds == 7


def test_directories_may_be_attributes():
    service = parse_service(declare(server_args=None, data_dir="/d", log_dir="/l", tmp_dir="/t"), 2)
    assert (service.data_dir, service.log_dir, service.tmp_dir) == ("/d", "/l", "/t")


def test_require_called_ae_can_be_turned_off():
    assert parse_service(declare(ae_title="X", require_called_ae="no"), 2).options["require_called_ae"] is False
