"""The floor: the same bytes over a loopback socket into as many files, with the same fsyncs and nothing else.

One byte comes back for each file once it is safe, as a C-STORE response does. No protocol, no parsing, no filing.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import struct
import time
from pathlib import Path

_LENGTH = struct.Struct(">Q")
_BUFFER_BYTES = 1024 * 1024


def measure(files: tuple[Path, ...], directory: Path, *, durable: bool) -> float:
    """Seconds from the first byte sent to the last file acknowledged."""
    directory.mkdir(parents=True)
    payloads = [file.read_bytes() for file in files]
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = multiprocessing.get_context("fork").Process
        receiver = process(target=_receive, args=(server, len(payloads), directory, durable))
        receiver.start()
        with socket.create_connection(server.getsockname()) as sender:
            sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            start = time.perf_counter()
            for payload in payloads:
                sender.sendmsg([_LENGTH.pack(len(payload))])
                sender.sendall(payload)
                if sender.recv(1) != b"+":
                    raise RuntimeError("the floor's receiver broke off")
            seconds = time.perf_counter() - start
        receiver.join()
    return seconds


def _receive(server: socket.socket, count: int, directory: Path, durable: bool) -> None:
    connection, _ = server.accept()
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    directory_fd = os.open(directory, os.O_RDONLY)
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(count):
            _receive_file(connection, buffer, directory, directory_fd, number, durable)
    os.close(directory_fd)


def _receive_file(
    connection: socket.socket, buffer: memoryview, directory: Path, directory_fd: int, number: int, durable: bool
) -> None:
    (left,) = _LENGTH.unpack(connection.recv(_LENGTH.size, socket.MSG_WAITALL))
    part, final = directory / f"{number}.part", directory / f"{number}.dcm"
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    while left:
        received = connection.recv_into(buffer, min(left, _BUFFER_BYTES))
        if not received:
            raise RuntimeError("the floor's sender broke off")
        os.write(fd, buffer[:received])
        left -= received
    if durable:
        os.fdatasync(fd)
    os.close(fd)
    part.rename(final)
    if durable:
        os.fsync(directory_fd)
    connection.sendall(b"+")
