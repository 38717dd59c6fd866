"""500 stalling callers at the HTTP port: others are served meanwhile, these are put out, memory stays bounded."""

from integration.listenerprocess import wait_for
from pfdcmprocess import running

from .stalling import OTHERS, PEERS, PUT_OUT_SECONDS, RSS_BYTES, Manner, Stalling, descriptors, rss_bytes

GET_ALL = b'{"action": "internalctl", "meta": {"var": "/", "get": "value"}}'
POST = b"POST /api/v1/cmd HTTP/1.1\r\nHost: pfdcm\r\nContent-Length: %d\r\n\r\n"
HTTP = [
    *[
        Manner("mute"),
        Manner("a header a byte a second", bytewise=b"POST /api/v1/cmd HTTP/1.1\r\nX-Long: " + b"x" * 200),
        Manner("a body a byte a second", at_once=POST % 1000, bytewise=b" "),
    ]
    * 8,
    Manner("never reads", unread=(POST % len(GET_ALL) + GET_ALL) * 100),
]


def test_the_http_port(tmp_path):
    with running(tmp_path, "--forever", "--httpResponse", "--requestSeconds", "6") as pfdcm:
        pids = [pfdcm.process.pid]
        before = descriptors(pids)
        stalling = Stalling(PEERS, pfdcm.port, HTTP)
        try:
            stalling.start()
            for _ in range(20):
                assert pfdcm.ask("hello", {"askAbout": "timestamp"})["status"] is True
            assert descriptors(pids) > before + PEERS // 5
            largest = rss_bytes(pids)
            wait_for(lambda: descriptors(pids) <= before + OTHERS, "all stalling peers are put out", PUT_OUT_SECONDS)
            largest = max(largest, rss_bytes(pids))
        finally:
            stalling.stop()
        assert pfdcm.ask("hello", {"askAbout": "timestamp"})["status"] is True
        assert largest < RSS_BYTES
        assert "Traceback" not in pfdcm.log
        print(f"HTTP: {PEERS} stalling peers, {largest >> 20} MB")
