"""HTTPS: what is negotiated, with whom, and what becomes of those who speak something else."""

import asyncio
import json
import logging
import ssl
from contextlib import asynccontextmanager

import pytest
import trustme
from rawhttp import echo, parse, post, run

from pfdcmd.edge.http import tls as httptls
from pfdcmd.edge.http.door import Door
from pfdcmd.edge.http.olddialect import OldDialect
from pfdcmd.edge.http.performing import Performing
from pfdcmd.edge.http.server import HttpServer
from pfdcmd.edge.http.tls import HttpTls, TlsFiles, open_tls
from pfdcmd.errors import ParameterFault
from pfdcmd.settings import Settings

HELLO = {"action": "hello", "meta": {}}


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def issue(authority, directory, name="localhost"):
    """The files of a fresh certificate."""
    certificate = authority.issue_cert(name)
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(directory / "chain.pem")
    return TlsFiles(directory / "chain.pem", directory / "key.pem", None)


@asynccontextmanager
async def serving(tls, **settings):
    values = Settings(port_self=0, **settings)
    performing = Performing()
    server = HttpServer(values, {}, OldDialect(values, echo, performing), performing, lambda: None, door=Door(tls=tls))
    _, port = await server.start()
    try:
        yield port, server
    finally:
        await server.stop(0)


def client(authority, **limits):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    for name, value in limits.items():
        setattr(context, name, value)
    return context


async def ask(port, context, double_header=True):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    try:
        writer.write(post(HELLO, "Connection: close"))
        answer = await reader.read()
        return parse(answer, double_header)[2], writer.get_extra_info("ssl_object")
    finally:
        writer.close()


@pytest.mark.parametrize("double_header", [True, False], ids=["httpResponse", "bare"])
def test_both_versions_and_framings(tmp_path, authority, double_header):
    async def scenario():
        async with serving(HttpTls(issue(authority, tmp_path)), http_response=double_header) as (port, _):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = client(authority, maximum_version=version)
                reply, spoken = await ask(port, context, double_header)
                assert reply == {"status": True, **HELLO}
                assert spoken.compression() is None
                assert spoken.cipher()[0].startswith(("ECDHE-", "TLS_"))

    run(scenario())


@pytest.mark.parametrize("ciphers", ["AES256-GCM-SHA384", "ECDHE+SHA", "DHE+AESGCM"])
def test_ciphers_without_forward_secrecy_or_authentication_are_refused(tmp_path, authority, ciphers):
    async def scenario():
        async with serving(HttpTls(issue(authority, tmp_path)), http_response=True) as (port, _):
            context = client(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
            context.set_ciphers(ciphers)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await ask(port, context)
            assert (await ask(port, client(authority)))[0]["status"] is True

    run(scenario())


def test_versions_before_1_2_are_not_there(tmp_path, authority):
    context = HttpTls(issue(authority, tmp_path)).context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION


@pytest.mark.parametrize(
    "sent",
    [post(HELLO), b"\x00" * 200, b"\x02\x00\x00\x00\x00\xcd" + b"\x00" * 205, b"\x16\x03\x01\xff\xff" + b"x" * 300],
    ids=["HTTP", "zeros", "an A-ASSOCIATE", "a broken hello"],
)
def test_what_is_not_tls_is_closed_without_a_traceback(tmp_path, authority, sent, caplog):
    async def scenario():
        async with serving(HttpTls(issue(authority, tmp_path)), http_response=True) as (port, server):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            writer.write_eof()
            try:
                answer = await reader.read()
            except ConnectionError:
                answer = b""
            assert b"HTTP" not in answer
            writer.close()
            assert (await ask(port, client(authority)))[0]["status"] is True
            async with asyncio.timeout(10):
                while server._connections:
                    await asyncio.sleep(0.02)

    with caplog.at_level(logging.INFO):
        run(scenario())
    assert not any(record.exc_info or record.levelno > logging.INFO for record in caplog.records)


def test_handshakes_that_do_not_come_are_counted_and_given_up(tmp_path, authority, monkeypatch):
    monkeypatch.setattr(httptls, "HANDSHAKE_SECONDS", 1.0)

    async def scenario():
        async with serving(HttpTls(issue(authority, tmp_path)), http_response=True, max_connections=3) as (
            port,
            server,
        ):
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            async with asyncio.timeout(10):
                while len(server._connections) < 3:
                    await asyncio.sleep(0.02)
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    await ask(port, client(authority))
                for reader, _ in silent:
                    assert await reader.read() == b""
            for _, writer in silent:
                writer.close()
            async with asyncio.timeout(10):
                while server._connections:
                    await asyncio.sleep(0.02)
            assert (await ask(port, client(authority)))[0]["status"] is True

    run(scenario())


def test_a_caller_must_show_a_certificate_where_an_authority_is_named(tmp_path, authority):
    files = issue(authority, tmp_path)
    stranger = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = HttpTls(TlsFiles(files.certificate, files.key, tmp_path / "ca.pem"))

    async def scenario():
        async with serving(tls, http_response=True) as (port, _):
            known = client(authority)
            authority.issue_cert("caller@example.org").configure_cert(known)
            assert (await ask(port, known))[0]["status"] is True
            foreign = client(authority)
            stranger.issue_cert("caller@example.org").configure_cert(foreign)
            for context in (client(authority), foreign):
                with pytest.raises((ssl.SSLError, ConnectionError, json.JSONDecodeError, ValueError, KeyError)):
                    await ask(port, context)

    run(scenario())


def test_a_changed_certificate_is_in_force_and_a_broken_one_is_not(tmp_path, authority, caplog):
    clock = Clock()
    tls = HttpTls(issue(authority, tmp_path), clock)
    first = tls.context()
    assert tls.context() is first
    issue(authority, tmp_path)
    clock.now += 2
    second = tls.context()
    assert second is not first
    (tmp_path / "chain.pem").write_text("not a certificate")
    for _ in range(3):
        clock.now += 2
        assert tls.context() is second
    assert [record.levelno for record in caplog.records if record.levelno > logging.INFO] == [logging.ERROR]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tls_certificate": "chain.pem"}, "both"),
        ({"tls_client_ca": "chain.pem"}, "both"),
        ({"tls_certificate": "chain.pem", "tls_key": "none.pem"}, "none.pem cannot be read.*--tlsKey"),
        ({"tls_certificate": "chain.pem", "tls_key": "other.pem"}, "KEY_VALUES_MISMATCH"),
        ({"tls_certificate": "key.pem", "tls_key": "key.pem"}, "cannot be used as certificate and key"),
        ({"tls_certificate": "chain.pem", "tls_key": "locked.pem"}, "cannot be used as certificate and key"),
        ({"tls_certificate": "chain.pem", "tls_key": "key.pem", "tls_client_ca": "key.pem"}, "holds no certificates"),
    ],
)
def test_files_that_cannot_be_used_say_why(tmp_path, authority, settings, words):
    issue(authority, tmp_path)
    authority.issue_cert("other").private_key_pem.write_to_path(tmp_path / "other.pem")
    locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"
    (tmp_path / "locked.pem").write_text(locked)
    with pytest.raises(ParameterFault, match=words):
        open_tls(Settings(**{name: str(tmp_path / value) for name, value in settings.items()}))


def test_without_files_it_is_plain():
    assert open_tls(Settings()) is None
