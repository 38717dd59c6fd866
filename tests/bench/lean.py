"""A lean C-STORE sender: every PDU is encoded beforehand, so that what is measured is the receiver.

    encoded = encode(images, max_pdu_bytes=1 << 20)
    seconds = send("127.0.0.1", 10402, encoded)

Run as a program it sends Part 10 files: `python tests/bench/lean.py PORT FILE...`.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

_PDU = struct.Struct(">BxI")
_PDV = struct.Struct(">IBB")
_US = struct.Struct("<HHIH")
_ELEMENT = struct.Struct("<HHI")


@dataclass(frozen=True)
class Image:
    """A data set as it goes over the wire."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    data_set: bytes


@dataclass(frozen=True)
class Encoded:
    """An association's bytes: the proposal, then one run of P-DATA-TF PDUs per image."""

    associate: bytes
    messages: list[bytes]


def image_of_file(path: Path) -> Image:
    """The data set of a Part 10 file, byte for byte."""
    data = path.read_bytes()
    meta = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
    length = struct.unpack_from("<I", data, 140)[0]
    return Image(
        str(meta.file_meta.MediaStorageSOPClassUID),
        str(meta.file_meta.MediaStorageSOPInstanceUID),
        str(meta.file_meta.TransferSyntaxUID),
        data[144 + length :],
    )


def encode(images: Iterable[Image], max_pdu_bytes: int = 1 << 20) -> Encoded:
    """Encode an association that stores the images in order."""
    contexts: dict[tuple[str, str], int] = {}
    messages = []
    for number, image in enumerate(images, 1):
        context_id = contexts.setdefault((image.sop_class, image.transfer_syntax), 2 * len(contexts) + 1)
        messages.append(message(image, context_id, number % 65536, max_pdu_bytes))
    return Encoded(_associate(contexts), messages)


def message(image: Image, context_id: int, message_id: int, max_pdu_bytes: int = 1 << 20) -> bytes:
    """The P-DATA-TF PDUs that store one image."""
    command = _command(image, message_id)
    return _p_data(context_id, command, 0x01, max_pdu_bytes) + _p_data(context_id, image.data_set, 0x00, max_pdu_bytes)


def send(host: str, port: int, encoded: Encoded) -> float:
    """Associate, store all, release. Returns the seconds of it. Raises: RuntimeError: a status was not success."""
    began = time.perf_counter()
    for status in store_each(host, port, encoded):
        if status:
            raise RuntimeError(f"status {status:#06x}")
    return time.perf_counter() - began


def store_each(host: str, port: int, encoded: Encoded, timeout_seconds: float = 600) -> Iterator[int]:
    """Associate, store one after the other, release. Yields: the status of each as it is answered.

    Raises: OSError, RuntimeError: the association was not accepted, or was cut off.
    """
    with socket.create_connection((host, port), timeout=timeout_seconds) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(encoded.associate)
        if _receive(sock)[0] != 2:
            raise RuntimeError("the association was not accepted")
        for message in encoded.messages:
            sock.sendall(message)
            answer = _receive(sock)
            if answer[0] != 4:
                raise RuntimeError("the association was aborted")
            yield _status(answer[12:])
        sock.sendall(_PDU.pack(5, 4) + bytes(4))
        _receive(sock)


def _receive(sock: socket.socket) -> bytes:
    header = _exactly(sock, 6)
    return header + _exactly(sock, _PDU.unpack(header)[1])


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise RuntimeError("the connection was closed")
        data += more
    return data


def _status(command: bytes) -> int:
    offset = 0
    while offset < len(command):
        _, element, length = _ELEMENT.unpack_from(command, offset)
        if element == 0x0900:
            return int(struct.unpack_from("<H", command, offset + 8)[0])
        offset += 8 + length
    return -1


def _p_data(context_id: int, content: bytes, control: int, max_pdu_bytes: int) -> bytes:
    room = max_pdu_bytes - 6
    pdus = []
    for start in range(0, len(content), room):
        piece = content[start : start + room]
        last = 0x02 if start + room >= len(content) else 0
        pdus += [_PDU.pack(4, len(piece) + 6), _PDV.pack(len(piece) + 2, context_id, control | last), piece]
    return b"".join(pdus)


def _command(image: Image, message_id: int) -> bytes:
    body = (
        _uid(0x0002, image.sop_class)
        + _US.pack(0, 0x0100, 2, 0x0001)
        + _US.pack(0, 0x0110, 2, message_id)
        + _US.pack(0, 0x0700, 2, 0)
        + _US.pack(0, 0x0800, 2, 0)
        + _uid(0x1000, image.sop_instance)
    )
    return _ELEMENT.pack(0, 0, 4) + struct.pack("<I", len(body)) + body


def _uid(element: int, uid: str) -> bytes:
    value = uid.encode() + b"\0" * (len(uid) % 2)
    return _ELEMENT.pack(0, element, len(value)) + value


def _associate(contexts: dict[tuple[str, str], int]) -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID("1.2.840.10008.3.1.1.1")
    primitive.calling_ae_title = "LEAN"
    primitive.called_ae_title = "ANY-SCP"
    maximum = MaximumLengthNotification()
    maximum.maximum_length_received = 16384
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID("1.2.3.4")
    primitive.user_information = [maximum, implementation]
    proposed = []
    for (sop_class, transfer_syntax), context_id in contexts.items():
        context = build_context(sop_class, transfer_syntax)
        context.context_id = context_id
        proposed.append(context)
    primitive.presentation_context_definition_list = proposed
    request = A_ASSOCIATE_RQ()
    request.from_primitive(primitive)
    return bytes(request.encode())


if __name__ == "__main__":
    print(f"{send('127.0.0.1', int(sys.argv[1]), encode(map(image_of_file, map(Path, sys.argv[2:])))):.3f} s")
