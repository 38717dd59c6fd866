import pytest
from rpcfakes import call, make_context, make_rpc

from pfdcmd.errors import PeerUnreachable
from pfdcmd.methods.pacs import METHODS
from pfdcmd.settings import Settings

ADDED = {"pacs": "orthanc", "host": "127.0.0.1", "port": 4242, "aec": "ORTHANC", "aet": "CHIPS"}
LISTED = {**ADDED, "port": "4242", "aet_listener": "", "fault": ""}


class FakePacs:
    """Answers with these matches; knows what it was asked and whether a query was ended."""

    def __init__(self, matches=(), fault=None):
        self.matches = matches
        self.fault = fault
        self.queries = []
        self.is_ended = False

    async def echo(self, peer):
        if self.fault is not None:
            raise self.fault

    async def find_level(self, peer, query):
        self.queries.append(query)
        try:
            for match in self.matches:
                yield match
        finally:
            self.is_ended = True


def make(pacs=None, settings=None):
    context = make_context({"PACS": {}}, settings=settings, pacs=pacs or FakePacs())
    return make_rpc(*METHODS, context=context), context


def test_an_added_pacs_is_in_the_tree_and_in_the_list():
    rpc, context = make()
    assert call(rpc, "pacs.add", ADDED)["result"] == LISTED
    assert dict(context.tree.get("/PACS/orthanc")) == {
        "serverIP": "127.0.0.1",
        "serverPort": "4242",
        "aec": "ORTHANC",
        "aet": "CHIPS",
    }
    assert call(rpc, "pacs.list")["result"] == [LISTED]


def test_adding_again_leaves_nothing_of_what_was_there():
    rpc, context = make()
    call(rpc, "pacs.add", {**ADDED, "tls": True, "aet_listener": "STORE"})
    call(rpc, "pacs.add", ADDED)
    assert "tls" not in context.tree.get("/PACS/orthanc")
    assert "aet_listener" not in context.tree.get("/PACS/orthanc")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"pacs": "a/b"}, -32602),
        ({"port": 0}, 201),
        ({"aec": "\\"}, 201),
        ({"host": "a b"}, 201),
        ({"tls": "?"}, 201),
        ({"imagesPerSecond": 0}, 201),
        ({"quietHours": "22-6"}, 201),
    ],
)
def test_an_entry_that_no_query_could_use_is_refused(change, code):
    rpc, context = make()
    assert call(rpc, "pacs.add", ADDED | change)["error"]["code"] == code
    assert dict(context.tree.get("/PACS")) == {}


def test_how_fast_and_when_a_pacs_is_asked_for_images_is_kept_in_its_entry():
    rpc, context = make()
    limits = {"imagesPerSecond": 2.5, "quietHours": "22:00-06:00"}
    assert call(rpc, "pacs.add", ADDED | limits)["result"] == LISTED
    assert limits.items() <= context.tree.get("/PACS/orthanc").items()


def test_an_entry_that_only_a_retrieve_could_not_use_is_listed_with_the_reason():
    rpc, context = make()
    context.tree.set("/PACS/odd", {"serverIP": "a", "serverPort": "104", "aec": "A", "aet": "B", "quietHours": "x"})
    (odd,) = call(rpc, "pacs.list")["result"]
    assert "quietHours" in odd["fault"]


def test_an_unusable_entry_is_listed_with_the_reason():
    rpc, context = make()
    context.tree.set("/PACS/odd", {"serverIP": ["x"], "server_port": 104})
    context.tree.set("/PACS/text", "x")
    odd, text = call(rpc, "pacs.list")["result"]
    assert (odd["host"], odd["port"]) == ("", "104")
    assert "serverIP" in odd["fault"]
    assert text["fault"]


def test_a_name_is_a_key_and_not_a_path():
    rpc, _ = make()
    call(rpc, "pacs.add", ADDED)
    for method in ("pacs.echo", "pacs.remove"):
        error = call(rpc, method, {"pacs": "orthanc/"})["error"]
        assert (error["code"], error["data"]["parameter"]) == (-32602, "pacs")


def test_removed_is_gone():
    rpc, _ = make()
    call(rpc, "pacs.add", ADDED)
    assert "result" in call(rpc, "pacs.remove", ["orthanc"])
    assert call(rpc, "pacs.list")["result"] == []


def test_echo_of_a_pacs_that_is_not_there_says_what_to_do():
    rpc, _ = make(FakePacs(fault=PeerUnreachable()))
    call(rpc, "pacs.add", ADDED)
    error = call(rpc, "pacs.echo", ["orthanc"])["error"]
    assert (error["code"], error["data"]["do"]) == (202, PeerUnreachable.do)


def test_find_returns_the_list_and_never_asks_for_more_than_the_setting_allows():
    pacs = FakePacs([{"PatientID": "1"}, {"PatientID": "2"}])
    rpc, _ = make(pacs, Settings(pacs_max_matches=7))
    call(rpc, "pacs.add", ADDED)
    found = call(rpc, "pacs.find", ["orthanc", "STUDY", {"PatientID": ""}, 500])
    assert found["result"] == [{"PatientID": "1"}, {"PatientID": "2"}]
    (query,) = pacs.queries
    assert (query.level, query.keys, query.max_matches) == ("STUDY", {"PatientID": ""}, 7)
    assert pacs.is_ended


def test_find_streams_over_a_websocket():
    pacs = FakePacs([{"PatientID": "1"}, {"PatientID": "2"}])
    rpc, _ = make(pacs)
    call(rpc, "pacs.add", ADDED)
    told = []

    async def notify(method, params):
        told.append((method, params["number"], params["item"]))

    wanted = {"pacs": "orthanc", "level": "PATIENT", "keys": {}, "stream": True}
    assert call(rpc, "pacs.find", wanted, notify=notify)["result"] == {"count": 2}
    assert told == [("pacs.match", 1, {"PatientID": "1"}), ("pacs.match", 2, {"PatientID": "2"})]


def test_a_stream_whose_reader_has_gone_ends_the_query():
    pacs = FakePacs([{"PatientID": "1"}] * 9)
    rpc, _ = make(pacs)
    call(rpc, "pacs.add", ADDED)
    seen = []

    async def notify(_method, params):
        seen.append(params)
        raise PeerUnreachable("gone")

    wanted = {"pacs": "orthanc", "level": "STUDY", "keys": {}, "stream": True}
    assert "error" in call(rpc, "pacs.find", wanted, notify=notify)
    assert len(seen) == 1
    assert pacs.is_ended
