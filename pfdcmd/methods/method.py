"""A method: its name, who may call it, what it takes and gives, in words, schemas and examples, and what it does.

Everything about the methods comes from these values: the check of the parameters, rpc.discover, docs/api.md.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jsonschema import Draft7Validator

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Context
from pfdcmd.errors import Fault
from pfdcmd.methods.quickcheck import IsCertainlyValid, compile_simple

Schema = Mapping[str, Any]
"""A JSON Schema (draft 7, as OpenRPC has it); its `description` is what people read."""

Run = Callable[[Mapping[str, Any], Context, Caller], Awaitable[Any]]


@dataclass(frozen=True)
class Example:
    """A call that works and what it gives; what differs from run to run is an instance of the same schema."""

    name: str
    params: Mapping[str, Any]
    result: Any


@dataclass(frozen=True)
class Method:
    """Something callable by name.

    params: the parameters' schemas, in the order in which they may be given by position.
    is_open: parameters beside those are passed on as they are; a message of the old dialect has its own rules.
    errors: the faults that it raises beside those of its parameters.
    run: does it, and returns what `result` describes, or a Stream of it. Raises: Fault.
    """

    name: str
    summary: str
    right: Right
    run: Run
    result: Schema
    params: Mapping[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    errors: tuple[type[Fault], ...] = ()
    is_open: bool = False

    @cached_property
    def params_schema(self) -> Schema:
        """The parameters by name, as one object."""
        return {
            "type": "object",
            "properties": dict(self.params),
            "required": list(self.required),
            "additionalProperties": self.is_open,
        }

    @cached_property
    def validator(self) -> Draft7Validator:
        """Made once: the schema is looked through for nothing else than the parameters."""
        return Draft7Validator(self.params_schema)

    @cached_property
    def is_certainly_valid(self) -> IsCertainlyValid:
        """Tells most parameters that are valid without the validator; False says nothing."""
        return compile_simple(self.params_schema)


@dataclass(frozen=True)
class Stream:
    """A result that is sent piece by piece, each as a notification of this name, where the caller can be told so.

    items is closed when the caller goes away.
    """

    notification: str
    items: AsyncGenerator[Any, None]
