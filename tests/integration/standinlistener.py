"""A program in the listener's place: answers C-ECHO on descriptor 0, reports as workers do, drains on SIGTERM.

It ends at once when its data directory is not there. Run in a package `listener` as `cli.py`, with the same options.
"""

import json
import os
import pathlib
import signal
import socket
import struct
import sys
import threading
import time
import zlib

configuration = json.loads(pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
if not pathlib.Path(configuration["data_dir"]).is_dir():
    sys.exit("the data directory is not there")


def item(kind, body):
    return struct.pack(">BxH", kind, len(body)) + body


def element(number, body):
    return struct.pack("<HHI", 0, number, len(body)) + body


IMPLICIT = item(0x40, b"1.2.840.10008.1.2")
USER = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3"))


def accept(body):
    context_id = body[body.index(b"\x20\0", 68) + 4]
    application = item(0x10, b"1.2.840.10008.3.1.1.1")
    return 2, body[:68] + application + item(0x21, bytes([context_id, 0, 0, 0]) + IMPLICIT) + USER


def echo(body):
    at = body.index(element(0x110, b"..")[:8]) + 8
    command = element(0x2, b"1.2.840.10008.1.1\0") + element(0x100, b"\x30\x80") + element(0x120, body[at : at + 2])
    command += element(0x800, b"\x01\x01") + element(0x900, b"\0\0")
    command = element(0, struct.pack("<I", len(command))) + command
    return 4, struct.pack(">IBB", len(command) + 2, body[4], 3) + command


ANSWERS = {1: accept, 4: echo, 5: lambda body: (6, body)}


def serve(connection):
    serving.append(connection)
    try:
        answer(connection)
    finally:
        serving.remove(connection)


def answer(connection):
    with connection, connection.makefile("rb") as stream:
        while len(header := stream.read(6)) == 6:
            kind, length = struct.unpack(">BxI", header)
            kind, body = ANSWERS[kind](stream.read(length))
            connection.sendall(struct.pack(">BxI", kind, len(body)) + body)


serving, is_draining = [], threading.Event()


def report():
    values = {
        "pid": os.getpid(),
        "heartbeat": time.monotonic(),
        "is_draining": is_draining.is_set(),
        "associations_open": len(serving),
        "associations_total": 0,
        "images": 0,
        "size_bytes": 0,
        "refused": {},
        "last_error": "",
    }
    text = json.dumps(values).encode()
    path = pathlib.Path(sys.argv[sys.argv.index("--report-file") + 1])
    path.with_suffix(".new").write_bytes(b"%08x " % zlib.crc32(text) + text)
    path.with_suffix(".new").rename(path)


def keep_reporting():
    while True:
        report()
        time.sleep(0.05)


def drain():
    while serving:
        time.sleep(0.02)
    os._exit(0)


def end(*_):
    is_draining.set()
    listening.close()
    threading.Thread(target=drain).start()
    while True:
        signal.pause()


listening = socket.socket(fileno=0)
signal.signal(signal.SIGTERM, end)
threading.Thread(target=keep_reporting, daemon=True).start()
while True:
    threading.Thread(target=serve, args=(listening.accept()[0],)).start()
