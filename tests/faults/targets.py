"""What fuzzing feeds: for each kind of input that a stranger can send, a function that takes any bytes and must return.

A target raises when the code under it does what it must not: another exception than the one that its contract names, an
answer that depends on how the bytes were cut into pieces, a path that leads out of the data directory, a tree that
miscounts. Fuzzing looks for such bytes (`fuzz`), `test_corpus` replays those that were found interesting. No I/O.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress

from listener.association import Association, Ended, Opened
from listener.dimse import RESPONSE, SUCCESS, decode_command, encode_response
from listener.elements import decode_elements
from listener.errors import PeerError
from listener.messages import StoreData, StoreEnded
from listener.naming import MAX_COMPONENT_BYTES, conflicting_name, map_file, place, series_info
from listener.scanner import Malformed, NeedMore, scan
from pfdcmd.errors import MessageFault, ServiceFileFault, TreeFault, TreeTooLarge
from pfdcmd.service.catalogue import Reading, make_catalogue
from pfdcmd.tree.node import weigh
from pfdcmd.tree.snapshot import format_snapshot, parse_snapshot
from pfdcmd.tree.store import MISSING, Tree
from pfdcmd.wire.pfdialect import decode_message, encode_reply
from pfdcmd.wire.xinetdconf import parse_service_file

MAX_PDU_BYTES = 65_536
MAX_NESTING = 64
_MAX_TREE_ENTRIES = 64
_SYNTAXES = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.90",
)


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def _proposal() -> bytes:
    """An A-ASSOCIATE-RQ for CT images in explicit and for C-ECHO in implicit little endian: PS3.8 section 9.3.2."""
    contexts = b""
    for number, abstract, transfer in (
        (1, b"1.2.840.10008.5.1.4.1.1.2", _SYNTAXES[1]),
        (3, b"1.2.840.10008.1.1", _SYNTAXES[0]),
    ):
        contexts += _item(0x20, bytes((number, 0, 0, 0)) + _item(0x30, abstract) + _item(0x40, transfer.encode()))
    user = _item(0x50, _item(0x51, struct.pack(">I", 16_384)) + _item(0x52, b"1.2.3"))
    body = struct.pack(">HH16s16s32x", 1, 0, b"ANY-SCP".ljust(16), b"FUZZ".ljust(16))
    body += _item(0x10, b"1.2.840.10008.3.1.1.1") + contexts + user
    return struct.pack(">BxI", 1, len(body)) + body


PROPOSAL = _proposal()


def association(data: bytes) -> None:
    """PDUs. The first byte: its high bit, whether a proper proposal comes first; the rest, how the bytes are cut."""
    if not data:
        return
    stream = (PROPOSAL if data[0] & 0x80 else b"") + data[1:]
    whole = _converse(stream, len(stream) or 1)
    parted = _converse(stream, 1 + (data[0] & 0x7F))
    if whole != parted:
        raise AssertionError(f"cut otherwise it is another conversation: {whole!r:.300} and {parted!r:.300}")


def _converse(stream: bytes, size: int) -> tuple[list[str], int, bytes]:
    """What a listener makes of a peer's bytes: events by name, bytes of data sets, what it answers."""
    conversation = Association(MAX_PDU_BYTES)
    said: list[str] = []
    stored = 0
    output = b""
    for start in range(0, len(stream), size):
        if conversation.is_over:
            break
        for event in conversation.receive(memoryview(stream)[start : start + size]):
            if isinstance(event, StoreData):
                stored += len(event.data)
                continue
            said.append(event.outcome if isinstance(event, Ended) else type(event).__name__)
            if isinstance(event, Opened):
                said.append(f"{event.calling_ae} {event.called_ae}")
            if isinstance(event, StoreEnded):
                conversation.respond(SUCCESS)
        output += conversation.take_output()
    return said, stored, output


def command_set(data: bytes) -> None:
    """A command set. What can be read must be answered, and the answer be one that can be read."""
    with suppress(PeerError):
        command = decode_command(data)
        encoded = encode_response(command, SUCCESS)
        answer = decode_command(encoded)
        responded_to = struct.pack("<HHIH", 0, 0x0120, 2, command.message_id)
        if answer.field != command.field | RESPONSE or answer.has_data_set or responded_to not in encoded:
            raise AssertionError(f"{command} was answered by {answer}")


