"""The schemas that several methods share: one name, one meaning, everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.methods.method import Schema
from pfdcmd.pacs.level import LEVELS

_UID = {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)*$", "maxLength": 64}

PATH: Schema = {
    "type": "string",
    "maxLength": 65_536,
    "description": "a path in the data tree, as /PACS/orthanc/aec. / is the root",
}
VALUE: Schema = {"description": "anything that JSON can say; a dictionary is a directory"}
PACS: Schema = {"type": "string", "minLength": 1, "maxLength": 1024, "description": "the name of an entry below /PACS"}
STUDY: Schema = {**_UID, "description": "a StudyInstanceUID"}
SERIES: Schema = {**_UID, "description": "a SeriesInstanceUID"}
JOB: Schema = {"type": "string", "minLength": 1, "maxLength": 64, "description": "a job, as retrieve.start named it"}
SERVICE: Schema = {"type": "string", "minLength": 1, "maxLength": 64, "description": "the name of a listener's service"}
LEVEL: Schema = {"enum": list(LEVELS), "description": "the QueryRetrieveLevel (PS3.4 section C.6)"}
AE_TITLE: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 16,
    "description": "an AE title: up to 16 printable ASCII characters, no backslash",
}
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}


def limit_schema(default: int, maximum: int, what: str) -> Schema:
    """How many of something at most."""
    return {
        "type": "integer",
        "minimum": 1,
        "maximum": maximum,
        "default": default,
        "description": f"at most so many {what}",
    }


def record_schema(properties: Mapping[str, Schema], *, optional: tuple[str, ...] = (), what: str = "") -> Schema:
    """An object that has these properties, and perhaps others in times to come."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
    }
    return {**schema, "description": what} if what else schema


def list_schema(items: Schema, what: str = "") -> Schema:
    """A list of such items."""
    schema: dict[str, Any] = {"type": "array", "items": items}
    return {**schema, "description": what} if what else schema
