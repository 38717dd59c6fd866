from types import SimpleNamespace

import pytest

from pfdcmd.actions.audited import audited, audited_params
from pfdcmd.tree.store import Tree
from pfdcmd.wire.pfdialect import Call

CONTEXT = SimpleNamespace(
    tree=Tree({"PACS": {"main": {"aet": "A"}}}), listeners=SimpleNamespace(listing=lambda: {"heart": {}})
)
DOE = "DOE^JANE"


@pytest.mark.parametrize(
    ("action", "meta", "what", "details"),
    [
        ("hello", {"askAbout": DOE}, "hello", {}),
        (DOE, {}, "unknown action", {}),
        ("internalctl", {"var": "/PACS/main", "get": "value"}, "get", {"path": "/PACS/main"}),
        ("internalctl", {"var": f"/PACS/{DOE}/x", "set": DOE}, "set", {"path": "/PACS/..."}),
        ("internalctl", {"var": DOE, "valueReplace": DOE}, "valueReplace", {}),
        ("internalctl", {"var": 1}, "internalctl", {}),
        ("xinetd", {"object": "service", "do": "restart"}, "xinetd service restart", {}),
        ("xinetd", {"object": DOE, "do": ["x"]}, "xinetd", {}),
        (
            "PACSinteract",
            {"do": "query", "PACS": "main", "on": {"PatientName": DOE, "StudyInstanceUID": "1.2", DOE: "x"}},
            "query",
            {"pacs": "main", "keys": ["PatientName", "StudyInstanceUID"], "uids": ["1.2"]},
        ),
        (
            "PACSinteract",
            {"do": "retrieve", "PACS": DOE, "on": {"SeriesInstanceUID": DOE}},
            "retrieve",
            {"pacs": "unknown", "keys": ["SeriesInstanceUID"]},
        ),
        ("PACSinteract", {"do": [DOE], "PACS": [], "on": DOE}, "PACSinteract", {"pacs": "unknown"}),
        (
            "internalDB",
            {"do": "copy", "on": {"series_uid": "1.2.3"}, "to": {"path": "/out"}},
            "copy",
            {"keys": ["series_uid"], "uids": ["1.2.3"], "path": "/out"},
        ),
        ("serverctl", {"ctl": {"serverCmd": "quit"}}, "quit", {}),
        ("serverctl", {"ctl": {"serverCmd": DOE}}, "serverctl", {}),
    ],
)
def test_what_is_taken_over_of_a_message(action, meta, what, details):
    assert audited(Call(action, meta), CONTEXT) == (what, details)


@pytest.mark.parametrize(
    ("method", "params", "details"),
    [
        ("tree.set", {"path": f"/PACS/{DOE}", "value": DOE}, {"path": "/PACS/..."}),
        ("tree.replace", {"old": DOE, "new": DOE}, {}),
        ("pacs.add", {"pacs": DOE, "host": DOE}, {"pacs": "unknown"}),
        (
            "pacs.find",
            {"pacs": "main", "level": DOE, "keys": {"PatientID": DOE, "StudyInstanceUID": "1.2", DOE: DOE}},
            {"pacs": "main", "keys": ["PatientID", "StudyInstanceUID"], "uids": ["1.2"]},
        ),
        (
            "retrieve.start",
            {"pacs": "main", "series": ["1.3", "1.2", DOE, 1]},
            {"pacs": "main", "uids": ["1.2", "1.3"]},
        ),
        ("retrieve.cancel", {"job": "0f-1"}, {"job": "0f-1"}),
        ("retrieve.cancel", {"job": DOE}, {}),
        ("files.copy", {"series": "1.2", "path": "/out"}, {"uids": ["1.2"], "path": "/out"}),
        ("listener.restart", {"service": "heart"}, {"service": "heart"}),
        ("listener.restart", {"service": DOE}, {}),
        ("events.subscribe", {"topic": DOE}, {}),
    ],
)
def test_what_is_taken_over_of_a_methods_parameters(method, params, details):
    assert audited_params(method, params, CONTEXT) == details
