"""pfurl from PyPI runs the sequence of the original's integration document, word for word but for addresses."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from orthanc import dicomdir_files, free_ports, running_orthanc
from pfdcmprocess import running

pytestmark = pytest.mark.acceptance

PFURL = str(Path(sys.executable).with_name("pfurl"))
PATIENT_ID = "98890234"
SERIES = "1.3.6.1.4.1.5962.1.1.0.0.0.1196533885.18148.0.118"
STUDY = "1.3.6.1.4.1.5962.1.1.0.0.0.1196533885.18148.0.1"
SECONDS = 30

SET_PACS = """{  "action": "internalctl",
    "meta": {
                "var":     "/PACS",
                "set":     {
                             "orthanc" : {
                                  "serverIP": "<HOST_IP>",
                                  "aet": "CHIPS",
                                  "aet_listener": "CHIPS",
                                  "aec": "ORTHANC",
                                  "serverPort": "<HOST_PORT>"
                              }
                           }
            }
}"""
SET_UP_THE_LISTENER = """{
            "action": "xinetd",
            "meta": {
                "object" : "service",
                "do":      "everything"
            }
        }"""
CHECK_THE_TREE = """{
            "action": "internalctl",
            "meta": {
                "var":     "/",
                "get":      "value"
            }
        }"""
QUERY = """{
            "action": "PACSinteract",
            "meta": {
                "do":  "query",
                "on" : {
                   "PatientID": "<patient-id>"
                },
                "PACS" : "orthanc"
            }
        }"""
RETRIEVE = """{
            "action": "PACSinteract",
            "meta": {
                "do":  "retrieve",
                "on" : {
                    "StudyInstanceUID":  "<study-instance-uid>",
                    "SeriesInstanceUID": "<series-instance-uid>"
                },
                "PACS" : "orthanc"
            }
        }"""
RETRIEVE_STATUS = """{
            "action": "PACSinteract",
            "meta": {
                "do":  "retrieveStatus",
                "on" : {
                   "series_uid": "<series-instance-uid>"
                },
                "PACS" : "orthanc"
            }
        }"""


def pfurl(port, message):
    """The reply to a message: pfurl prints the body, inner header and all, as one JSON text in colour."""
    result = subprocess.run(
        [
            *(PFURL, "--verb", "POST", "--raw"),
            *("--http", f"127.0.0.1:{port}/api/v1/cmd"),
            *("--jsonwrapper", "payload"),
            *("--msg", message),
        ],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    body = json.loads(result.stdout[result.stdout.index('"') : result.stdout.rindex('"') + 1])
    return json.loads(body.split("\r\n\r\n")[1])


def test_the_documents_sequence(tmp_path):
    (listener_port,) = free_ports(1)
    with (
        running_orthanc(tmp_path / "orthanc", listener_port) as orthanc,
        running(tmp_path, "--forever", "--httpResponse") as pfdcm,
    ):
        orthanc.load(dicomdir_files())
        pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": str(listener_port)})

        entry = SET_PACS.replace("<HOST_IP>", "127.0.0.1").replace("<HOST_PORT>", str(orthanc.dicom_port))
        assert pfurl(pfdcm.port, entry)["d_ret"]["orthanc"]["aec"] == "ORTHANC"
        assert pfurl(pfdcm.port, SET_UP_THE_LISTENER)["status"] is True
        assert pfurl(pfdcm.port, CHECK_THE_TREE)["d_ret"]["PACS"]["orthanc"]["aet"] == "CHIPS"

        query = pfurl(pfdcm.port, QUERY.replace("<patient-id>", PATIENT_ID))["query"]
        found = {series["SeriesInstanceUID"]["value"] for study in query["data"] for series in study["series"]}
        assert SERIES in found

        uids = RETRIEVE.replace("<study-instance-uid>", STUDY).replace("<series-instance-uid>", SERIES)
        assert pfurl(pfdcm.port, uids)["retrieve"]["status"] == "success"

        deadline = time.monotonic() + SECONDS
        while not (reply := pfurl(pfdcm.port, RETRIEVE_STATUS.replace("<series-instance-uid>", SERIES)))["status"]:
            assert time.monotonic() < deadline, reply
        assert reply["retrieveStatus"]["numDCMfiles"] == 7
