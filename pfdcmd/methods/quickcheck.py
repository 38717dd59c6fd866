"""The simple part of JSON Schema as closures: what most parameters need, at a tenth of the time.

It says of a value that it is certainly valid, or nothing. Whatever it cannot tell, an invalid value above all, is left
to jsonschema, whose word alone refuses anything. A schema with a keyword that is not among these is never simple:
type (one of them, not null and not number), enum of texts, minLength, maxLength, pattern, minimum, maximum, items,
minItems, maxItems, properties, required, additionalProperties, minProperties, maxProperties, and words for people.

Source: JSON Schema Validation, draft 7, section 6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

IsCertainlyValid = Callable[[Any], bool]

_WORDS = frozenset({"description", "default"})
_OF_TEXT = frozenset({"type", "minLength", "maxLength", "pattern"})
_OF_INTEGERS = frozenset({"type", "minimum", "maximum"})
_OF_LISTS = frozenset({"type", "items", "minItems", "maxItems"})
_OF_OBJECTS = frozenset({"type", "properties", "required", "additionalProperties", "minProperties", "maxProperties"})
_UNBOUNDED = float("inf")


def compile_simple(schema: Mapping[str, Any]) -> IsCertainlyValid:
    """What tells valid values at once; of a schema that is not simple, one that never does."""
    keywords = schema.keys() - _WORDS
    if not keywords:
        return _anything
    if keywords == {"enum"}:
        return _enum(schema["enum"])
    match schema.get("type"):
        case "string" if keywords <= _OF_TEXT:
            return _text(schema)
        case "integer" if keywords <= _OF_INTEGERS:
            return _integer(schema)
        case "boolean" if keywords == {"type"}:
            return _boolean
        case "array" if keywords <= _OF_LISTS:
            return _list(schema)
        case "object" if keywords <= _OF_OBJECTS:
            return _object(schema)
    return _nothing


def _anything(_value: Any) -> bool:
    return True


def _nothing(_value: Any) -> bool:
    return False


def _boolean(value: Any) -> bool:
    return value is True or value is False


def _enum(members: list[Any]) -> IsCertainlyValid:
    """Texts alone: what equals a number in Python need not do so in JSON."""
    texts = frozenset(member for member in members if isinstance(member, str))
    return lambda value: isinstance(value, str) and value in texts


def _text(schema: Mapping[str, Any]) -> IsCertainlyValid:
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", _UNBOUNDED)
    if "pattern" not in schema:
        return lambda value: isinstance(value, str) and shortest <= len(value) <= longest
    search = re.compile(schema["pattern"]).search
    return lambda value: isinstance(value, str) and shortest <= len(value) <= longest and search(value) is not None


def _integer(schema: Mapping[str, Any]) -> IsCertainlyValid:
    """In Python True is an integer and 1.0 is none; in JSON Schema it is the other way round."""
    least, most = schema.get("minimum", -_UNBOUNDED), schema.get("maximum", _UNBOUNDED)
    return lambda value: type(value) is int and least <= value <= most


def _list(schema: Mapping[str, Any]) -> IsCertainlyValid:
    is_item = _below(schema.get("items", True))
    fewest, most = schema.get("minItems", 0), schema.get("maxItems", _UNBOUNDED)
    return lambda value: isinstance(value, list) and fewest <= len(value) <= most and all(map(is_item, value))


def _object(schema: Mapping[str, Any]) -> IsCertainlyValid:
    properties = {name: _below(each) for name, each in schema.get("properties", {}).items()}
    is_other = _below(schema.get("additionalProperties", True))
    required = frozenset(schema.get("required", ()))
    fewest, most = schema.get("minProperties", 0), schema.get("maxProperties", _UNBOUNDED)

    def is_object(value: Any) -> bool:
        if not isinstance(value, dict) or not fewest <= len(value) <= most or not required <= value.keys():
            return False
        return all(properties.get(name, is_other)(item) for name, item in value.items())

    return is_object


def _below(schema: Any) -> IsCertainlyValid:
    """A schema within another may also be true or false."""
    if isinstance(schema, bool):
        return _anything if schema else _nothing
    return compile_simple(schema) if isinstance(schema, Mapping) else _nothing
