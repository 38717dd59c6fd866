import json
import math
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfdcmd.errors import LocalError
from pfdcmd.wire.jsontext import format_json

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_it_is_what_the_standard_library_writes(value):
    assert format_json(value) == json.dumps(value, indent=4)


@pytest.mark.parametrize("value", [{}, [], {"a": {}}, [[]], (), "\ud800", "\r\n\0", -0.0, 1e308, 10**30])
def test_odd_values_are_what_the_standard_library_writes(value):
    assert format_json(value) == json.dumps(value, indent=4)


def test_the_trees_own_nodes_are_written():
    assert json.loads(format_json(MappingProxyType({"a": (1, MappingProxyType({}))}))) == {"a": [1, {}]}


@pytest.mark.parametrize("value", [math.nan, math.inf, b"", {1: 2}, {"a": object()}, {1, 2}])
def test_what_json_cannot_say_is_our_own_fault(value):
    with pytest.raises(LocalError):
        format_json(value)
