"""The door of a real pfdcm: tokens, rights, refusals in both framings, the audit, the readiness of a closed port."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trustme
from pfdcmprocess import environment, running

from pfdcmd.edge.http.tokenfile import make_token

READY = str(Path(sys.executable).with_name("pfdcm-ready"))
SECONDS = 20
GET = ("internalctl", {"var": "/xinetd/servicePort", "get": "value"})
SET = ("internalctl", {"var": "/site/name", "set": "BCH"})
RESTART = ("xinetd", {"object": "service", "do": "restart"})
HELLO = ("hello", {"askAbout": "timestamp"})


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Site:
    """A directory with a token for each right."""

    def __init__(self, directory):
        self.directory = directory
        self.file = directory / "tokens"
        self.tokens = {}
        self.write("read", "operate", "admin")

    def write(self, *rights):
        """Replace the file by one with fresh tokens."""
        made = {right: make_token(f"the-{right}", right) for right in rights}
        self.tokens = {right: token for right, (token, _) in made.items()}
        sibling = self.file.with_suffix(".new")
        sibling.write_text("".join(f"{line}\n" for _, line in made.values()))
        sibling.chmod(0o600)
        sibling.replace(self.file)

    @property
    def options(self):
        return ("--forever", "--enableTokenAuth", "--tokenPath", str(self.file))

    def audit(self):
        return [json.loads(line) for line in (self.directory / "state" / "audit.jsonl").read_text().splitlines()]


def status_and_reply(answer):
    """Of an answer in either framing; a bare one has no status."""
    if not answer.startswith(b"HTTP/"):
        return None, json.loads(answer)
    return int(answer.split()[1]), json.loads(answer.split(b"\r\n\r\n")[-1])


def ask(pfdcm, call, **headers):
    action, meta = call
    return status_and_reply(pfdcm.raw({"action": action, "meta": meta}, headers=headers))


@pytest.mark.parametrize("framing", [["--httpResponse"], []], ids=["httpResponse", "bare"])
def test_a_caller_needs_a_token_with_the_right(tmp_path, framing):
    site = Site(tmp_path)
    is_framed = bool(framing)
    with running(tmp_path, *site.options, *framing) as pfdcm:
        for headers in ({}, bearer("x" * 43), {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
            status, reply = ask(pfdcm, HELLO, **headers)
            assert status == (401 if is_framed else None)
            assert reply["status"] is False
            assert "token" in reply["msg"]
        answer = pfdcm.raw("{}")
        assert (b"\r\nWWW-Authenticate: Bearer" in answer) is is_framed

        for right, call, is_enough in [
            ("read", HELLO, True),
            ("read", GET, True),
            ("read", RESTART, False),
            ("read", SET, False),
            ("operate", SET, False),
            ("admin", SET, True),
        ]:
            status, reply = ask(pfdcm, call, **bearer(site.tokens[right]))
            assert reply["status"] is is_enough, (right, call, reply)
            assert status == ((200 if is_enough else 403) if is_framed else None)
            assert is_enough or f"this token has {right}" in reply["msg"]
    told = [(line["caller"], line["what"], line["outcome"]) for line in site.audit()]
    assert told[:5] == [("", "request", "refused")] * 5
    assert told[5:] == [
        ("the-read", "xinetd service restart", "refused"),
        ("the-read", "set", "refused"),
        ("the-operate", "set", "refused"),
        ("the-admin", "set", "done"),
    ]
    assert not any(token in pfdcm.log for token in site.tokens.values())


def test_who_is_refused_often_is_slowed_and_who_has_a_token_is_not(tmp_path):
    site = Site(tmp_path)
    with running(tmp_path, *site.options, "--httpResponse") as pfdcm:
        statuses = [ask(pfdcm, HELLO, **bearer("wrong-token-0123456789"))[0] for _ in range(14)]
        assert statuses[:10] == [401] * 10
        assert 429 in statuses[10:]
        assert b"\r\nRetry-After: " in pfdcm.raw("{}")
        assert ask(pfdcm, HELLO, **bearer(site.tokens["read"]))[0] == 200
    assert sum(line["outcome"] == "refused" for line in site.audit()) < 14


def test_changed_tokens_are_in_force_without_a_restart(tmp_path):
    site = Site(tmp_path)
    with running(tmp_path, *site.options, "--httpResponse") as pfdcm:
        former = site.tokens["admin"]
        assert ask(pfdcm, SET, **bearer(former))[0] == 200
        site.write("admin")
        deadline = time.monotonic() + SECONDS
        while ask(pfdcm, SET, **bearer(former))[0] == 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert ask(pfdcm, SET, **bearer(site.tokens["admin"]))[0] == 200


def test_the_one_request_is_not_used_up_by_one_that_is_refused(tmp_path):
    site = Site(tmp_path)
    with running(tmp_path, *site.options[1:], "--httpResponse") as pfdcm:
        assert ask(pfdcm, HELLO)[0] == 401
        assert ask(pfdcm, HELLO, **bearer(site.tokens["read"]))[0] == 200
        assert pfdcm.wait() == 0


@pytest.mark.parametrize("with_client_ca", [False, True], ids=["tokens", "tokens and certificates of callers"])
def test_it_is_ready_behind_a_closed_door(tmp_path, with_client_ca):
    site = Site(tmp_path)
    authority = trustme.CA()
    certificate = authority.issue_cert("pfdcm.example.org")
    for name, blob in (("key", certificate.private_key_pem), ("chain", certificate.cert_chain_pems[0])):
        blob.write_to_path(tmp_path / name)
    authority.cert_pem.write_to_path(tmp_path / "ca")
    options = ["--tlsCertificate", str(tmp_path / "chain"), "--tlsKey", str(tmp_path / "key")]
    if with_client_ca:
        options += ["--tlsClientCA", str(tmp_path / "ca")]
    with running(tmp_path, *site.options, "--httpResponse", *options) as pfdcm:
        done = subprocess.run(
            [READY, "--stateDir", str(tmp_path / "state"), "--seconds", str(SECONDS)],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, f"pfdcm answers on port {pfdcm.port}\n"), done.stderr
