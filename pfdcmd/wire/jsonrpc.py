"""JSON-RPC 2.0: the bytes of a call or a batch to requests, results and faults to the bytes of responses.

Source: JSON-RPC 2.0 Specification (2013-01-04). What a request is and how a response is laid out are jsonrpcserver's;
taking the text apart is ours, for its way answers a batch that has a malformed member with one error for all of them,
where section 6 wants one for each.

Code of an error    is
-32700, -32600      text that is not JSON, JSON that is no request
-32601, -32602      no such method, parameters that it does not take
-32603              something unexpected, with a reference that the log explains
1 to 599            a fault's own number (pfdcmd.errors): its family is the hundreds
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jsonrpcserver.codes import (
    ERROR_INTERNAL_ERROR,
    ERROR_INVALID_PARAMS,
    ERROR_INVALID_REQUEST,
    ERROR_METHOD_NOT_FOUND,
    ERROR_PARSE_ERROR,
)
from jsonrpcserver.request import Request
from jsonrpcserver.response import ErrorResponse, SuccessResponse, serialize_error, serialize_success
from jsonrpcserver.sentinels import NODATA, NOID

from pfdcmd.errors import Fault, InternalFault, LocalError, MessageFault, NotJson, ParameterFault
from pfdcmd.wire.pfdialect import parse_json

VERSION = "2.0"

_MEMBERS = frozenset({"jsonrpc", "method", "params", "id"})


@dataclass(frozen=True)
class Message:
    """What one text asks for: requests, and the errors of members that are none, in their order."""

    members: tuple[Request | ErrorResponse, ...]
    is_batch: bool = False


def decode_message(text: bytes, *, max_nesting: int, max_batch: int) -> Message:
    """Take a text apart; whatever is wrong with it is an error response in its place.

    Args: max_nesting: the levels of objects and lists that it may have. max_batch: the members of a batch.
    """
    try:
        value = parse_json(text.decode("utf-8-sig"), max_nesting=max_nesting, is_strict=True)
    except (UnicodeDecodeError, NotJson):
        return Message((ErrorResponse(ERROR_PARSE_ERROR, "Parse error", NODATA, None),))
    except MessageFault as fault:
        return Message((_invalid(fault),))
    if not isinstance(value, list):
        return Message((_decode_member(value),))
    if not value:
        return Message((_invalid(),))
    if len(value) > max_batch:
        return Message((_invalid(MessageFault(f"A batch has at most {max_batch} members here.")),))
    return Message(tuple(map(_decode_member, value)), is_batch=True)


def is_notification(request: Request) -> bool:
    """Whether nobody waits for an answer; an id of null is an id."""
    return request.id is NOID


def id_of(request: Request) -> Any:
    """The id to answer with; of a notification, which is not answered, null."""
    return None if is_notification(request) else request.id


def unknown_method(request: Request) -> ErrorResponse:
    """The error of a method that is not there."""
    return ErrorResponse(ERROR_METHOD_NOT_FOUND, "Method not found", NODATA, id_of(request))


def error_of(fault: Fault, request_id: Any, logged_as: str = "") -> ErrorResponse:
    """A fault as an error, whose data is {fault, number, do} and, where there is one, parameter; and

    request_id, under which the log has it (logged_as); reason, of a parameter that cannot be used; reference, of an
    internal error.
    """
    data: dict[str, Any] = {"fault": type(fault).__name__, "number": fault.number, "do": fault.do}
    if fault.parameter:
        data["parameter"] = fault.parameter
    if logged_as:
        data["request_id"] = logged_as
    if isinstance(fault, ParameterFault):
        return ErrorResponse(ERROR_INVALID_PARAMS, "Invalid params", {**data, "reason": fault.message}, request_id)
    if isinstance(fault, InternalFault):
        data["reference"] = fault.reference
        return ErrorResponse(ERROR_INTERNAL_ERROR, "Internal error", data, request_id)
    return ErrorResponse(fault.number, fault.message, data, request_id)


def encode_result(result: Any, request_id: Any) -> bytes:
    """A result as a response. Raises: LocalError: it holds what JSON cannot say."""
    return _encode(serialize_success(SuccessResponse(result, request_id)))


def encode_error(error: ErrorResponse) -> bytes:
    """An error as a response."""
    return _encode(serialize_error(error))


def encode_notification(method: str, params: Mapping[str, Any]) -> bytes:
    """What we tell a caller that did not ask. Raises: LocalError: it holds what JSON cannot say."""
    return _encode({"jsonrpc": VERSION, "method": method, "params": params})


def join_batch(responses: Iterable[bytes]) -> bytes:
    """The responses to the members of a batch."""
    return b"[" + b",".join(responses) + b"]"


def _decode_member(value: Any) -> Request | ErrorResponse:
    """A request, by the schema that jsonrpcserver has for it, checked by hand at a tenth of the time."""
    if not isinstance(value, dict) or value.get("jsonrpc") != VERSION:
        return _invalid()
    method, params, request_id = value.get("method"), value.get("params", []), value.get("id", NOID)
    if not isinstance(method, str) or not isinstance(params, list | dict):
        return _invalid()
    if request_id is not NOID and (
        isinstance(request_id, bool) or not (request_id is None or isinstance(request_id, str | int | float))
    ):
        return _invalid()
    if not value.keys() <= _MEMBERS:
        return _invalid(MessageFault("A request has jsonrpc, method, params and id, and nothing else."))
    return Request(method, params, request_id)


def _invalid(fault: MessageFault | None = None) -> ErrorResponse:
    """No request. Which id it had is not asked: section 5 has null there."""
    data = NODATA if fault is None else {"fault": type(fault).__name__, "reason": fault.message, "do": fault.do}
    return ErrorResponse(ERROR_INVALID_REQUEST, "Invalid Request", data, None)


def _encode(value: Any) -> bytes:
    try:
        return _ENCODER.encode(value).encode("ascii")
    except (ValueError, TypeError, RecursionError) as error:
        raise LocalError(f"a response holds what JSON cannot say: {error}") from error


def _plain(value: Any) -> dict[Any, Any]:
    """A directory of the tree is a read-only view, which the encoder does not know for an object."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_plain)
