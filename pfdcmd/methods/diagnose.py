"""pacs.diagnose: a PACS examined step by step, with what to change (pfdcmd.doctor)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Context
from pfdcmd.doctor.examination import Examination
from pfdcmd.doctor.step import Fault, Outcome, report_json
from pfdcmd.errors import ParameterFault, PeerConfigurationFault
from pfdcmd.methods.method import Example, Method
from pfdcmd.methods.schemas import PACS, TEXT, list_schema, record_schema
from pfdcmd.pacs.peer import parse_peer

_STEP = record_schema(
    {
        "name": TEXT,
        "outcome": {"enum": [outcome.value for outcome in Outcome]},
        "seconds": {"type": ["number", "null"], "minimum": 0, "description": "how long it took; null: it was not done"},
        "found": TEXT,
        "advice": {"type": "string", "description": "the line to change; empty when nothing is to be"},
        "fault": {"enum": [None, *(fault.value for fault in Fault)], "description": "what is wrong, in one word"},
    }
)


async def _diagnose(params: Mapping[str, Any], context: Context, _caller: Caller) -> dict[str, Any]:
    name = params["pacs"]
    entries = context.tree.get("/PACS")
    if not isinstance(entries, Mapping) or name not in entries:
        raise ParameterFault("pfdcm knows no such PACS; pacs.list tells those that it knows.", parameter="pacs")
    try:
        peer = parse_peer(entries[name])
    except PeerConfigurationFault as fault:
        fault.parameter = "pacs"
        raise
    examination = Examination(name, peer, context, is_image_wanted=params.get("image_back", True))
    return report_json(await examination.report())


METHODS = (
    Method(
        name="pacs.diagnose",
        summary="Examine a PACS: address, connection, association, C-ECHO, C-FIND at each level, one image back.",
        right=Right.OPERATE,
        run=_diagnose,
        params={
            "pacs": PACS,
            "image_back": {"type": "boolean", "default": True, "description": "have one image sent to our listener"},
        },
        required=("pacs",),
        result=record_schema(
            {"pacs": TEXT, "ok": {"type": "boolean"}, "conclusion": TEXT, "steps": list_schema(_STEP)}
        ),
        examples=(
            Example(
                "without an image",
                {"pacs": "orthanc", "image_back": False},
                {
                    "pacs": "orthanc",
                    "ok": True,
                    "conclusion": "orthanc is well: it answers, it finds, and what it sends arrives.",
                    "steps": [
                        {
                            "name": "TCP connection",
                            "outcome": "ok",
                            "seconds": 0.001,
                            "found": "Port 4242 is open; we call from 127.0.0.1.",
                            "advice": "",
                            "fault": None,
                        }
                    ],
                },
            ),
        ),
        errors=(PeerConfigurationFault,),
    ),
)
