import json

import pytest
from rpcfakes import call, make_method, make_rpc

SCHEMAS = {
    "path": {"type": "string", "maxLength": 5, "description": "a path. More of it"},
    "level": {"enum": ["STUDY", "SERIES"], "description": "the level"},
    "limit": {"type": "integer", "minimum": 1, "maximum": 9, "description": "how many"},
    "keys": {"type": "object", "additionalProperties": {"type": "string"}, "description": "the keys"},
    "series": {"type": "array", "items": {"type": "string", "pattern": "^[0-9.]+$"}, "description": "UIDs"},
}


def ask(params, **facts):
    method = make_method("ask", lambda: "done", params=SCHEMAS, required=("path",), **facts)
    return call(make_rpc(method), "ask", params)


@pytest.mark.parametrize(
    "params",
    [
        {"path": "/a"},
        ["/a"],
        ["/a", "STUDY", 9, {"PatientID": "1"}, ["1.2"]],
        {"series": ["1.2"], "limit": 1, "path": ""},
    ],
)
def test_by_name_and_by_position(params):
    assert ask(params)["result"] == "done"


@pytest.mark.parametrize(
    ("params", "parameter", "reason"),
    [
        ({}, "path", "path is missing: a path."),
        (None, "path", "path is missing: a path."),
        ([], "path", "path is missing: a path."),
        ({"path": 1}, "path", "path must be text: a path."),
        ({"path": None}, "path", "path must be text: a path."),
        ({"path": "secret"}, "path", "path is too long: at most 5: a path."),
        ({"path": "/", "level": "NURSE"}, "level", "level must be one of STUDY, SERIES: the level."),
        ({"path": "/", "limit": 0}, "limit", "limit must be at least 1: how many."),
        ({"path": "/", "limit": 99}, "limit", "limit must be at most 9: how many."),
        ({"path": "/", "limit": 1.5}, "limit", "limit must be a whole number: how many."),
        ({"path": "/", "limit": True}, "limit", "limit must be a whole number: how many."),
        ({"path": "/", "keys": {"PatientName": 7}}, "keys", "keys.PatientName must be text: the keys."),
        ({"path": "/", "series": ["x"]}, "series", "series[0] cannot be used: UIDs."),
        ({"path": "/", "paht": 1}, "paht", "ask has no such parameter; it has: path, level, limit, keys, series."),
    ],
)
def test_what_is_wrong_names_the_parameter_and_what_it_must_be(params, parameter, reason):
    error = ask(params)["error"]
    assert (error["code"], error["message"]) == (-32602, "Invalid params")
    assert (error["data"]["parameter"], error["data"]["reason"]) == (parameter, reason)
    assert error["data"]["do"]
    assert "secret" not in json.dumps(error)


def test_more_values_than_parameters():
    error = ask(["/", "STUDY", 1, {}, [], 6])["error"]
    assert error["data"]["reason"] == "ask takes at most 5 parameters: path, level, limit, keys, series."


def test_an_open_method_takes_what_it_is_given():
    assert ask({"path": "/", "anything": [1]}, is_open=True)["result"] == "done"
