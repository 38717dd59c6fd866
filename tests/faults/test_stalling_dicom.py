"""500 stalling peers at the DICOM port: others are served meanwhile, these are put out, memory stays bounded."""

import struct

from bench.lean import encode, send
from integration.listenerprocess import running_workers, wait_for

from listener.dimse import C_ECHO_RQ, NO_DATA_SET
from listener.pdu import encode_command

from .images import broken, find, fingerprint, image
from .stalling import OTHERS, PEERS, PUT_OUT_SECONDS, RSS_BYTES, Manner, Stalling, descriptors, rss_bytes
from .targets import PROPOSAL

# What is served while they stall is served well before the first is put out.
IMAGES = 6


def us(element, number):
    return struct.pack("<HHIH", 0, element, 2, number)


def echo_request():
    """C-ECHO-RQ on context 3 of targets.PROPOSAL: PS3.7 section 9.3.5.1."""
    sop_class = b"1.2.840.10008.1.1\0"
    body = struct.pack("<HHI", 0, 0x0002, len(sop_class)) + sop_class
    body += us(0x0100, C_ECHO_RQ) + us(0x0110, 1) + us(0x0800, NO_DATA_SET)
    return encode_command(3, struct.pack("<HHII", 0, 0, 4, len(body)) + body, 16_384)


ONE_IMAGE = encode([image(999)])
# Those that never read are one in 25: until their buffers are full they have much done for them.
DICOM = [
    *[
        Manner("mute"),
        Manner("associated and mute", at_once=PROPOSAL),
        Manner("a proposal a byte a second", bytewise=PROPOSAL),
        Manner("an image a byte a second", at_once=ONE_IMAGE.associate + ONE_IMAGE.messages[0][:400], bytewise=b"\0"),
    ]
    * 6,
    Manner("never reads", at_once=PROPOSAL, unread=echo_request() * 3000),
]


def test_the_dicom_port(tmp_path):
    limits = {"artim_seconds": 6, "idle_timeout_seconds": 6, "association_timeout_seconds": 8}
    with running_workers(tmp_path / "site", 2, **limits) as workers:
        pids = [process.pid for process in workers.processes]
        before = descriptors(pids)
        stalling = Stalling(PEERS, workers.port, DICOM)
        try:
            stalling.start()
            images = [image(number) for number in range(IMAGES)]
            send("127.0.0.1", workers.port, encode(images))
            assert descriptors(pids) > before + PEERS // 5
            largest = rss_bytes(pids)
            wait_for(lambda: descriptors(pids) <= before + OTHERS, "all stalling peers are put out", PUT_OUT_SECONDS)
        finally:
            stalling.stop()
        data = tmp_path / "site" / "data"
        sent = {each.sop_instance: fingerprint(each) for each in images}
        assert find(data).keys() == sent.keys()
        assert broken(sent, data) == []
        assert largest < RSS_BYTES
        assert all(process.poll() is None for process in workers.processes)
        assert "Traceback" not in workers.errors()
        print(f"DICOM: {PEERS} stalling peers, {largest >> 20} MB")
