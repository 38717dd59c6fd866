import pytest

from pfdcmd.actions.caller import NOBODY_ASKED, Caller, Right
from pfdcmd.actions.rights import NEEDED, check_right, right_of
from pfdcmd.dispatch import ACTIONS
from pfdcmd.errors import AccessRefused
from pfdcmd.wire.pfdialect import Call


@pytest.mark.parametrize(
    ("action", "meta", "right"),
    [
        ("hello", {}, "READ"),
        ("internalctl", {"var": "/", "get": "value"}, "READ"),
        ("internalctl", {"var": "/", "set": None}, "ADMIN"),
        ("internalctl", {"var": "/", "get": "value", "set": "x"}, "ADMIN"),
        ("internalctl", {"var": "%X", "valueReplace": "ENV"}, "ADMIN"),
        ("xinetd", {"object": "service", "do": "restart"}, "OPERATE"),
        ("xinetd", {"object": "service", "do": "everything"}, "ADMIN"),
        ("xinetd", {"object": "service", "do": ["restart"]}, "ADMIN"),
        ("xinetd", {}, "ADMIN"),
        ("PACSinteract", {"do": "query", "on": {"PatientID": "1"}}, "READ"),
        ("PACSinteract", {"do": "query", "on": {"retrieve": False}}, "READ"),
        ("PACSinteract", {"do": "query", "on": {"retrieve": True}}, "OPERATE"),
        ("PACSinteract", {"do": "query", "on": {"retrieve": " TRUE "}}, "OPERATE"),
        ("PACSinteract", {"do": "retrieve", "on": {}}, "OPERATE"),
        ("PACSinteract", {"do": "retrieveStatus", "on": {}}, "READ"),
        ("PACSinteract", {"do": {}, "on": "x"}, "READ"),
        ("internalDB", {"do": "DICOMtagsGet"}, "READ"),
        ("internalDB", {"do": "copy"}, "OPERATE"),
        ("ls", {}, "READ"),
        ("objPull", {}, "OPERATE"),
        ("objPut", {}, "OPERATE"),
        ("serverctl", {"ctl": {"serverCmd": "quit"}}, "ADMIN"),
        ("no such", {}, "READ"),
    ],
)
def test_the_right_that_a_message_needs(action, meta, right):
    call = Call(action, meta)
    assert right_of(call) is Right[right]
    for held in Right:
        if held >= Right[right]:
            check_right(call, Caller("it", held))
        else:
            with pytest.raises(AccessRefused, match=f"{right.lower()}; this token has {held.name.lower()}"):
                check_right(call, Caller("it", held))
    check_right(call, NOBODY_ASKED)


def test_every_action_has_a_right_of_its_own():
    assert set(NEEDED) == set(ACTIONS)
