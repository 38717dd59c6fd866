"""docs/operations.md names every metric that there is, and none that there is not."""

import asyncio
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from pfdcmd.edge.livemetrics import Live
from pfdcmd.edge.metrics import Metrics

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"


class Request:
    def __init__(self):
        self.headers = {}


def test_the_document_has_every_metric() -> None:
    async def live() -> Live:
        return Live()

    body = asyncio.run(Metrics([], live).respond(Request())).body.decode()
    shown = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in text_string_to_metric_families(body)
        if family.name.startswith("pfdcm_")
    }
    assert set(re.findall(r"`(pfdcm_[a-z_]+)`", DOCUMENT.read_text())) == shown
