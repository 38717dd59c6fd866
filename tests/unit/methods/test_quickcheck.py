"""What is told at once is what jsonschema says, for every method that there is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from pfdcmd.methods.quickcheck import compile_simple
from pfdcmd.methods.table import METHODS

_TEXTS = st.one_of(
    st.text(max_size=6), st.sampled_from(["", "1.2.3", "STUDY", "orthanc", "x" * 17, "1.2\n", "/PACS/orthanc/aec"])
)
_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-3, 100_000), st.floats(allow_nan=False), _TEXTS)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXTS, inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", METHODS)
def test_what_is_certainly_valid_is_valid(name, data):
    method = METHODS[name]
    names = st.one_of(st.sampled_from([*method.params, "other"]), _TEXTS)
    params = data.draw(st.dictionaries(names, _VALUES, max_size=4))
    if method.is_certainly_valid(params):
        assert Draft7Validator(method.params_schema).is_valid(params)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("tree.get", {"path": "/PACS"}),
        ("tree.set", {"path": "/PACS", "value": {"a": [1]}}),
        ("tree.list", {}),
        ("pacs.echo", {"pacs": "orthanc"}),
        ("retrieve.status", {"job": "a-job"}),
    ],
)
def test_frequent_calls_are_told_at_once(name, params):
    assert METHODS[name].is_certainly_valid(params)


@pytest.mark.parametrize(
    ("schema", "valid", "invalid"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 2}, ["a", "ab"], ["", "abc", 1, None, ["a"]]),
        ({"type": "string", "pattern": "^[0-9]+$"}, ["12"], ["1a", ""]),
        ({"type": "integer", "minimum": 1, "maximum": 3}, [1, 3], [0, 4, True, "1", 1.5]),
        ({"type": "boolean"}, [True, False], [0, 1, None]),
        ({"enum": ["a", "b"]}, ["a"], ["c", 1, ["a"]]),
        (
            {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 2},
            [[True]],
            [[], [1], [True] * 3],
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "required": ["a"],
                "additionalProperties": False,
            },
            [{"a": ""}],
            [{}, {"a": 1}, {"a": "", "b": 1}, []],
        ),
        (
            {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1},
            [{}, {"a": ""}],
            [{"a": 1}],
        ),
    ],
)
def test_simple_schemas(schema, valid, invalid):
    tell = compile_simple(schema)
    assert [tell(value) for value in valid] == [True] * len(valid)
    assert [tell(value) for value in invalid] == [False] * len(invalid)
    assert [Draft7Validator(schema).is_valid(value) for value in invalid] == [False] * len(invalid)


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [{"type": "string"}]},
        {"type": ["string", "integer"]},
        {"type": "string", "format": "date"},
        {"type": "integer", "multipleOf": 2},
        {"enum": [1]},
        {"type": "array", "items": [{"type": "string"}]},
        {"properties": {"a": {"type": "string"}}},
    ],
)
def test_of_other_schemas_nothing_is_told(schema):
    assert not any(compile_simple(schema)(value) for value in ("a", 1, ["a"], {"a": "b"}))