def data_set(data: bytes) -> None:
    """A data set; the first byte chooses the transfer syntax. Where it would be filed is inside, and has a name."""
    if not data:
        return
    syntax, content = _SYNTAXES[data[0] % len(_SYNTAXES)], data[1:]
    whole = _scan(content, len(content), syntax)
    if whole is NeedMore:
        raise AssertionError("more is wanted than there is")
    begun = _scan(content[: len(content) // 2], len(content), syntax)
    if begun not in (whole, NeedMore):
        raise AssertionError(f"half of it and all of it differ: {begun!r:.200}, {whole!r:.200}")
    if not isinstance(whole, dict):
        return
    elements = decode_elements(whole)
    where = place(elements)
    names = [where.patient_dir, where.study_dir, where.series_dir, where.file_name]
    names += [conflicting_name(where.file_name, "0" * 64), map_file(elements.series_uid, "/data").name]
    for name in names:
        encoded = name.encode()
        if not name or name in (".", "..") or b"/" in encoded or b"\0" in encoded or len(encoded) > MAX_COMPONENT_BYTES:
            raise AssertionError(f"no name for a file: {name!r}")
    series_info(elements, "/data").text.encode()


def _scan(content: bytes, total: int, syntax: str) -> dict[int, bytes] | type[Malformed] | type[NeedMore]:
    try:
        return scan(content, 0, total, syntax)
    except Malformed:
        return Malformed
    except NeedMore:
        return NeedMore


def service_file(data: bytes) -> None:
    """A service file, up to the services that it declares; a fault names the file and a line."""
    text = data.decode("utf-8", "replace")
    try:
        parsed = parse_service_file(text, "fuzzed")
    except ServiceFileFault as fault:
        if not fault.message.startswith("fuzzed:"):
            raise AssertionError(f"whose fault is {fault.message!r}") from fault
        return
    made = make_catalogue(Reading((parsed,)), (), workers=2, drain_seconds=60, is_there={})
    for message in made.faults.values():
        if not message.startswith("fuzzed:"):
            raise AssertionError(f"whose fault is {message!r}")
    if made.faults and made.services:
        raise AssertionError("a file with a fault changes nothing")


def message(data: bytes) -> None:
    """A body of the pf dialect; what can be read can be said in a reply, which callers can take apart."""
    try:
        call = decode_message(data, max_nesting=MAX_NESTING)
    except MessageFault as fault:
        encode_reply({"status": False, "msg": fault.message}, double_header=True)
        return
    reply = encode_reply({"status": True, "meta": call.meta}, double_header=True)
    if reply.count(b"\r") != 4:
        raise AssertionError("callers split the reply at its four carriage returns")
    if json.loads(reply.split(b"\r\n\r\n")[-1])["meta"] != call.meta:
        raise AssertionError("the reply says something else")


def tree(data: bytes) -> None:
    """Changes of a tree, one a line: an operation's letter, a path, a tab, JSON. One that fails changes nothing."""
    held = Tree(max_leaves=_MAX_TREE_ENTRIES, max_characters=4096)
    for line in data.decode("utf-8", "replace").split("\n")[:200]:
        path, _, text = line[1:].partition("\t")
        try:
            value = json.loads(text) if text else None
        except (ValueError, RecursionError):
            value = text
        before = held.snapshot()
        try:
            _change(held, line[:1], path, value)
        except (TreeFault, TreeTooLarge):
            if held.snapshot() is not before:
                raise AssertionError("a change that failed has changed the tree") from None
        _check_tree(held, _MAX_TREE_ENTRIES)


def _change(held: Tree, operation: str, path: str, value: object) -> None:
    if operation == "m" and isinstance(value, Mapping):
        held.merge(path, value)
    elif operation == "r":
        held.replace_value(path, value)
    else:
        held.set(path, value)
        if held.get(path) is MISSING:
            raise AssertionError(f"nothing is where it was set: {path!r}")


def _check_tree(held: Tree, limit: int) -> None:
    now = held.snapshot()
    counted = weigh(now.root) if now.version else now.weight
    # the root itself is an entry to weigh, and none that a change brought
    if counted.characters != now.weight.characters or not 0 <= counted.entries - now.weight.entries <= 1:
        raise AssertionError(f"miscounted: {now.weight}, and it is {counted}")
    if now.weight.entries > limit:
        raise AssertionError("over its limit")
    text = format_snapshot(now.root)
    with suppress(TreeFault):
        if format_snapshot(Tree(parse_snapshot(text)).snapshot().root) != format_snapshot(
            {key: value for key, value in now.root.items() if key != "this"}
        ):
            raise AssertionError("saved and loaded it is another tree")


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "association": association,
    "command_set": command_set,
    "data_set": data_set,
    "service_file": service_file,
    "message": message,
    "tree": tree,
}
