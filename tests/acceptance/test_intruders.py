"""What intruders try with messages, each attempt a test: refused or harmless, and pfdcm answers the next caller."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from integration.awkwardpacs import Behaviour, awkward_pacs
from intruders import SECRET, SERIES

pytestmark = pytest.mark.acceptance

HELLO = {"action": "hello", "meta": {"askAbout": "timestamp"}}
SET = ("internalctl", {"var": "/site/name", "set": "mine"})
RETRIEVE = ("PACSinteract", {"do": "retrieve", "PACS": "none", "on": {"SeriesInstanceUID": "1.2"}})
COPY = ("internalDB", {"do": "copy", "on": {"series_uid": SERIES}, "to": {"path": "/tmp"}})
QUIT = ("serverctl", {"ctl": {"serverCmd": "quit"}})
ESCAPES = "\x1b[2J\x1b]0;mine\x07"
FORGED = "x\n2026-11-22T12:00:00,000 ERROR pfdcmd.app: forged\r\nand again"
FORMATS = "%s%n%(name)s%d{0}{name}$(x)"


@pytest.fixture
def site(site_to_break_into):
    """The site; whatever a test has tried, all is well afterwards."""
    yield site_to_break_into
    site_to_break_into.check()


STRANGERS = {
    "no token": ("/", {}),
    "a wrong token": ("/", {"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}),
    "an empty token": ("/", {"Authorization": "Bearer "}),
    "another scheme": ("/", {"Authorization": "Basic YWRtaW46YWRtaW4="}),
    "two tokens in one header": ("/", {"Authorization": "Bearer a, Bearer {read}"}),
    "the token twice": ("/", {"Authorization": "Bearer {read}", "authorization": "Bearer {read}"}),
    "the token in the URL": ("/?access_token={admin}", {}),
    "the token for a proxy": ("/", {"Proxy-Authorization": "Bearer {admin}"}),
    "the token as a cookie": ("/", {"Cookie": "Authorization=Bearer {admin}"}),
    "a hash for a token": ("/", {"Authorization": "Bearer sha256:" + "0" * 64}),
    "a very long token": ("/", {"Authorization": "Bearer " + "x" * 4000}),
    "no token for JSON-RPC": ("/rpc", {"Content-Type": "application/json"}),
    "no token for metrics": ("/metrics", {}),
    "a path that begins as an open one": ("/healthz/../rpc", {}),
    "an open path in capitals": ("/HEALTHZ", {}),
}


@pytest.mark.parametrize(("path", "headers"), STRANGERS.values(), ids=STRANGERS.keys())
def test_a_stranger(site, path, headers):
    headers = {name: value.format(**site.tokens) for name, value in headers.items()}
    assert site.status(HELLO, path=path.format(**site.tokens), headers=headers) in (401, 429)


def test_a_stranger_opens_a_websocket(site):
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    assert site.status("", method="GET", path="/rpc", headers=headers) in (401, 429)


def test_a_token_in_the_message(site):
    message = {**HELLO, "token": site.tokens["admin"], "Authorization": f"Bearer {site.tokens['admin']}"}
    assert site.status(message) in (401, 429)


BEYOND = {
    "read sets": ("read", SET),
    "operate sets": ("operate", SET),
    "read copies": ("read", COPY),
    "read retrieves": ("read", RETRIEVE),
    "read retrieves by a query": (
        "read",
        ("PACSinteract", {"do": "query", "PACS": "none", "on": {"retrieve": "TRUE"}}),
    ),
    "read gets and sets": ("read", ("internalctl", {"var": "/site/name", "get": "value", "set": "mine"})),
    "read replaces": ("read", ("internalctl", {"var": "10402", "valueReplace": "1"})),
    "operate declares a listener": ("operate", ("xinetd", {"object": "service", "do": "everything"})),
    "operate quits": ("operate", QUIT),
}


@pytest.mark.parametrize(("right", "message"), BEYOND.values(), ids=BEYOND.keys())
def test_a_caller_goes_beyond_their_right(site, right, message):
    action, meta = message
    body = {"action": action, "meta": meta}
    assert site.status(body, headers=site.headers(right)) == 403
    assert site.status({"payload": body}, headers=site.headers(right)) == 403
    assert site.call(action, meta, right)["error"]["code"] == 500
    assert site.ask("internalctl", {"var": "/site/name", "get": "value"})["d_ret"] == {"/site/name": False}


@pytest.mark.parametrize("method", ["tree.set", "tree.delete", "tree.replace", "pacs.add", "system.shutdown"])
def test_a_reader_calls_a_method_for_others(site, method):
    assert site.call(method, {"path": "/PACS", "value": 1, "pacs": "x"}, "read")["error"]["code"] == 500


WAYS_OUT = {
    "above the root": "{dicom}/../outside",
    "beside it": "{dicom}x",
    "the system": "/etc",
    "the root of all": "/",
    "a link": "{dicom}/link",
    "through a link": "{dicom}/link/below",
    "relative": "../../outside",
    "a zero byte": "{dicom}/x\0/../../outside",
    "nothing": "",
}


@pytest.fixture
def way(site, request):
    link = site.dicom / "link"
    if not link.is_symlink():
        link.symlink_to(site.outside)
    return request.param.format(dicom=site.dicom)


out = pytest.mark.parametrize("way", WAYS_OUT.values(), ids=WAYS_OUT.keys(), indirect=True)


@out
def test_a_copy_leads_out(site, way):
    reply = site.ask("internalDB", {"do": "copy", "on": {"series_uid": SERIES}, "to": {"path": way}}, "operate")
    assert reply["status"] is False
    assert "error" in site.call("files.copy", {"series": SERIES, "path": way}, "operate")
    assert not Path("/etc", SERIES).exists()
    assert not Path("/", SERIES).exists()


@out
def test_a_service_file_leads_out(site, way):
    before = site.ask("internalctl", {"var": "/xinetd/file", "get": "value"})["d_ret"]["/xinetd/file"]
    site.ask("internalctl", {"var": "/xinetd/file", "set": f"{way}/canary" if way else ""})
    for do in ("create", "install"):
        assert site.ask("xinetd", {"object": "file", "do": do})["status"] is False
    assert not Path("/etc/canary").exists()
    site.ask("internalctl", {"var": "/xinetd/file", "set": before})


@out
@pytest.mark.parametrize("leaf", ["dataDir", "logDir", "tmpDir"])
def test_a_directory_of_the_listener_leads_out(site, way, leaf):
    before = site.ask("internalctl", {"var": f"/xinetd/{leaf}", "get": "value"})["d_ret"][f"/xinetd/{leaf}"]
    site.ask("internalctl", {"var": f"/xinetd/{leaf}", "set": f"{way}/canary" if way else ""})
    for thing, do in (("file", "install"), ("service", "mkdirs")):
        assert site.ask("xinetd", {"object": thing, "do": do})["status"] is False
    assert not Path("/etc/canary").exists()
    site.ask("internalctl", {"var": f"/xinetd/{leaf}", "set": before})


@out
def test_a_directory_of_map_files_leads_out(site, way):
    (site.outside / "secrets.json").replace(site.outside / f"{SERIES}.json")
    variable = "/xinetd/series_mapDir"
    before = site.ask("internalctl", {"var": variable, "get": "value"})["d_ret"][variable]
    try:
        site.ask("internalctl", {"var": variable, "set": way})
        assert site.ask("internalDB", {"do": "DICOMtagsGet", "on": {"series_uid": SERIES}})["status"] is False
        told = site.ask("PACSinteract", {"do": "retrieveStatus", "on": {"series_uid": SERIES}})
        assert told["status"] is False
        assert "DICOMdir" not in str(told)
        to = {"path": str(site.copies / "new")}
        assert site.ask("internalDB", {"do": "copy", "on": {"series_uid": SERIES}, "to": to})["status"] is False
        assert not (site.copies / "new").exists()
    finally:
        site.ask("internalctl", {"var": variable, "set": before})
        (site.outside / f"{SERIES}.json").replace(site.outside / "secrets.json")


@out
def test_an_attribute_of_a_service_leads_out(site, way):
    for key in ("data_dir", "log_dir", "tmp_dir", "quarantine_dir", "tls_key"):
        port = {"port": "10499", "disable": "yes"}
        assert site.ask("internalctl", {"var": "/listeners/mine", "set": {**port, key: way}})["status"] is False
    assert site.ask("internalctl", {"var": "/listeners/mine", "get": "value"})["d_ret"] == {"/listeners/mine": False}


@pytest.mark.parametrize("name", ["../../outside/canary", "..", ".", "a/b", "x\0y", "canary\n}\nservice y\n{"])
def test_a_service_by_a_name_that_leads_out(site, name):
    assert "error" in site.call("listener.apply", {"service": name, "attributes": {"port": "10499"}})


@pytest.mark.parametrize(
    "uid", ["../../../outside/secrets", "/etc/passwd", "..", "", "1.2\0", "1.2/../x", "*", "%2e%2e"]
)
def test_a_uid_that_is_a_path(site, uid):
    on = {"series_uid": uid, "SeriesInstanceUID": uid}
    to = {"path": str(site.copies)}
    assert site.ask("PACSinteract", {"do": "retrieveStatus", "on": on, "PACS": "none"})["status"] is False
    assert site.ask("internalDB", {"do": "DICOMtagsGet", "on": on})["status"] is False
    assert site.ask("internalDB", {"do": "copy", "on": on, "to": to})["status"] is False
    assert list(site.copies.iterdir()) == []


@pytest.mark.parametrize("leaf", ["configFileSave", "configFileLoad", "debugToDir", "args/str_configFileSave"])
def test_a_setting_is_changed_in_the_tree(site, leaf):
    site.ask("internalctl", {"var": f"/this/{leaf}", "set": str(site.canary)})
    site.ask("internalctl", {"var": "/site/other", "set": "x"})
    assert not site.canary.exists()


SHELLS = ['"; touch {canary}; "', "'; touch {canary}; '", "$(touch {canary})", "`touch {canary}`", "| touch {canary}",
          "\ntouch {canary}\n", "&& touch {canary}", "-oProxyCommand=touch {canary}"]  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_in_every_text(site, shell):
    text = shell.format(canary=site.canary)
    entry = {"serverIP": text, "serverPort": text, "aec": text, "aet": text}
    site.ask("internalctl", {"var": "/PACS/hostile", "set": entry})
    for meta in ({"askAbout": text}, {"askAbout": "echoBack", "echoBack": text}):
        site.ask("hello", meta)
    for leaf in ("findscu", "movescu", "listener", "storescp"):
        site.ask("internalctl", {"var": f"/bin/{leaf}", "set": text})
    for do in ("query", "retrieve", "retrieveStatus", text):
        for pacs in ("hostile", text):
            site.ask("PACSinteract", {"do": do, "PACS": pacs, "on": {"PatientID": text, "SeriesInstanceUID": text}})
    site.ask("internalDB", {"do": "copy", "on": {"series_uid": text}, "to": {"path": f"{site.copies}/{text}"}})
    site.ask("xinetd", {"object": text, "do": text})
    site.ask("xinetd", {"object": "file", "do": "create"})
    for action in ("ls", "objPull", "objPut", text):
        site.ask(action, {"path": text})
    for method in ("listener.apply", "listener.restart", "pacs.diagnose", "retrieve.start", text):
        site.call(method, {"service": text, "pacs": text, "series": text, "attributes": {"ae_title": text}})
    site.ask("internalctl", {"var": text, "set": text})
    site.ask("internalctl", {"var": text, "valueReplace": "ENV"})
    assert not site.canary.exists()


@pytest.mark.parametrize("text", [FORGED, ESCAPES, FORMATS, "\u2028\u0085\u202e", "x" * 100_000])
def test_a_text_for_the_log(site, text):
    before = len(site.pfdcm.lines)
    for action, meta in (
        (text, {}),
        ("internalctl", {"var": f"/{text[:900]}", "set": text}),
        ("internalctl", {"var": "/PACS/log", "set": {"serverIP": text, "serverPort": "1", "aec": text, "aet": text}}),
        ("PACSinteract", {"do": text, "PACS": text, "on": {text: text}}),
        ("PACSinteract", {"do": "query", "PACS": "log", "on": {"PatientName": text}}),
        ("internalDB", {"do": "copy", "on": {"series_uid": text}, "to": {"path": f"{site.copies}/{text}"}}),
        ("xinetd", {"object": text, "do": text}),
    ):
        site.ask(action, meta)
    site.call(text[:1000], {text[:1000]: text})
    site.status("{}", path="/%0d%0aX:%20y/%1b[2J", headers={**site.headers("read"), "X-Request-Id": "%0aforged"})
    assert not any(line.startswith("2026-11-22T12:00:00,000") for line in site.pfdcm.lines[before:])
    assert all(len(line) < 2000 for line in site.pfdcm.lines[before:])


def test_links_that_were_planted_among_the_images(site):
    series = site.dicom / "data" / "patient" / "study" / "planted"
    series.mkdir()
    (series / "00000.dcm").symlink_to(site.outside / "secret.dcm")
    (series / "series.info").touch()
    maps = site.dicom / "log" / "series_map"
    (maps / "1.9.1.json").write_text(json.dumps({"1.9.1": str(series)}))
    (site.dicom / "data" / "linked").symlink_to(site.outside)
    (maps / "1.9.2.json").write_text(json.dumps({"1.9.2": str(site.dicom / "data" / "linked")}))
    (maps / "1.9.3.json").symlink_to(site.outside / "secrets.json")
    for uid in ("1.9.1", "1.9.2", "1.9.3"):
        assert site.ask("internalDB", {"do": "DICOMtagsGet", "on": {"series_uid": uid}})["status"] is False
        site.ask("PACSinteract", {"do": "retrieveStatus", "on": {"series_uid": uid}, "PACS": "none"})
        site.ask("internalDB", {"do": "copy", "on": {"series_uid": uid}, "to": {"path": str(site.copies)}})
    assert not list(site.copies.rglob("*.dcm"))


HOSTILE = {
    "a UID that is a path": ({"../../../outside": ["../../canary"]}, {}),
    "a UID with a shell": ({"1.1; touch canary": ["$(touch canary)"]}, {}),
    "an endless UID": ({"1." + "2" * 1000: ["1" * 1000]}, {}),
    "a name that drives a terminal": ({"1.1": ["1.1.1"]}, {0x00100010: ESCAPES.encode()}),
    "a name that forges a line": ({"1.1": ["1.1.1"]}, {0x00100010: FORGED.encode(), 0x00081030: FORGED.encode()}),
    "a name with formats and markup": ({"1.1": ["1.1.1"]}, {0x00100010: b"%s%n<script>alert(1)</script>"}),
    "text that is none": ({"1.1": ["1.1.1"]}, {0x00080005: b"ISO_IR 192", 0x00100010: bytes(range(128, 256))}),
    "a character set that is none": ({"1.1": ["1.1.1"]}, {0x00080005: b"\\..\\x;rm", 0x00100010: b"x"}),
}


@pytest.mark.parametrize(("studies", "extra"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_pacs_answers(site, studies, extra):
    with awkward_pacs(Behaviour(studies=studies, extra=extra)) as pacs:
        entry = {"serverIP": "127.0.0.1", "serverPort": str(pacs.port), "aec": "AWKWARD", "aet": "US"}
        site.ask("internalctl", {"var": "/PACS/awkward", "set": entry})
        on = {"PatientID": "1", "retrieve": True}
        reply = site.ask("PACSinteract", {"do": "query", "PACS": "awkward", "on": on}, "operate")
        assert isinstance(reply["status"], bool)
        assert all("outside" not in keys.get("StudyInstanceUID", "") for _, keys in pacs.moves)
    assert not site.canary.exists()


def test_no_patients_data_reaches_the_log_or_the_audit(site):
    """The log at its most talkative; the image's own name, ID and birth date are asked for and shown to the caller."""
    told = site.ask("internalDB", {"do": "DICOMtagsGet", "on": {"series_uid": SERIES}}, "read")["DICOMtagsGet"]
    ours = [told["d_dicom"]["PatientName"], told["d_dicom"]["PatientID"]]
    assert ours == ["CompressedSamples^CT1", "1CT1"]
    extra = {0x00100010: SECRET.encode(), 0x00100020: b"SECRET-ID", 0x00100030: b"19700102"}
    with awkward_pacs(Behaviour(extra=extra)) as pacs:
        entry = {"serverIP": "127.0.0.1", "serverPort": str(pacs.port), "aec": "AWKWARD", "aet": "US"}
        site.ask("internalctl", {"var": "/PACS/awkward", "set": entry})
        on = {"PatientName": SECRET, "PatientID": "SECRET-ID", "PatientBirthDate": "19700102"}
        reply = site.ask("PACSinteract", {"do": "query", "PACS": "awkward", "on": on}, "read")
        assert reply["query"]["data"][0]["PatientName"]["value"] == SECRET
        site.call("pacs.find", {"pacs": "awkward", "level": "STUDY", "keys": on}, "read")
    audit = (site.directory / "state" / "audit.jsonl").read_text()
    assert '"what": "query"' in audit
    assert '"PatientName"' in audit, "the keys that were asked by are told, their values are not"
    for text in (*ours, SECRET, "SECRET-ID", "19700102"):
        assert text not in audit
        assert text not in site.pfdcm.log
