"""Fifty services on fifty ports: all serve, and together take less than a gigabyte when idle."""

import psutil
import pytest
from services import echo, running_site, wait_until

pytestmark = pytest.mark.acceptance

SERVICES = 50
IDLE_BYTES = 10**9


def test_fifty_services_serve_and_take_less_than_a_gigabyte(tmp_path):
    with running_site(tmp_path) as site:
        text = "".join(site.text(f"s{number}", ae_title=f"AE{number}") for number in range(SERVICES))
        site.write("all", "defaults\n{\n    instances = 20\n}\n" + text)
        wait_until(lambda: site.show(f"s{SERVICES - 1}"), 60)
        assert echo(site.ports["s0"], called="AE0") == ""
        assert echo(site.ports[f"s{SERVICES - 1}"], called=f"AE{SERVICES - 1}") == ""
        state = str(tmp_path / "state")
        ours = [p for p in psutil.process_iter(["cmdline"]) if any(state in w for w in p.info["cmdline"] or [])]
        assert len(ours) >= SERVICES + 2
        assert sum(process.memory_full_info().pss for process in ours) < IDLE_BYTES
