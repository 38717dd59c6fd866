"""A pfdcm that has something to lose: tokens, roots, a received series, a canary outside of all roots."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pydicom.data
from pfdcmprocess import running

from pfdcmd.edge.http.tokenfile import make_token

SERIES = "1.2.826.0.1.3680043.9.1"
SECRET = "SECRET^PATIENT"
IMAGE = Path(pydicom.data.get_testdata_file("CT_small.dcm"))
_LINE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:,]{12} [A-Z]+ [a-z.]+( \[[^]]*\])?: ")
_TRACEBACK = re.compile(r" {4}")


class Site:
    """The running pfdcm, its tokens, and what nobody may touch."""

    def __init__(self, pfdcm: Any, directory: Path, tokens: Mapping[str, str]) -> None:
        self.pfdcm = pfdcm
        self.directory = directory
        self.dicom = directory / "dicom"
        self.copies = directory / "copies"
        self.outside = directory / "outside"
        self.canary = self.outside / "canary"
        self.tokens = tokens

    def headers(self, right: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[right]}"}

    def ask(self, action: str, meta: Any, right: str = "admin", **options: Any) -> Any:
        """One message of a caller with this right. Returns: the reply."""
        return self.pfdcm.ask(action, meta, headers=self.headers(right), **options)

    def call(self, method: str, params: Any, right: str = "admin") -> Any:
        """One JSON-RPC call. Returns: the response."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {**self.headers(right), "Content-Type": "application/json"}
        return json.loads(self.pfdcm.raw(body, path="/rpc", headers=headers).split(b"\r\n\r\n")[-1])

    def status(self, body: Any = "{}", **options: Any) -> int:
        """The outer status of an answer."""
        return int(self.pfdcm.raw(body, **options).split()[1])

    def raw(self, request: bytes) -> bytes:
        """All that comes back for these bytes, until the connection ends or nothing has come for a while."""
        with socket.create_connection(("127.0.0.1", self.pfdcm.port), timeout=30) as connection:
            # who refuses early may have closed before all is sent: ENOTCONN is no ConnectionError
            with contextlib.suppress(OSError):
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
            parts = []
            with contextlib.suppress(ConnectionError):
                while part := connection.recv(65536):
                    parts.append(part)
            return b"".join(parts)

    def check(self) -> None:
        """It answers, nothing outside has changed, and its log is its own."""
        assert self.ask("hello", {"askAbout": "timestamp"}, "read")["status"] is True
        assert sorted(path.name for path in self.outside.iterdir()) == ["secret.dcm", "secrets.json"]
        for line in self.pfdcm.lines:
            assert _LINE.match(line) or _TRACEBACK.match(line), line
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", line.rstrip("\n")), repr(line)
        assert "Traceback" not in self.pfdcm.log
        assert not any(token in self.pfdcm.log for token in self.tokens.values())


@contextlib.contextmanager
def site_with_something_to_lose(directory: Path) -> Iterator[Site]:
    made = {right: make_token(f"the-{right}", right) for right in ("read", "operate", "admin")}
    file = directory / "tokens"
    file.touch(mode=0o600)
    file.write_text("".join(f"{line}\n" for _, line in made.values()))
    series = directory / "dicom" / "data" / "patient" / "study" / "series"
    maps = directory / "dicom" / "log" / "series_map"
    for each in (series, maps, directory / "outside", directory / "copies"):
        each.mkdir(parents=True)
    shutil.copy(IMAGE, series / "00001-1.dcm")
    (series / "series.info").touch()
    (maps / f"{SERIES}.json").write_text(json.dumps({SERIES: str(series)}))
    shutil.copy(IMAGE, directory / "outside" / "secret.dcm")
    (directory / "outside" / "secrets.json").write_text(json.dumps({SERIES: "/etc"}))
    roots = f"{directory / 'dicom'}:{directory / 'copies'}"
    options = ("--forever", "--httpResponse", "--enableTokenAuth", "--tokenPath", str(file), "--roots", roots)
    with running(directory, *options, "--verbosity", "2") as pfdcm:
        yield Site(pfdcm, directory, {right: token for right, (token, _) in made.items()})
