"""docs/operations.md and etc/services.d against the table of attributes."""

from pathlib import Path

import pytest

from listener.config import Config
from pfdcmd.service.attributes import ATTRIBUTES, Side
from pfdcmd.service.blocks import declare
from pfdcmd.service.catalogue import Reading, make_catalogue
from pfdcmd.wire.xinetdconf import parse_service_file

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = (REPOSITORY / "docs" / "operations.md").read_text()
EXAMPLES = sorted((REPOSITORY / "etc" / "services.d").iterdir())
MANUAL = [
    *("id", "type", "flags", "disable", "socket_type", "protocol", "wait", "user", "group", "instances", "nice"),
    *("server", "server_args", "libwrap", "only_from", "no_access", "access_times", "log_type", "log_on_success"),
    *("log_on_failure", "rpc_version", "rpc_number", "env", "passenv", "port", "redirect", "bind", "interface"),
    *("banner", "banner_success", "banner_fail", "per_source", "cps", "max_load", "groups", "mdns", "umask"),
    *("enabled", "disabled", "rlimit_as", "rlimit_files", "rlimit_cpu", "rlimit_data", "rlimit_rss"),
    *("rlimit_stack", "deny_time"),
]


def attributes_table():
    rows = ["| attribute | default | what it means |", "|---|---|---|"]
    rows += [
        f"| `{row.name}` | {row.default or 'none'} | {row.meaning} |"
        for row in ATTRIBUTES.values()
        if row.side in (Side.PFDCM, Side.LISTENER)
    ]
    return "\n".join(rows)


def test_every_attribute_is_in_the_document():
    assert attributes_table() in DOCUMENT, f"The table should read:\n{attributes_table()}"


def test_every_attribute_of_the_manual_page_is_honoured_or_refused_with_a_reason():
    assert set(MANUAL) <= set(ATTRIBUTES)
    assert {row.name for row in ATTRIBUTES.values() if not row.is_ours} == set(MANUAL)
    assert all(row.meaning for row in ATTRIBUTES.values())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_can_be_used_and_the_worked_ones_are_in_the_document(example):
    text = example.read_text()
    catalogue = make_catalogue(
        Reading((parse_service_file(text, str(example)),)), [], workers=2, drain_seconds=60, is_there={}
    )
    assert catalogue.faults == {}
    assert catalogue.services
    assert example.name == "dicomlistener" or text in DOCUMENT


def test_all_examples_can_be_used_together():
    files = tuple(parse_service_file(each.read_text(), str(each)) for each in EXAMPLES)
    assert declare(files).faults == {}
    catalogue = make_catalogue(Reading(files), [], workers=2, drain_seconds=60, is_there={})
    assert catalogue.faults == {}
    keys = {key for service in catalogue.services for key in service.options}
    assert keys <= set(Config.__dataclass_fields__)
