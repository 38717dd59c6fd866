import asyncio
import ipaddress
import json

from pfdcmd.edge.host import Host, own_address


def test_sysinfo_has_the_originals_keys_and_types():
    facts = asyncio.run(Host().describe())
    assert json.loads(json.dumps(facts)) == facts
    assert list(facts) == [
        *("system", "machine", "platform", "uname", "version", "memory"),
        *("cpucount", "loadavg", "cpu_percent", "hostname", "inet"),
    ]
    assert [type(number) for number in facts["memory"][:4]] == [int, int, float, int]
    assert len(facts["uname"]) == 6
    assert len(facts["loadavg"]) == 3


def test_own_address_is_an_address():
    assert ipaddress.ip_address(own_address())
