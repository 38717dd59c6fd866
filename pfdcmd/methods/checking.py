"""The parameters of a call, by name or by position, checked against the method's schema before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import ValidationError
from jsonschema.exceptions import best_match

from pfdcmd.errors import ParameterFault
from pfdcmd.methods.method import Method

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def check_params(method: Method, given: Mapping[str, Any] | list[Any]) -> Mapping[str, Any]:
    """The parameters by name.

    Raises: ParameterFault: naming the parameter and what it must be; the value itself is never repeated.
    """
    params = given if isinstance(given, Mapping) else _by_name(method, given)
    if not method.is_certainly_valid(params) and not method.validator.is_valid(params):
        error = best_match(method.validator.iter_errors(params))
        raise _fault(method, error, params)
    return params


def _by_name(method: Method, given: list[Any]) -> Mapping[str, Any]:
    if len(given) > len(method.params):
        names = ", ".join(method.params) or "none"
        raise ParameterFault(f"{method.name} takes at most {len(method.params)} parameters: {names}.")
    return dict(zip(method.params, given, strict=False))


def _fault(method: Method, error: ValidationError, params: Mapping[str, Any]) -> ParameterFault:
    if error.validator == "required" and not error.absolute_path:
        name = next(each for each in method.required if each not in params)
        return ParameterFault(f"{name} is missing: {_meaning(method, name)}.", parameter=name)
    if not error.absolute_path:
        unknown = min(set(params) - set(method.params), default="")
        names = ", ".join(method.params) or "none"
        return ParameterFault(f"{method.name} has no such parameter; it has: {names}.", parameter=unknown[:64])
    name = str(error.absolute_path[0])
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:64]}" for part in error.absolute_path)[1:]
    return ParameterFault(f"{where} {_must(error)}: {_meaning(method, name)}.", parameter=name)


def _must(error: ValidationError) -> str:
    """What the value would have to be."""
    wanted: Any = error.validator_value
    match error.validator:
        case "type":
            kinds = [wanted] if isinstance(wanted, str) else wanted
            return "must be " + " or ".join(_TYPES[kind] for kind in kinds)
        case "enum":
            return "must be one of " + ", ".join(map(str, wanted))
        case "minimum":
            return f"must be at least {wanted}"
        case "maximum":
            return f"must be at most {wanted}"
        case "maxLength" | "maxItems" | "maxProperties":
            return f"is too long: at most {wanted}"
        case "minLength" | "minItems" | "minProperties":
            return "must not be empty"
        case _:
            return "cannot be used"


def _meaning(method: Method, name: str) -> str:
    """The first sentence of what the schema says of it."""
    described = str(method.params.get(name, {}).get("description", "see docs/api.md"))
    return described.split(". ", maxsplit=1)[0].rstrip(".")
