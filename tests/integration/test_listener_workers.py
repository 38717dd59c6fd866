"""Workers over real sockets: many peers, slow peers, killed workers, draining."""

import socket
import struct
import threading
import time

import psutil
import pytest
from bench.lean import Image, encode, send
from listenerprocess import running_workers, wait_for
from pydicom import dcmread
from smallimages import CT, EXPLICIT_LITTLE, small_image

RELEASE_RP = struct.pack(">BxI", 6, 4) + bytes(4)
RELEASE_RQ = struct.pack(">BxI", 5, 4) + bytes(4)


def in_threads(calls, seconds=60):
    results = [None] * len(calls)

    def run(index, call):
        try:
            results[index] = call()
        except (OSError, RuntimeError) as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
        assert not thread.is_alive()
    return results


def begin(port, encoded, size):
    """Associate, send the first `size` bytes of the messages, and leave it at that."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=30)
    sock.sendall(encoded.associate)
    assert sock.recv(1) == b"\x02"
    sock.sendall(b"".join(encoded.messages)[:size])
    return sock


def test_64_associations_store_into_one_series_at_once(tmp_path):
    with running_workers(tmp_path / "site") as workers:
        sets = [encode([small_image(100 * sender + n) for n in range(5)] + [small_image(9999)]) for sender in range(64)]
        assert not [
            each
            for each in in_threads([lambda e=e: send("127.0.0.1", workers.port, e) for e in sets])
            if isinstance(each, Exception)
        ]
        wait_for(lambda: workers.named("series.info") and not workers.spooled(), "the series is closed")
        assert len(workers.images()) == 64 * 5 + 1
        assert not workers.named("*differs*")
        for path in workers.images():
            filed = dcmread(path)
            assert filed.PixelData == bytes([filed.InstanceNumber % 251]) * 20_000
        lines = workers.run_log().splitlines()
        assert len(lines) == 64
        assert all("images=6 bytes=" in line and 'outcome="released"' in line for line in lines)


def test_256_associations_open_at_once_on_two_workers(tmp_path):
    with running_workers(tmp_path / "site", ack="written") as workers:
        barrier = threading.Barrier(256)
        encoded = [encode([small_image(number)]) for number in range(256)]

        def one(each):
            with socket.create_connection(("127.0.0.1", workers.port), timeout=60) as sock:
                sock.sendall(each.associate)
                answer = sock.recv(1)
                barrier.wait(60)
                sock.sendall(each.messages[0])
                sock.recv(65536)
                sock.recv(1) if len(answer) else None
                return answer

        before = workers.rss_bytes()
        threads = [threading.Thread(target=one, args=(each,)) for each in encoded]
        for thread in threads:
            thread.daemon = True
            thread.start()
        wait_for(lambda: len(workers.images()) == 256, "every image of 256 associations is filed", 60)
        assert max(workers.rss_bytes()) < 200 * 2**20, before


def test_memory_with_128_associations_and_with_a_large_image(tmp_path):
    with running_workers(tmp_path / "site", 1, ack="written") as workers:
        half = encode([small_image(1, size=2_000_000)])
        socks = [begin(workers.port, half, 1_500_000) for _ in range(128)]
        wait_for(lambda: workers.incoming() == 128, "128 images are on their way")
        send("127.0.0.1", workers.port, encode([small_image(2, size=200 * 2**20)]))
        assert workers.rss_bytes()[0] < 120 * 2**20
        for sock in socks:
            sock.close()
        wait_for(lambda: not workers.incoming() and not workers.spooled(), "what was cut off is gone")
        assert len(workers.images()) == 1


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_worker_killed_in_mid_transfer_leaves_whole_images_only(tmp_path, share):
    with running_workers(tmp_path / "site", 1, cleaning_seconds=0.2) as workers:
        encoded = encode([small_image(1), small_image(2, size=3_000_000)])
        first = len(encoded.messages[0])
        sock = begin(workers.port, encoded, first + int(len(encoded.messages[1]) * share))
        wait_for(lambda: len(workers.images()) == 1, "the first image is filed")
        if share:
            wait_for(lambda: workers.incoming() == 1, "the second is on its way")
        workers.kill(workers.processes[0])
        sock.close()
        assert len(workers.images()) == 1
        assert workers.named("receiving.series")
        workers.start_another()
        wait_for(lambda: workers.named("series.info") and not workers.spooled(), "what it left is cleaned up")
        assert len(workers.images()) == 1
        assert "closed a series that was abandoned" in workers.errors()
        send("127.0.0.1", workers.port, encoded)
        assert len(workers.images()) == 2
        assert not workers.named("*differs*")


def test_killing_workers_refuses_nobody_while_another_lives(tmp_path):
    with running_workers(tmp_path / "site", 2) as workers:
        encoded = [encode([small_image(number)]) for number in range(60)]
        for number, each in enumerate(encoded):
            if number in (20, 40):
                workers.kill(workers.processes[0])
                del workers.processes[0]
                workers.start_another()
            deadline = time.monotonic() + 20
            while True:
                try:
                    send("127.0.0.1", workers.port, each)
                    break
                except RuntimeError:
                    # The killed worker had it: a sender tries again.
                    assert time.monotonic() < deadline
        assert len(workers.images()) == 60


def test_a_stalled_sender_is_timed_out_and_harms_nobody(tmp_path):
    with running_workers(tmp_path / "site", 1, idle_timeout_seconds=1.5, artim_seconds=1.0) as workers:
        stalled = begin(workers.port, encode([small_image(1, size=500_000)]), 100_000)
        mute = socket.create_connection(("127.0.0.1", workers.port), timeout=30)
        send("127.0.0.1", workers.port, encode([small_image(number) for number in range(2, 22)]))
        assert mute.recv(10) == b""
        stalled.settimeout(30)
        received = b""
        while chunk := stalled.recv(4096):
            received += chunk
        assert received.endswith(b"\x07\0\0\0\0\x04\0\0\0\0")
        wait_for(lambda: not workers.spooled(), "its part is removed")
        assert len(workers.images()) == 20
        mute.close()
        stalled.close()


def test_a_peer_that_does_not_read_answers_is_timed_out(tmp_path):
    with running_workers(tmp_path / "site", 1, idle_timeout_seconds=1.0, ack="written") as workers:
        sock = socket.create_connection(("127.0.0.1", workers.port), timeout=30)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # Refused by its UID at once: answers are what counts here.
        encoded = encode([Image(CT, "not a UID", EXPLICIT_LITTLE, b"x")])
        sock.sendall(encoded.associate)
        message = encoded.messages[0] * 500
        with pytest.raises(OSError):
            for _ in range(200):
                sock.sendall(message)
        sock.close()
        send("127.0.0.1", workers.port, encode([small_image(2)]))


def test_beyond_the_limit_a_peer_is_told_to_come_again(tmp_path):
    with running_workers(tmp_path / "site", 1, max_associations=2) as workers:
        encoded = encode([small_image(1)])
        held = [begin(workers.port, encoded, 0) for _ in range(2)]
        with socket.create_connection(("127.0.0.1", workers.port), timeout=30) as sock:
            sock.sendall(encoded.associate)
            assert sock.recv(100) == bytes.fromhex("03000000000400020302")
        for sock in held:
            sock.close()
        wait_for(lambda: workers.run_log().count("connection lost") == 2, "the others are gone")
        send("127.0.0.1", workers.port, encoded)


def test_sigterm_lets_open_associations_finish_and_takes_no_more(tmp_path):
    with running_workers(tmp_path / "site", 1, drain_seconds=20) as workers:
        encoded = encode([small_image(1)])
        (process,) = workers.processes
        with begin(workers.port, encoded, 1000) as sock:
            process.terminate()
            wait_for(lambda: not _listens(process), "the worker has let go of the listening socket")
            assert process.poll() is None
            sock.sendall(encoded.messages[0][1000:])
            sock.sendall(RELEASE_RQ)
            answers = b""
            while not answers.endswith(RELEASE_RP):
                answers += sock.recv(4096)
        assert process.wait(20) == 0
        assert len(workers.images()) == 1
        assert workers.named("series.info")


def _listens(process):
    return [each for each in psutil.Process(process.pid).net_connections("tcp") if each.status == psutil.CONN_LISTEN]


def test_what_does_not_finish_is_cut_off(tmp_path):
    with running_workers(tmp_path / "site", 1, drain_seconds=0.2) as workers:
        sock = begin(workers.port, encode([small_image(1)]), 1000)
        assert workers.terminate(workers.processes[0]) == 0
        sock.close()
        assert not workers.images()
        assert not workers.spooled()


@pytest.mark.parametrize(
    "rubbish", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 100, b""]
)
def test_other_protocols_on_the_port_are_shown_the_door(tmp_path, rubbish):
    with running_workers(tmp_path / "site", 1, artim_seconds=0.5) as workers:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", workers.port), timeout=30) as sock:
                sock.sendall(rubbish)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(4096):
                    pass
        send("127.0.0.1", workers.port, encode([small_image(1)]))
        assert "Traceback" not in workers.errors()


def test_no_patients_data_in_the_logs(tmp_path):
    secret = Image(CT, "1.2.3.1", EXPLICIT_LITTLE, small_image(1).data_set.replace(b"P1", b"Zz"))
    with running_workers(tmp_path / "site", 1) as workers:
        send("127.0.0.1", workers.port, encode([secret, secret]))
        other = Image(CT, "1.2.3.1", EXPLICIT_LITTLE, secret.data_set[:-1] + b"\xff")
        send("127.0.0.1", workers.port, encode([other]))
        workers.terminate(workers.processes[0])
        logged = workers.errors() + workers.run_log()
        assert "different copy" in logged
        assert "Zz" not in logged
