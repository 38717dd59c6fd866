"""The README's call gets the README's reply."""

from __future__ import annotations

import re
from pathlib import Path

from pfdcmprocess import running

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_call_in_the_readme_gets_the_reply_beside_it(tmp_path):
    started = re.search(r"^    pfdcm (.*) --dicomDir \S+ &$", README, re.MULTILINE)
    message = re.search(r"^    curl -s -d '(.*)' localhost:4055$", README, re.MULTILINE)
    reply = re.search(r"^```\n(200 OK\n.*?)\n```$", README, re.MULTILINE | re.DOTALL)
    assert started and message and reply

    with running(tmp_path, *started[1].split()) as pfdcm:
        _, _, body = pfdcm.raw(message[1]).partition(b"\r\n\r\n")

    assert body.decode("ascii").replace("\r\n", "\n") == reply[1]
